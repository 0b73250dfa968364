/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Soft interrupts on real-time kernels (CONFIG_PREEMPT_RT): tasks serve them, with interrupts and
 * preemption on. From 6.18 on (CONFIG_PREEMPT_RT_NEEDS_BH_LOCK) another task may serve some on the
 * same processor meanwhile, of the same kind too, and of two that began one after the other either
 * may end first. A task serves one at a time, and stays on its processor until it has done so. So
 * a handler belongs to its task, and its time passes while that task runs.
 *
 * Neither soft_entry nor soft_exit runs twice at once on a processor (the kernel skips the program,
 * and counts that); they may preempt each other. task_switch may come between any two of their
 * instructions, and runs with interrupts off.
 */
#ifndef EF_IRQLAT_TASKS_H
#define EF_IRQLAT_TASKS_H

/* Set before loading. On other kernels the verifier removes what depends on it. */
const volatile bool real_time = false;

/* So many tasks of a processor may be serving soft interrupts at the same time. */
#define SERVING 16
/* How often times are read until no task and no interrupt came between. */
#define READS 4

/* A handler of a task's. */
struct served {
	u64 task;           /* 0: none */
	struct frame frame; /* from when the task last began to run */
	u64 own_ns;         /* before that */
};

/* A processor's. */
struct serving {
	u64 open;     /* how many there are */
	u64 switches; /* of tasks */
	struct served by[SERVING];
} __attribute__((aligned(CACHE_LINE)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	/* Set to the number of possible processors before loading, if the kernel is a real-time
	 * one. */
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct serving);
} serving_tasks SEC(".maps");

static __always_inline u64 switches_of(struct serving *serving)
{
	return *(volatile u64 *)&serving->switches;
}

/* The time of a handler, whose task is running. */
static __always_inline u64 own_time(const struct served *served, u64 now, u64 spent_ns)
{
	return served->own_ns + now - served->frame.start_ns - (spent_ns - served->frame.spent_ns);
}

/* Where the running task's handler is; NULL if there is none. */
static __always_inline struct served *served_by(struct serving *serving, u64 task)
{
	for (int i = 0; i < SERVING; i++)
		if (serving->by[i].task == task)
			return &serving->by[i];
	return NULL;
}

/* As begin(), in the running task. */
static __always_inline u64 begin_in_task(struct processor *processor, u32 cpu, u64 what)
{
	struct serving *serving = bpf_map_lookup_elem(&serving_tasks, &cpu);
	u64 task = bpf_get_current_task(), now = bpf_ktime_get_ns(), switches;
	struct served *served;

	if (!serving)
		return now;
	/* Its own, if the kernel skipped the program at the end of what it served before. */
	served = served_by(serving, task);
	if (!served) {
		served = served_by(serving, 0);
		if (!served) {
			count(LOST, 1);
			return now;
		}
		__sync_fetch_and_add(&serving->open, 1);
	}
	for (int i = 0; i < READS; i++) {
		switches = switches_of(serving);
		served->own_ns = 0;
		served->frame.what = what;
		now = clock(processor, SOFT, &served->frame.spent_ns);
		served->frame.start_ns = now;
		barrier();
		/* From here on task_switch knows of it. */
		served->task = task;
		barrier();
		if (switches_of(serving) == switches)
			break;
	}
	return now;
}

/* As end(), in the running task. */
static __always_inline bool end_in_task(struct processor *processor, u32 cpu, u64 what, u64 *own_ns)
{
	struct serving *serving = bpf_map_lookup_elem(&serving_tasks, &cpu);
	struct served *served;
	u64 now, spent_ns, switches;
	bool begun;

	if (!serving)
		return false;
	served = served_by(serving, bpf_get_current_task());
	if (!served)
		return false;
	begun = served->frame.what == what;
	for (int i = 0; i < READS; i++) {
		switches = switches_of(serving);
		barrier();
		now = clock(processor, SOFT, &spent_ns);
		*own_ns = own_time(served, now, spent_ns);
		barrier();
		if (switches_of(serving) == switches)
			break;
	}
	served->task = 0;
	barrier();
	__sync_fetch_and_add(&serving->open, -1);
	return begun;
}

/* Another task runs on the processor from now on. */
static __always_inline void switch_tasks(struct processor *processor, u32 cpu, u64 before,
					 u64 after)
{
	struct serving *serving = bpf_map_lookup_elem(&serving_tasks, &cpu);
	u64 now, spent_ns;

	if (!serving)
		return;
	serving->switches++;
	if (!serving->open)
		return;
	/* No interrupt can come between. */
	now = clock(processor, HARD, &spent_ns);
	for (int i = 0; i < SERVING; i++) {
		struct served *served = &serving->by[i];

		if (served->task == before) {
			served->own_ns = own_time(served, now, spent_ns);
		} else if (served->task == after) {
			served->frame.start_ns = now;
			served->frame.spent_ns = spent_ns;
		}
	}
}

#endif
