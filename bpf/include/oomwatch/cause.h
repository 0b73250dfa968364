/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Why there is to be a kill: which memory is short, as the function that kills was told, or as it
 * shows in the memory cgroups of the task that asked for memory. All of it under the kernel's
 * oom_lock: one at a time.
 */
#ifndef EF_CAUSE_H
#define EF_CAUSE_H

#include "kernel.h"

/* Beside those of enum oom_constraint, whose numbers are the same everywhere. */
#define SCOPE_UNKNOWN 4
/* Deeper memory cgroups are not looked at. */
#define CAUSE_MAX_DEPTH 64
/* A memory cgroup that has less room than this many pages stands at its limit: it would not be
 * asked to kill while it had room for the allocation that failed, and larger ones are no cause for
 * a kill (mem_cgroup_out_of_memory of mm/memcontrol.c, PAGE_ALLOC_COSTLY_ORDER). */
#define AT_LIMIT_PAGES 8

struct cause {
	/* The task that asked for memory, and that kills for it. */
	u64 killer;
	u64 memcg;
	u64 limit_pages;
	u64 usage_pages;
	u32 scope;
};

/* As told by the function that kills. */
struct cause told = {};

/* Whether the machine has one memory node: then neither cpusets nor memory policies can make memory
 * short. */
const volatile bool one_node = false;

static __always_inline void cause_memcg(struct cause *cause, struct mem_cgroup *memcg)
{
	cause->memcg = (u64)memcg;
	cause->limit_pages = BPF_CORE_READ(memcg, memory.max);
	cause->usage_pages = BPF_CORE_READ(memcg, memory.usage.counter);
}

static __always_inline int cause_told(struct oom_control *oc)
{
	struct mem_cgroup *memcg = BPF_CORE_READ(oc, memcg);

	told.killer = bpf_get_current_task();
	told.scope = BPF_CORE_READ(oc, constraint);
	told.memcg = 0;
	if (memcg)
		cause_memcg(&told, memcg);
	return 0;
}

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

static __always_inline struct mem_cgroup *memcg_parent(struct mem_cgroup *memcg)
{
	struct page_counter *parent = BPF_CORE_READ(memcg, memory.parent);

	return parent ? (void *)parent - bpf_core_field_offset(struct mem_cgroup, memory) : NULL;
}

/*
 * The memory cgroup for whose limit the running task kills: the lowest above it that stands at its
 * limit, which is where charging fails. Kernels with the first version of memory cgroups mark it
 * and all below it meanwhile (oom_lock): there others cannot be mistaken for it, and it is known
 * even if memory has become free since.
 */
static __always_inline struct mem_cgroup *memcg_at_limit(void)
{
	struct mem_cgroup *memcg = memcg_of((void *)bpf_get_current_task());
	struct mem_cgroup *marked = NULL;

	for (int step = 0; step < CAUSE_MAX_DEPTH && memcg; step++) {
		u64 limit = BPF_CORE_READ(memcg, memory.max);
		u64 usage = BPF_CORE_READ(memcg, memory.usage.counter);
		bool at_limit = usage + AT_LIMIT_PAGES > limit;

		if (bpf_core_field_exists(memcg->oom_lock)) {
			if (!BPF_CORE_READ(memcg, oom_lock))
				break;
			marked = memcg;
		}
		if (at_limit)
			return memcg;
		memcg = memcg_parent(memcg);
	}
	return marked;
}

static __always_inline void cause_deduced(struct cause *cause)
{
	struct mem_cgroup *memcg = memcg_at_limit();

	if (memcg) {
		cause->scope = CONSTRAINT_MEMCG;
		cause_memcg(cause, memcg);
	} else {
		cause->scope = one_node ? CONSTRAINT_NONE : SCOPE_UNKNOWN;
	}
}

/* What the running task kills for. */
static __always_inline void cause_of_kill(struct cause *cause)
{
	if (told.killer == bpf_get_current_task())
		*cause = told;
	else
		cause_deduced(cause);
}

#endif
