/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Attribution (--by): totals per process, thread, parent, command or cgroup. Owners come and go, so
 * there are two banks: programs fill one while user space, which flips them at each interval, reads
 * and empties the other (common/src/measure/per_owner.rs). If there is no room for another owner,
 * that is counted.
 *
 * A tool defines OWNED, the struct of an owner's totals, and a counter LOST before including this.
 */
#ifndef EF_OWNER_H
#define EF_OWNER_H

#include "counters.h"
#include "new_cgroups.h"

/* By whom the totals are kept. User space groups processes into apps. */
/* BY_OWNER: by the memory cgroup that memory is charged to, whichever task runs. */
enum by { BY_SYSTEM, BY_PROCESS, BY_COMM, BY_CGROUP, BY_THREAD, BY_PARENT, BY_APP, BY_OWNER };

const volatile u32 by = BY_SYSTEM;

/* The bank being filled. Written by user space. */
u32 owned_bank = 0;

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

struct owned {
	OWNED total;
	struct names names;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	/* Set before loading, to --map-size. */
	__uint(max_entries, 1);
	__type(key, struct owner);
	__type(value, struct owned);
} owned_0 SEC(".maps"), owned_1 SEC(".maps");

/*
 * Entries of the banks are allocated as owners come. Where interrupts are off the kernel has only
 * few in store (prefill_mem_cache of kernel/bpf/memalloc.c: one or two of some KB), and a disk may
 * end the requests of more owners in one interrupt. For them there are entries allocated before, of
 * each bank.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	/* Set before loading, where the banks are not allocated before. */
	__uint(max_entries, 1);
	__type(key, struct owner);
	__type(value, struct owned);
} spare_0 SEC(".maps"), spare_1 SEC(".maps");

/* The initial value of an owner. */
const struct owned owned_nothing = {};

enum bpf_func_id___owner {
	BPF_FUNC_get_current_task_btf___owner = 158,
};

/* Whether the pointer to the running task can be dereferenced directly (5.11): a kernel that is
 * locked down allows no other read. */
static __always_inline bool task_is_typed(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id___owner,
					  BPF_FUNC_get_current_task_btf___owner);
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

/* include/uapi/asm-generic/errno-base.h */
#define E2BIG 7

/* The entry of an owner in a map, created if it is not there; NULL if that failed: `error`. Of what
 * the kernel returns only 32 bits are good before Linux 6.4: it calls a function that returns int.
 */
static __always_inline struct owned *owned_in(void *map, struct owner *owner, int *error)
{
	struct owned *found = bpf_map_lookup_elem(map, owner);

	if (found)
		return found;
	/* Another processor may be quicker: then it is there all the same. */
	*error = bpf_map_update_elem(map, owner, &owned_nothing, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, owner);
}

/* The same in a bank, or in its spare entries if it failed for another reason than that the bank is
 * full; NULL, counted, if there is no room. */
static __always_inline struct owned *owned_in_bank(void *bank, void *spare, struct owner *owner)
{
	int error = 0;
	struct owned *found = owned_in(bank, owner, &error);

	if (!found && error != -E2BIG)
		found = owned_in(spare, owner, &error);
	if (!found)
		count(LOST, 1);
	return found;
}

/* The same in the bank that is being filled. */
static __always_inline struct owned *owned_by(struct owner *owner)
{
	if (*(volatile u32 *)&owned_bank)
		return owned_in_bank(&owned_1, &spare_1, owner);
	return owned_in_bank(&owned_0, &spare_0, owner);
}

/* The totals of the running task's owner under this key. Not to be called with BY_SYSTEM. */
static __always_inline OWNED *owned_by_current(u64 key)
{
	struct owner owner = {.key = key};
	struct owned *owned;

	owner_of_current(&owner);
	owned = owned_by(&owner);
	if (!owned)
		return NULL;
	if (has_names() && !owned->names.comm[0])
		names_of_current(&owned->names);
	return &owned->total;
}

/* The totals of a cgroup. */
static __always_inline OWNED *owned_by_cgroup(u64 key, u64 id)
{
	struct owner owner = {.id = {id}, .key = key};
	struct owned *owned = owned_by(&owner);

	return owned ? &owned->total : NULL;
}

/* The same for another task. */
static __always_inline OWNED *owned_by_task(u64 key, struct task_struct *task, bool typed)
{
	struct owner owner = {.key = key};
	struct owned *owned;

	owner_of(&owner, task, typed);
	owned = owned_by(&owner);
	if (!owned)
		return NULL;
	if (has_names() && !owned->names.comm[0])
		names_of(&owned->names, task, typed);
	return &owned->total;
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

/* The owner's totals under this key. */
static __always_inline OWNED *owned_by_named(struct named_owner *who, u64 key)
{
	struct owner owner = who->owner;
	struct owned *owned;

	owner.key = key;
	owned = owned_by(&owner);
	if (!owned)
		return NULL;
	if (has_names() && !owned->names.comm[0])
		owned->names = who->names;
	return &owned->total;
}

#endif
