/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* A cgroup as it is created: what its path is made of, for user space has the paths of those above
 * it. */
#ifndef EF_NEW_CGROUP_H
#define EF_NEW_CGROUP_H

#include "kernel.h"
#include "renames.h"

/* NAME_MAX of include/uapi/linux/limits.h, and a NUL. */
#define CGROUP_NAME_LEN 256

struct new_cgroup {
	u64 id;
	u64 parent;
	char name[CGROUP_NAME_LEN];
};

static __always_inline void describe_cgroup(struct new_cgroup *entry, struct kernfs_node *node)
{
	entry->id = node->id;
	entry->parent = BPF_CORE_READ(kernfs_parent(node), id);
	bpf_probe_read_kernel_str(entry->name, sizeof(entry->name), BPF_CORE_READ(node, name));
}

#endif
