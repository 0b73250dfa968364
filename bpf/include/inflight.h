/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * What is under way: from a request's address to the time it was issued. A hash map would do, but
 * costs more than all the rest of the program; addresses of requests are reused by the kernel, so a
 * set-associative table of fixed size does it with one array look-up and, mostly, one compare. A
 * set that is full is told to the caller, who counts the loss. Needs compare-and-exchange:
 * Linux 5.12.
 */
#ifndef EF_INFLIGHT_H
#define EF_INFLIGHT_H

#include "kernel.h"

#define INFLIGHT_WAYS 8
/* 4 096 sets of 8: 32 768 under way at once, in 768 KiB. */
#define INFLIGHT_SET_BITS 12

struct inflight {
	u64 key; /* 0: free */
	u64 ts_ns;
	u64 info;
};

struct inflight_set {
	struct inflight way[INFLIGHT_WAYS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << INFLIGHT_SET_BITS);
	__type(key, u32);
	__type(value, struct inflight_set);
} inflight SEC(".maps");

/* Any place that does not move. */
u64 inflight_origin = 0;

/* The verifier lets no pointer be multiplied, but the distance of two pointers is a number. */
static __always_inline u64 inflight_key(void *what)
{
	return (u64)what - (u64)&inflight_origin;
}

static __always_inline struct inflight_set *inflight_set(u64 key)
{
	/* Fibonacci hashing: the high bits of the product mix all bits of the address. */
	u32 index = (key * 0x9e3779b97f4a7c15ULL) >> (64 - INFLIGHT_SET_BITS);

	return bpf_map_lookup_elem(&inflight, &index);
}

/*
 * The way that holds the key, or -1. The two searches are global functions: the verifier looks at
 * them once, not once for each way at each call, which is what loading takes its time for.
 */
__noinline int inflight_search(u64 key)
{
	struct inflight_set *set = inflight_set(key);

	if (!set)
		return -1;
#pragma unroll
	for (int i = 0; i < INFLIGHT_WAYS; i++)
		if (set->way[i].key == key)
			return i;
	return -1;
}

/* A way for the key: the one that it left behind earlier, or a free one, taken; -1 where there is
 * none. */
__noinline int inflight_claim(u64 key)
{
	struct inflight_set *set = inflight_set(key);
	int way = inflight_search(key);

	if (!set || way >= 0)
		return way;
#pragma unroll
	for (int i = 0; i < INFLIGHT_WAYS; i++)
		if (!set->way[i].key && !__sync_val_compare_and_swap(&set->way[i].key, 0, key))
			return i;
	return -1;
}

static __always_inline struct inflight *inflight_at(u64 key, int way)
{
	struct inflight_set *set = inflight_set(key);

	if (!set || way < 0)
		return NULL;
	return &set->way[way & (INFLIGHT_WAYS - 1)];
}

static __always_inline struct inflight *inflight_find(void *what)
{
	u64 key = inflight_key(what);

	return inflight_at(key, inflight_search(key));
}

static __always_inline void inflight_remove(struct inflight *entry)
{
	*(volatile u64 *)&entry->key = 0;
}

/* Enters what is under way; false where there is no room. Nobody asks for it before its owner has
 * returned. */
static __always_inline bool inflight_put(void *what, u64 ts_ns, u64 info)
{
	u64 key = inflight_key(what);
	struct inflight *entry = inflight_at(key, inflight_claim(key));

	if (!entry)
		return false;
	entry->ts_ns = ts_ns;
	entry->info = info;
	return true;
}

#endif
