/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* How long interrupts take: handlers of interrupt lines, soft interrupts, and the vectors of
 * x86. */
#include "kernel.h"
#include "hist.h"

enum counter { LOST, MAX_COUNTERS };

/* The count includes times of 0 ns. */
struct stats {
	u64 count;
	struct hist time;
};

#include "counters.h"
/* With as many banks as there are processors, only one processor adds to a total. */
#include "totals.h"

/* Soft interrupts are served with interrupts on, the others with interrupts off: the others
 * interrupt soft interrupts, and none interrupts one of its own kind. Real-time kernels serve soft
 * interrupts in tasks: see irqlat/tasks.h. */
enum kind { HARD, VECTOR, SOFT, KINDS };

/* include/linux/interrupt.h */
#define SOFTIRQS 10
#define SOFTIRQ_MASK 15

/* Vectors of x86; their names are those in records. */
enum vector {
	LOCAL_TIMER,
	RESCHEDULE,
	CALL_FUNCTION,
	CALL_FUNCTION_SINGLE,
	IRQ_WORK,
	X86_PLATFORM_IPI,
	SPURIOUS_APIC,
	ERROR_APIC,
	THERMAL_APIC,
	THRESHOLD_APIC,
	DEFERRED_ERROR_APIC,
	MAX_VECTORS,
};

/* The keys of totals: each is the first of its kind. */
enum key {
	SOFT_TIME,
	SOFT_WAIT = SOFT_TIME + SOFTIRQS,
	VECTOR_TIME = SOFT_WAIT + SOFTIRQS,
	MAX_KEYS = VECTOR_TIME + MAX_VECTORS,
};

/* Have the names and numbers generated for user space, too: skel::names, skel::types. */
const enum vector skeleton_vector = LOCAL_TIMER;
const enum key skeleton_key = SOFT_TIME;

/* A running handler. */
struct frame {
	u64 what; /* which; 0: none */
	u64 start_ns;
	u64 spent_ns; /* what the processor had spent when it began */
};

/* A processor. No other processor writes here. */
struct processor {
	u64 spent_ns; /* in all handlers together, each nanosecond once */
	struct frame running[KINDS];
	/* 0: not raised, or not known. As many as a masked number reaches: the compiler makes masks
	 * of comparisons, which the verifier cannot follow. */
	u64 raised_ns[SOFTIRQ_MASK + 1];
} __attribute__((aligned(CACHE_LINE)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	/* Set to the number of possible processors before loading. */
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct processor);
} processors SEC(".maps");

static __always_inline struct processor *this_processor(u32 *cpu)
{
	*cpu = bpf_get_smp_processor_id();
	return bpf_map_lookup_elem(&processors, cpu);
}

/*
 * The time, and what the processor had spent by then. With interrupts on, an interrupt between the
 * two reads would be in the one and not in the other: they are read again.
 */
static __always_inline u64 clock(struct processor *processor, enum kind kind, u64 *spent_ns)
{
	volatile u64 *spent = &processor->spent_ns;
	u64 now;

	for (int i = 0; i < (kind == SOFT ? 3 : 1); i++) {
		*spent_ns = *spent;
		now = bpf_ktime_get_ns();
		if (kind != SOFT || *spent_ns == *spent)
			break;
	}
	return now;
}

static __always_inline u64 begin(struct processor *processor, enum kind kind, u64 what)
{
	struct frame *frame = &processor->running[kind];

	/* The end of the one before was not seen. */
	if (frame->what)
		count(LOST, 1);
	frame->what = what;
	frame->start_ns = clock(processor, kind, &frame->spent_ns);
	return frame->start_ns;
}

/* Whether the begin of this handler was seen; if so, its time without that of what interrupted
 * it. */
static __always_inline bool end(struct processor *processor, enum kind kind, u64 what, u64 *own_ns)
{
	struct frame *frame = &processor->running[kind];
	u64 now, spent_ns;

	if (frame->what != what)
		return false;
	now = clock(processor, kind, &spent_ns);
	*own_ns = now - frame->start_ns - (spent_ns - frame->spent_ns);
	frame->what = 0;
	/* Atomically if it can be interrupted by another, which adds here, too. */
	if (kind == SOFT)
		__sync_fetch_and_add(&processor->spent_ns, *own_ns);
	else
		processor->spent_ns += *own_ns;
	return true;
}

#include "irqlat/tasks.h"

/* As hist_add(), without concurrent updates: each histogram is of one kind on one processor. */
static __always_inline void hist_add_alone(struct hist *hist, u64 ns)
{
	u32 bucket = hist_bucket(ns);

	if (bucket < HIST_BUCKETS)
		hist->buckets[bucket]++;
	hist->sum_ns += ns;
	hist_extremes_by_store(hist, ns);
}

static __always_inline void add_time(u32 key, u32 cpu, u64 ns)
{
	struct stats *total = total_in(key, cpu);

	if (!total)
		return;
	hist_add_alone(&total->time, ns);
	total->count++;
}

/*
 * Soft interrupts. They come first in the object, so they are attached last: the interrupts that
 * interrupt them are seen before they are.
 */

SEC("tp_btf/softirq_raise")
int BPF_PROG(soft_raise, unsigned int vec)
{
	u32 cpu;
	struct processor *processor = this_processor(&cpu);

	/* It waits from the first time on. */
	if (processor && vec < SOFTIRQS && !processor->raised_ns[vec & SOFTIRQ_MASK])
		processor->raised_ns[vec & SOFTIRQ_MASK] = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(soft_entry, unsigned int vec)
{
	u32 cpu;
	struct processor *processor = this_processor(&cpu);
	u64 raised_ns, now;

	if (!processor || vec >= SOFTIRQS)
		return 0;
	raised_ns = processor->raised_ns[vec & SOFTIRQ_MASK];
	/* A raise by an interrupt in between finds it set, or is kept. */
	if (raised_ns)
		processor->raised_ns[vec & SOFTIRQ_MASK] = 0;
	if (real_time)
		now = begin_in_task(processor, cpu, vec + 1);
	else
		now = begin(processor, SOFT, vec + 1);
	if (raised_ns)
		add_time(SOFT_WAIT + vec, cpu, now - raised_ns);
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(soft_exit, unsigned int vec)
{
	u32 cpu;
	struct processor *processor = this_processor(&cpu);
	u64 ns;

	if (!processor || vec >= SOFTIRQS)
		return 0;
	if (real_time ? end_in_task(processor, cpu, vec + 1, &ns)
		      : end(processor, SOFT, vec + 1, &ns))
		add_time(SOFT_TIME + vec, cpu, ns);
	return 0;
}

/* Attached where the kernel is a real-time one. */
SEC("tp_btf/sched_switch")
int BPF_PROG(task_switch, bool preempted, struct task_struct *before, struct task_struct *after)
{
	u32 cpu;
	struct processor *processor = this_processor(&cpu);

	if (processor)
		switch_tasks(processor, cpu, (u64)before, (u64)after);
	return 0;
}

#include "irqlat/lines.h"
#include "irqlat/vectors.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
