/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Cgroups as they are created, for --by cgroup: the path of one that is removed before user space
 * looks can be found in no other way. A ring keeps the newest; user space reads it at each interval
 * (common/src/owner/new_cgroups.rs).
 */
#ifndef EF_NEW_CGROUPS_H
#define EF_NEW_CGROUPS_H

#include "new_cgroup.h"

/* A power of two. */
#define NEW_CGROUPS 4096
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NEW_CGROUPS);
	__type(key, u32);
	__type(value, struct new_cgroup);
} new_cgroups SEC(".maps");

/* Whose: that of v2, or for --by owner that of v1 in which memory is charged. */
const volatile int new_cgroups_hierarchy = 0;

/* How many were created. The kernel creates one at a time (cgroup_mutex). */
u64 cgroups_created = 0;

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_created, struct cgroup *cgroup)
{
	u32 place = cgroups_created & (NEW_CGROUPS - 1);
	struct new_cgroup *entry;

	/* Each hierarchy has ids of its own. */
	if (cgroup->root->hierarchy_id != new_cgroups_hierarchy)
		return 0;
	entry = bpf_map_lookup_elem(&new_cgroups, &place);
	if (!entry)
		return 0;
	describe_cgroup(entry, cgroup->kn);
	cgroups_created++;
	return 0;
}

#endif
