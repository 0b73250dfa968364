/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * How long do tasks wait for something else than a processor: for a disk, a lock, a packet, a
 * timer, until they run again? What preempted tasks wait is what runqlat counts.
 */
#include "sched.bpf.h"

#define MAX_BUCKET 36

struct key {
	char command[COMM_LEN];
	u64 bucket;
};

COUNTS(off_cpu_seconds, HASH, struct key, 65536);
/* Since when each task is off. */
COUNTS(off_since, HASH, u32, 65536);

SEC("tp_btf/sched_switch")
int BPF_PROG(switched, bool preempted, struct task_struct *prev, struct task_struct *next)
{
	u64 now = bpf_ktime_get_ns(), state = state_of(prev), *since;
	u32 off = prev->pid, on = next->pid;
	struct key key = {};

	/* Process 0 of each processor is what runs when nothing else does. */
	if (off && !preempted && state && !(state & TASK_DEAD))
		bpf_map_update_elem(&off_since, &off, &now, BPF_ANY);
	since = on ? bpf_map_lookup_elem(&off_since, &on) : 0;
	if (!since)
		return 0;
	bpf_probe_read_kernel_str(key.command, sizeof(key.command), next->comm);
	/* In microseconds. */
	observe_exp2(&off_cpu_seconds, &key, (now - *since) / 1000, MAX_BUCKET);
	bpf_map_delete_elem(&off_since, &on);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
