/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* How long do tasks wait for a processor, from when they may run until they do? */
#include "sched.bpf.h"

#define MAX_BUCKET 26

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

SEC("tp_btf/sched_switch")
int BPF_PROG(switched, bool preempted, struct task_struct *prev, struct task_struct *next)
{
	struct key key = {};
	u32 pid = next->pid;
	u64 *since;

	/* Process 0 of each processor is what runs when nothing else does. */
	if (prev->pid && (preempted || !state_of(prev)))
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
