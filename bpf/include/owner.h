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
#include "task_owner.h"

/* The bank being filled. Written by user space. */
u32 owned_bank = 0;

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
