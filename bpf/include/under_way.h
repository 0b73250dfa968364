/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The call that a thread has in progress: one at most.
 *
 * A tool defines `struct start` before including this: what is kept of a call, first its time, `u64
 * ts_ns`, which is 0 if none is in progress. User space creates one of the two maps, and sets
 * `task_storage` accordingly.
 */
#ifndef EF_UNDER_WAY_H
#define EF_UNDER_WAY_H

#include "kernel.h"

/* Calls in progress at once, without task storage. */
#define MAX_UNDER_WAY 8192

/* Whether the call in progress is in task storage (Linux 5.13), else in a hash map. */
const volatile bool task_storage = false;

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct start);
} under_way_in_task SEC(".maps");

/* The same by thread, without task storage; slower. Not an LRU map, which would evict a call that
 * waits long without counting the loss. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_UNDER_WAY);
	__type(key, u32);
	__type(value, struct start);
} under_way SEC(".maps");

static __always_inline struct start *find_start(void)
{
	u32 tid;

	if (task_storage)
		return bpf_task_storage_get(&under_way_in_task, bpf_get_current_task_btf(), NULL,
					    0);
	tid = bpf_get_current_pid_tgid();
	return bpf_map_lookup_elem(&under_way, &tid);
}

/* False if there is no room. */
static __always_inline bool keep_start(struct start *start)
{
	struct start *kept;
	u32 tid;

	if (task_storage) {
		kept = bpf_task_storage_get(&under_way_in_task, bpf_get_current_task_btf(), NULL,
					    BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (!kept)
			return false;
		*kept = *start;
		/* Finding room may have taken time. */
		kept->ts_ns = bpf_ktime_get_ns();
		return true;
	}
	tid = bpf_get_current_pid_tgid();
	start->ts_ns = bpf_ktime_get_ns();
	return !bpf_map_update_elem(&under_way, &tid, start, BPF_ANY);
}

/* Task storage is freed with the task; in the hash map a thread has an entry only while it needs
 * one. */
static __always_inline void end_start(struct start *start)
{
	u32 tid;

	if (task_storage) {
		start->ts_ns = 0;
		return;
	}
	tid = bpf_get_current_pid_tgid();
	bpf_map_delete_elem(&under_way, &tid);
}

#endif
