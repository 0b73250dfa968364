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
 * interrupt soft interrupts, and none interrupts one of its own kind. */
enum kind { HARD, VECTOR, SOFT, KINDS };

/* include/linux/interrupt.h */
#define SOFTIRQS 10
#define SOFTIRQ_MASK 15
/* include/linux/irqreturn.h */
#define IRQ_NONE 0
/* Longer names are cut. */
#define NAME_LEN 64

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

/* A handler of a line on a processor. If it is freed and created again at the same address for
 * another device, its line or its name differs. */
struct line_key {
	u64 action;
	u64 name;
	u32 irq;
	u32 cpu;
};

struct line {
	char name[NAME_LEN];
	u64 named; /* the name is whole */
	/* Calls that found that their device had not interrupted, and the time that they took. */
	u64 unhandled;
	u64 unhandled_ns;
	struct hist time;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	/* Set before loading. */
	__uint(max_entries, 1);
	__type(key, struct line_key);
	__type(value, struct line);
} lines_0 SEC(".maps"), lines_1 SEC(".maps"); /* as the halves of totals */

/* The initial value of a line: too large for the stack. */
const struct line new_line = {};

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

	/* Within a handler of the same kind, which happens only on kernels that preempt soft
	 * interrupts: the time of the outer one cannot be measured any more. */
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

	if (processor && vec < SOFTIRQS && end(processor, SOFT, vec + 1, &ns))
		add_time(SOFT_TIME + vec, cpu, ns);
	return 0;
}

/* The handlers of interrupt lines. */

static __always_inline struct line *line_in(void *lines, struct line_key *key,
					    struct irqaction *action)
{
	struct line *line = bpf_map_lookup_elem(lines, key);

	if (line)
		return line;
	bpf_map_update_elem(lines, key, &new_line, BPF_NOEXIST);
	line = bpf_map_lookup_elem(lines, key);
	if (line) {
		bpf_probe_read_kernel_str(line->name, sizeof(line->name), action->name);
		line->named = 1;
	}
	return line;
}

/* The entry of a handler on this processor, in the map being filled; NULL if there is no room. */
static __always_inline struct line *line_of(struct irqaction *action, u32 irq, u32 cpu)
{
	struct line_key key = {
	    .action = (u64)action,
	    .name = (u64)action->name,
	    .irq = irq,
	    .cpu = cpu,
	};

	if (*(volatile u32 *)&filled_half)
		return line_in(&lines_1, &key, action);
	return line_in(&lines_0, &key, action);
}

SEC("tp_btf/irq_handler_entry")
int BPF_PROG(hard_entry, int irq, struct irqaction *action)
{
	u32 cpu;
	struct processor *processor = this_processor(&cpu);

	if (processor)
		begin(processor, HARD, (u64)action);
	return 0;
}

SEC("tp_btf/irq_handler_exit")
int BPF_PROG(hard_exit, int irq, struct irqaction *action, int ret)
{
	u32 cpu;
	struct processor *processor = this_processor(&cpu);
	struct line *line;
	u64 ns;

	if (!processor || !end(processor, HARD, (u64)action, &ns))
		return 0;
	line = line_of(action, irq, cpu);
	if (!line) {
		count(LOST, 1);
		return 0;
	}
	if (ret == IRQ_NONE) {
		/* All handlers of a line are called: most often this one was called for another's
		 * device. */
		line->unhandled++;
		line->unhandled_ns += ns;
	} else {
		hist_add_alone(&line->time, ns);
	}
	return 0;
}

/* The vectors of x86. Those of interrupt lines have no event of their own. */

static __always_inline int vector_entry(enum vector vector)
{
	u32 cpu;
	struct processor *processor = this_processor(&cpu);

	if (processor)
		begin(processor, VECTOR, VECTOR_TIME + vector);
	return 0;
}

static __always_inline int vector_exit(enum vector vector)
{
	u32 cpu, key = VECTOR_TIME + vector;
	struct processor *processor = this_processor(&cpu);
	u64 ns;

	if (processor && end(processor, VECTOR, key, &ns))
		add_time(key, cpu, ns);
	return 0;
}

SEC("tp_btf/local_timer_entry")
int local_timer_entry(void *ctx)
{
	return vector_entry(LOCAL_TIMER);
}

SEC("tp_btf/local_timer_exit")
int local_timer_exit(void *ctx)
{
	return vector_exit(LOCAL_TIMER);
}

SEC("tp_btf/reschedule_entry")
int reschedule_entry(void *ctx)
{
	return vector_entry(RESCHEDULE);
}

SEC("tp_btf/reschedule_exit")
int reschedule_exit(void *ctx)
{
	return vector_exit(RESCHEDULE);
}

SEC("tp_btf/call_function_entry")
int call_function_entry(void *ctx)
{
	return vector_entry(CALL_FUNCTION);
}

SEC("tp_btf/call_function_exit")
int call_function_exit(void *ctx)
{
	return vector_exit(CALL_FUNCTION);
}

SEC("tp_btf/call_function_single_entry")
int call_function_single_entry(void *ctx)
{
	return vector_entry(CALL_FUNCTION_SINGLE);
}

SEC("tp_btf/call_function_single_exit")
int call_function_single_exit(void *ctx)
{
	return vector_exit(CALL_FUNCTION_SINGLE);
}

SEC("tp_btf/irq_work_entry")
int irq_work_entry(void *ctx)
{
	return vector_entry(IRQ_WORK);
}

SEC("tp_btf/irq_work_exit")
int irq_work_exit(void *ctx)
{
	return vector_exit(IRQ_WORK);
}

SEC("tp_btf/x86_platform_ipi_entry")
int x86_platform_ipi_entry(void *ctx)
{
	return vector_entry(X86_PLATFORM_IPI);
}

SEC("tp_btf/x86_platform_ipi_exit")
int x86_platform_ipi_exit(void *ctx)
{
	return vector_exit(X86_PLATFORM_IPI);
}

SEC("tp_btf/spurious_apic_entry")
int spurious_apic_entry(void *ctx)
{
	return vector_entry(SPURIOUS_APIC);
}

SEC("tp_btf/spurious_apic_exit")
int spurious_apic_exit(void *ctx)
{
	return vector_exit(SPURIOUS_APIC);
}

SEC("tp_btf/error_apic_entry")
int error_apic_entry(void *ctx)
{
	return vector_entry(ERROR_APIC);
}

SEC("tp_btf/error_apic_exit")
int error_apic_exit(void *ctx)
{
	return vector_exit(ERROR_APIC);
}

SEC("tp_btf/thermal_apic_entry")
int thermal_apic_entry(void *ctx)
{
	return vector_entry(THERMAL_APIC);
}

SEC("tp_btf/thermal_apic_exit")
int thermal_apic_exit(void *ctx)
{
	return vector_exit(THERMAL_APIC);
}

SEC("tp_btf/threshold_apic_entry")
int threshold_apic_entry(void *ctx)
{
	return vector_entry(THRESHOLD_APIC);
}

SEC("tp_btf/threshold_apic_exit")
int threshold_apic_exit(void *ctx)
{
	return vector_exit(THRESHOLD_APIC);
}

SEC("tp_btf/deferred_error_apic_entry")
int deferred_error_apic_entry(void *ctx)
{
	return vector_entry(DEFERRED_ERROR_APIC);
}

SEC("tp_btf/deferred_error_apic_exit")
int deferred_error_apic_exit(void *ctx)
{
	return vector_exit(DEFERRED_ERROR_APIC);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
