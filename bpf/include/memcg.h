/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Memory cgroups: of a task, and of a page. */
#ifndef EF_MEMCG_H
#define EF_MEMCG_H

#include "kernel.h"
#include "renames.h"

/* The id of the root of a hierarchy (kernfs). */
#define ROOT_CGROUP_ID 1

static __always_inline struct mem_cgroup *memcg_of(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup_subsys_state *css = NULL;
	u32 memory;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return NULL;
	memory = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	bpf_probe_read_kernel(&css, sizeof(css), &set->subsys[memory]);
	return css ? (void *)css - bpf_core_field_offset(struct mem_cgroup, css) : NULL;
}

/* The id of its cgroup; without one, that of the root: memory that is charged to none. */
static __always_inline u64 memcg_id(struct mem_cgroup *memcg)
{
	return memcg ? BPF_CORE_READ(memcg, css.cgroup, kn, id) : ROOT_CGROUP_ID;
}

#endif
