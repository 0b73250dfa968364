/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The process ids of the reader's PID namespace and those of the kernel (the initial namespace),
 * for --pid within a namespace. The iterator visits the tasks of the reader's namespace and of
 * those below it.
 */
#include "kernel.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct upid {
	int nr;
	void *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct task_struct___numbered {
	struct pid *thread_pid;
};

#pragma clang attribute pop

struct numbers {
	u32 own;    /* in the reader's namespace */
	u32 kernel; /* in the initial one */
};

const struct numbers *unused_numbers __attribute__((unused));

SEC("iter/task")
int list_numbers(struct bpf_iter__task *ctx)
{
	struct task_struct___numbered *reader = (void *)bpf_get_current_task();
	struct task_struct *task = ctx->task;
	struct numbers numbers = {};
	struct pid *pid;
	u32 level;

	if (!task || task->pid != task->tgid)
		return 0;
	level = BPF_CORE_READ(reader, thread_pid, level);
	pid = BPF_CORE_READ((struct task_struct___numbered *)task, thread_pid);
	/* Types have one entry or none: there is one for each level of namespaces. */
	bpf_probe_read_kernel(&numbers.own, sizeof(numbers.own),
			      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				  level * bpf_core_type_size(struct upid) +
				  bpf_core_field_offset(struct upid, nr));
	numbers.kernel = task->tgid;
	bpf_seq_write(ctx->meta->seq, &numbers, sizeof(numbers));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
