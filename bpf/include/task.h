/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* What is read of a task, running or not. `typed`: its pointer may be followed. */
#ifndef EF_TASK_H
#define EF_TASK_H

#include "kernel.h"

enum bpf_func_id___task {
	BPF_FUNC_get_current_task_btf___task = 158,
};

/* Whether the pointer to the running task can be dereferenced directly (5.11): a kernel that is
 * locked down allows no other read. */
static __always_inline bool task_is_typed(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id___task,
					  BPF_FUNC_get_current_task_btf___task);
}

static __always_inline struct task_struct *parent_of(struct task_struct *task, bool typed)
{
	return typed ? task->real_parent : BPF_CORE_READ(task, real_parent);
}

static __always_inline u32 process_of(struct task_struct *task, bool typed)
{
	return typed ? task->tgid : BPF_CORE_READ(task, tgid);
}

static __always_inline void thread_name(char *name, struct task_struct *task, bool typed)
{
	if (typed)
		for (int i = 0; i < TASK_COMM_LEN; i++)
			name[i] = task->comm[i];
	else
		bpf_core_read(name, TASK_COMM_LEN, &task->comm);
}

/* The name of a process: that of its first thread. */
static __always_inline void process_name(char *name, struct task_struct *task, bool typed)
{
	thread_name(name, typed ? task->group_leader : BPF_CORE_READ(task, group_leader), typed);
}

/* The real user, of the initial namespace: the task's own, also while the kernel lends it the
 * rights of another, as an overlay file system does (override_creds()). */
static __always_inline u32 user_of_task(struct task_struct *task, bool typed)
{
	return typed ? task->real_cred->uid.val : BPF_CORE_READ(task, real_cred, uid.val);
}

/* What stands after the end of a name, as two words: before 5.17 the kernel leaves there what a
 * longer name had (06c5088aeedd, "fs/exec: replace strlcpy with strscpy_pad in __set_task_comm").
 */
static __always_inline void clear_after_end(u64 *name)
{
	for (int i = 0; i < 2; i++) {
		/* The lowest bit is that of the first byte that is 0. */
		u64 ends = (name[i] - 0x0101010101010101) & ~name[i] & 0x8080808080808080;

		if (!ends)
			continue;
		name[i] &= ((ends & -ends) >> 7) - 1;
		if (!i)
			name[1] = 0;
		break;
	}
}

/* The name of a task as two words, with zeros after its end. */
static __always_inline void name_words(u64 *name, struct task_struct *task, bool typed)
{
	u64 *words = (void *)&task->comm;

	if (typed) {
		name[0] = words[0];
		name[1] = words[1];
	} else {
		bpf_core_read(name, TASK_COMM_LEN, &task->comm);
	}
	clear_after_end(name);
}

#endif
