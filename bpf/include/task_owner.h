/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Whose work a task's is (--by): a process, thread, parent, command or cgroup. */
#ifndef EF_TASK_OWNER_H
#define EF_TASK_OWNER_H

#include "new_cgroups.h"
#include "task.h"

/* By whom the totals are kept. User space groups processes into apps. */
/* BY_OWNER: by the memory cgroup that memory is charged to, whichever task runs. */
enum by { BY_SYSTEM, BY_PROCESS, BY_COMM, BY_CGROUP, BY_THREAD, BY_PARENT, BY_APP, BY_OWNER };

const volatile u32 by = BY_SYSTEM;

struct owner {
	/* A process, thread, parent or cgroup: its id. A command: its name, which fills both. */
	u64 id[2];
	/* What the owner did: a number that the tool defines. */
	u64 key;
};

/* Taken when an owner is first seen: it may have exited when it is reported. */
struct names {
	/* Of a process, thread or parent. */
	char comm[TASK_COMM_LEN];
	/* Of a thread: its process. Of a process whose group is asked for: its parent. */
	u32 pid;
	u32 unused;
};

/* Whether the names are not part of the key. */
static __always_inline bool has_names(void)
{
	return by != BY_COMM && by != BY_CGROUP && by != BY_OWNER;
}

/* The names of a task's owner. `typed`: its pointer may be followed. */
static __always_inline void names_of(struct names *names, struct task_struct *task, bool typed)
{
	if (by == BY_THREAD) {
		thread_name(names->comm, task, typed);
		names->pid = process_of(task, typed);
		return;
	}
	if (by == BY_APP)
		names->pid = process_of(parent_of(task, typed), typed);
	process_name(names->comm, by == BY_PARENT ? parent_of(task, typed) : task, typed);
}

static __always_inline void names_of_current(struct names *names)
{
	if (task_is_typed())
		names_of(names, bpf_get_current_task_btf(), true);
	else
		names_of(names, (void *)bpf_get_current_task(), false);
}

/* Which owner a task belongs to. */
static __always_inline void owner_of(struct owner *owner, struct task_struct *task, bool typed)
{
	if (by == BY_COMM)
		thread_name((void *)owner->id, task, typed);
	else if (by == BY_CGROUP)
		owner->id[0] = typed ? task->cgroups->dfl_cgrp->kn->id
				     : BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	else if (by == BY_THREAD)
		owner->id[0] = typed ? task->pid : BPF_CORE_READ(task, pid);
	else if (by == BY_PARENT)
		owner->id[0] = process_of(parent_of(task, typed), typed);
	else
		owner->id[0] = process_of(task, typed);
}

static __always_inline void owner_of_current(struct owner *owner)
{
	if (by == BY_COMM)
		bpf_get_current_comm(&owner->id, sizeof(owner->id));
	else if (by == BY_CGROUP)
		owner->id[0] = bpf_get_current_cgroup_id();
	else if (by == BY_THREAD)
		owner->id[0] = (u32)bpf_get_current_pid_tgid();
	else if (by != BY_PARENT)
		owner->id[0] = bpf_get_current_pid_tgid() >> 32;
	else if (task_is_typed())
		owner_of(owner, bpf_get_current_task_btf(), true);
	else
		owner_of(owner, (void *)bpf_get_current_task(), false);
}

/* An owner that is reported, or kept until it is known what it did. */
struct named_owner {
	struct owner owner;
	struct names names;
};

static __always_inline void named_owner_of_current(struct named_owner *who)
{
	owner_of_current(&who->owner);
	if (has_names())
		names_of_current(&who->names);
}

/* `typed` as for names_of(). */
static __always_inline void named_owner_of(struct named_owner *who, struct task_struct *task,
					   bool typed)
{
	owner_of(&who->owner, task, typed);
	if (has_names())
		names_of(&who->names, task, typed);
}

#endif
