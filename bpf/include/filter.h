/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * --pid and --cgroup, decided in the kernel before any other work. The filter is constant, so a
 * filter that is not set costs nothing: the verifier removes the code.
 */
#ifndef EF_FILTER_H
#define EF_FILTER_H

#include "kernel.h"
#include "renames.h"

#define FILTER_MAX_PIDS 32
/* Deeper cgroups than this do not exist: the kernel's own limit is a path of PATH_MAX. */
#define FILTER_MAX_LEVEL 64

struct filter {
	u64 cgroup_id; /* 0: any */
	u32 pids;      /* how many of pid[] are set; 0: any */
	u32 pid[FILTER_MAX_PIDS];
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
	return filter.pids || filter.cgroup_id;
}

/* Call only if filter.pids is set: reading the pid may cost more than the rest of the program. */
static __always_inline bool filter_pid(u32 pid)
{
	for (u32 i = 0; i < FILTER_MAX_PIDS && i < filter.pids; i++)
		if (filter.pid[i] == pid)
			return true;
	return false;
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

/* Whether the running task passes the filter. */
static __always_inline bool filter_current(void)
{
	if (filter.cgroup_id && bpf_current_task_under_cgroup(&filter_cgroup, 0) != 1)
		return false;
	return !filter.pids || filter_pid(bpf_get_current_pid_tgid() >> 32);
}

#endif
