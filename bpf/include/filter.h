/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * --pid, --cgroup, --comm and --user, decided in the kernel before any other work. The filter is
 * constant, so a filter that is not set costs nothing: the verifier removes the code.
 */
#ifndef EF_FILTER_H
#define EF_FILTER_H

#include "kernel.h"
#include "renames.h"
#include "task.h"

#define FILTER_MAX_PIDS 32
#define FILTER_MAX_USERS 32
#define FILTER_MAX_COMMS 16
/* Deeper cgroups than this do not exist: the kernel's own limit is a path of PATH_MAX. */
#define FILTER_MAX_LEVEL 64

/* Names that are equal in the bits of a mask: one name, or all that begin alike. */
struct comm_rule {
	u64 name[2];
	u64 mask[2];
	u32 excluded;
	u32 unused;
};

struct user_rule {
	u32 uid;
	u32 excluded;
};

/* Set by common/src/owner/filter.rs. What is excluded stands first. */
struct filter {
	u64 cgroup_id; /* 0: any */
	struct comm_rule comm[FILTER_MAX_COMMS];
	struct user_rule user[FILTER_MAX_USERS];
	u32 pid[FILTER_MAX_PIDS];
	u32 pids;        /* how many of pid[] are set; 0: any */
	u32 comms;       /* the same of comm[] */
	u32 users;       /* the same of user[] */
	u32 other_comms; /* whether names in none of them pass */
	u32 other_users;
	u32 unused;
};

const volatile struct filter filter = {};

/* The cgroup of --cgroup, for the helper that asks whether the running task is in it or below. */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} filter_cgroup SEC(".maps");

static __always_inline bool filter_is_set(void)
{
	return filter.pids || filter.cgroup_id || filter.comms || filter.users;
}

/* Call only if filter.pids is set: reading the pid may cost more than the rest of the program. */
static __always_inline bool filter_pid(u32 pid)
{
	for (u32 i = 0; i < FILTER_MAX_PIDS && i < filter.pids; i++)
		if (filter.pid[i] == pid)
			return true;
	return false;
}

/* Call only if filter.users is set. */
static __always_inline bool filter_user(u32 uid)
{
	for (u32 i = 0; i < FILTER_MAX_USERS && i < filter.users; i++)
		if (filter.user[i].uid == uid)
			return !filter.user[i].excluded;
	return filter.other_users;
}

/* A name as two words, with zeros after its end. Call only if filter.comms is set. */
static __always_inline bool filter_comm(u64 *name)
{
	for (u32 i = 0; i < FILTER_MAX_COMMS && i < filter.comms; i++)
		if (!((name[0] ^ filter.comm[i].name[0]) & filter.comm[i].mask[0]) &&
		    !((name[1] ^ filter.comm[i].name[1]) & filter.comm[i].mask[1]))
			return !filter.comm[i].excluded;
	return filter.other_comms;
}

/* Whether the task, running or not, is in the cgroup of --cgroup or below it. */
static __always_inline bool filter_task_cgroup(struct task_struct *task)
{
	struct cgroup *cgroup;
	int level;

	if (!filter.cgroup_id)
		return true;
	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	level = BPF_CORE_READ(cgroup, level);
	for (int i = 0; i < FILTER_MAX_LEVEL && i <= level; i++)
		if (cgroup_ancestor_id(cgroup, i) == filter.cgroup_id)
			return true;
	return false;
}

/* Whether anything but the cgroup decides. */
static __always_inline bool filter_asks_who(void)
{
	return filter.pids || filter.comms || filter.users;
}

/* Whether a task, running or not, passes by its name and its user. */
static __always_inline bool filter_name_and_user(struct task_struct *task, bool typed)
{
	u64 name[2] = {};

	if (filter.users && !filter_user(user_of_task(task, typed)))
		return false;
	if (!filter.comms)
		return true;
	name_words(name, task, typed);
	return filter_comm(name);
}

/* Whether a task, running or not, passes by all but its cgroup. */
static __always_inline bool filter_who(struct task_struct *task, bool typed)
{
	if (filter.pids && !filter_pid(process_of(task, typed)))
		return false;
	return filter_name_and_user(task, typed);
}

static __always_inline bool filter_task(struct task_struct *task, bool typed)
{
	return filter_who(task, typed) && filter_task_cgroup(task);
}

/* Whether the running task passes by its process and its cgroup. */
static __always_inline bool filter_current_process(void)
{
	if (filter.cgroup_id && bpf_current_task_under_cgroup(&filter_cgroup, 0) != 1)
		return false;
	return !filter.pids || filter_pid(bpf_get_current_pid_tgid() >> 32);
}

/* Whether the running task passes the filter. */
static __always_inline bool filter_current(void)
{
	if (!filter_current_process())
		return false;
	if (!filter.comms && !filter.users)
		return true;
	/* Both are read directly: the helpers for them take longer than what a tool counts. */
	return task_is_typed() ? filter_name_and_user(bpf_get_current_task_btf(), true)
			       : filter_name_and_user((void *)bpf_get_current_task(), false);
}

#endif
