/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The tool has no programs of its own but these, for the decoder `cgroup` and for cgroup_id_map:
 * cgroups as they come and go, so that one that lives for less than an interval has a path, and
 * programs know of it as soon as user space has been woken.
 */
#include "new_cgroup.h"

struct cgroup_change {
	/* Whether it was removed: then it has an id alone. */
	u64 removed;
	struct new_cgroup cgroup;
};

const struct cgroup_change *unused_cgroup_change __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 19);
} cgroup_changes SEC(".maps");

/* How many found no room. */
u64 changes_missed = 0;

static __always_inline int changed(struct cgroup *cgroup, bool removed)
{
	struct cgroup_change *change;

	/* Those of v1 have ids of their own. */
	if (cgroup->root->hierarchy_id)
		return 0;
	change = bpf_ringbuf_reserve(&cgroup_changes, sizeof(*change), 0);
	if (!change) {
		__sync_fetch_and_add(&changes_missed, 1);
		return 0;
	}
	change->removed = removed;
	describe_cgroup(&change->cgroup, cgroup->kn);
	bpf_ringbuf_submit(change, 0);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(comes, struct cgroup *cgroup)
{
	return changed(cgroup, false);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(goes, struct cgroup *cgroup)
{
	return changed(cgroup, true);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
