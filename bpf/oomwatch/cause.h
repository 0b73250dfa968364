/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Why there is a kill: which memory is short, as passed to the function that kills, or as deduced
 * from the memory cgroups of the task that asked for memory. All of this happens under the kernel's
 * oom_lock: one kill at a time.
 */
#ifndef EF_CAUSE_H
#define EF_CAUSE_H

#include "kernel.h"
#include "memcg.h"

/* In addition to those of enum oom_constraint, whose numbers are the same everywhere. */
#define SCOPE_UNKNOWN 4
#define SCOPE_SYSRQ 5
/* The order of an allocation that is none: SysRq-f (is_sysrq_oom() of mm/oom_kill.c). */
#define SYSRQ_ORDER -1
/* Deeper memory cgroups are ignored. */
#define CAUSE_MAX_DEPTH 32
/* A failed allocation of more pages than this does not cause a kill (PAGE_ALLOC_COSTLY_ORDER). */
#define COSTLY_PAGES 8

/* The pages that all processors together charge ahead: they may be given back while the kernel
 * decides on a kill. Set from tools/oomwatch/src/run.rs. */
const volatile u64 ahead_pages = 64;

struct cause {
	/* The task that asked for memory, and that kills for it. */
	u64 killer;
	u64 memcg;
	u64 limit_pages;
	u64 usage_pages;
	u32 scope;
};

/* As passed to the function that kills. */
struct cause passed = {};

/* As deduced for the last victim, and the group that it was killed with. */
struct cause deduced = {};
u64 deduced_group = 0;

/* Whether the machine has one memory node: then neither cpusets nor memory policies can make memory
 * short. */
const volatile bool one_node = false;

static __always_inline void cause_memcg(struct cause *cause, struct mem_cgroup *memcg)
{
	cause->memcg = (u64)memcg;
	cause->limit_pages = BPF_CORE_READ(memcg, memory.max);
	cause->usage_pages = BPF_CORE_READ(memcg, memory.usage.counter);
}

static __always_inline int cause_passed(struct oom_control *oc)
{
	struct mem_cgroup *memcg = BPF_CORE_READ(oc, memcg);

	passed.killer = bpf_get_current_task();
	passed.scope =
	    BPF_CORE_READ(oc, order) == SYSRQ_ORDER ? SCOPE_SYSRQ : BPF_CORE_READ(oc, constraint);
	passed.memcg = 0;
	if (memcg)
		cause_memcg(&passed, memcg);
	return 0;
}

static __always_inline struct mem_cgroup *memcg_parent(struct mem_cgroup *memcg)
{
	struct page_counter *parent = BPF_CORE_READ(memcg, memory.parent);

	return parent ? (void *)parent - bpf_core_field_offset(struct mem_cgroup, memory) : NULL;
}

/*
 * The memory cgroup for whose limit the running task kills: of those above it the one with the
 * least room, if it is at its limit except for what is charged ahead. A kill is decided on if there
 * is no room for the allocation that failed (mem_cgroup_out_of_memory of mm/memcontrol.c). Kernels
 * with the first version of memory cgroups mark it and all below it at that time (oom_lock): no
 * other cgroup can be mistaken for it there.
 */
static __always_inline struct mem_cgroup *memcg_at_limit(void)
{
	struct mem_cgroup *memcg = memcg_of((void *)bpf_get_current_task());
	struct mem_cgroup *least = NULL;
	s64 least_room = ahead_pages + COSTLY_PAGES;

	for (int step = 0; step < CAUSE_MAX_DEPTH && memcg; step++) {
		s64 room =
		    BPF_CORE_READ(memcg, memory.max) - BPF_CORE_READ(memcg, memory.usage.counter);

		if (bpf_core_field_exists(memcg->oom_lock) && !BPF_CORE_READ(memcg, oom_lock))
			break;
		if (room < least_room) {
			least = memcg;
			least_room = room;
		}
		memcg = memcg_parent(memcg);
	}
	return least;
}

/* The topmost memory cgroup above a victim that is killed as a group; 0 if there is none. */
static __always_inline u64 group_of(struct task_struct *victim)
{
	struct mem_cgroup *memcg = memcg_of(victim);
	struct mem_cgroup *group = NULL;

	for (int step = 0; step < CAUSE_MAX_DEPTH && memcg; step++) {
		if (BPF_CORE_READ(memcg, oom_group))
			group = memcg;
		memcg = memcg_parent(memcg);
	}
	return (u64)group;
}

static __always_inline void cause_deduced(struct cause *cause, struct task_struct *victim)
{
	u64 killer = bpf_get_current_task();
	u64 group = group_of(victim);
	struct mem_cgroup *memcg;

	/* The others of a group die for the same cause as the first: by then its memory may be
	 * free. */
	if (!group || deduced.killer != killer || deduced_group != group) {
		deduced.killer = killer;
		deduced_group = group;
		deduced.memcg = 0;
		memcg = memcg_at_limit();
		if (memcg) {
			deduced.scope = CONSTRAINT_MEMCG;
			cause_memcg(&deduced, memcg);
		} else {
			deduced.scope = one_node ? CONSTRAINT_NONE : SCOPE_UNKNOWN;
		}
	}
	*cause = deduced;
}

/* Why the running task kills this victim. */
static __always_inline void cause_of_kill(struct cause *cause, struct task_struct *victim)
{
	if (passed.killer == bpf_get_current_task())
		*cause = passed;
	else
		cause_deduced(cause, victim);
}

#endif
