/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* How long do tasks wait for a processor, from when they may run until they do? */
#include "mapstat.bpf.h"

#define MAX_BUCKET 26

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
	int pid;
	unsigned int __state;
	char comm[COMM_LEN];
};

/* Before Linux 5.14: kernel commit 2f064a59a11f ("sched: Change task_struct::state"). */
struct task_struct___old {
	long state;
};

#pragma clang attribute pop

struct key {
	char command[COMM_LEN];
	u64 bucket;
};

COUNTS(run_queue_wait_seconds, HASH, struct key, 65536);
/* Since when each task waits. */
COUNTS(waits_since, HASH, u32, 65536);

static __always_inline void begins(struct task_struct *task)
{
	u64 now = bpf_ktime_get_ns();
	u32 pid = task->pid;

	bpf_map_update_elem(&waits_since, &pid, &now, BPF_ANY);
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(woken, struct task_struct *task)
{
	begins(task);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(woken_new, struct task_struct *task)
{
	begins(task);
	return 0;
}

static __always_inline bool may_run(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return !task->__state;
	return !((struct task_struct___old *)task)->state;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switched, bool preempted, struct task_struct *prev, struct task_struct *next)
{
	struct key key = {};
	u32 pid = next->pid;
	u64 *since;

	/* Process 0 of each processor is what runs when nothing else does. */
	if (prev->pid && (preempted || may_run(prev)))
		begins(prev);
	since = pid ? bpf_map_lookup_elem(&waits_since, &pid) : 0;
	if (!since)
		return 0;
	bpf_probe_read_kernel_str(key.command, sizeof(key.command), next->comm);
	/* In microseconds. */
	observe_exp2(&run_queue_wait_seconds, &key, (bpf_ktime_get_ns() - *since) / 1000,
		     MAX_BUCKET);
	bpf_map_delete_elem(&waits_since, &pid);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
