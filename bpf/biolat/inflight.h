/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Requests in flight: from a request's address to the time it was issued. A hash map would do, but
 * costs more than all the rest of the program. The kernel reuses the addresses of requests, so a
 * set-associative table of fixed size does it with one array look-up and, mostly, one compare. If a
 * set is full, the caller is notified and counts the loss. Needs compare-and-exchange: Linux 5.12.
 */
#ifndef EF_BIOLAT_INFLIGHT_H
#define EF_BIOLAT_INFLIGHT_H

#include "kernel.h"

#define INFLIGHT_WAYS 8
/* 4 096 sets of 8: 32 768 requests in flight, in 768 KiB. */
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

/* Any address that does not move. */
u64 inflight_origin = 0;

/* The verifier allows no multiplication of a pointer, but the distance of two pointers is a
 * number. */
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
 * The way that holds the key, or -1. The two searches are global functions: the verifier checks
 * them once, not for each way at each call, which would take most of the load time.
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

/* A way for the key: the one that still holds it from earlier, or a free one, which is taken; -1 if
 * there is none. */
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

/* For kernels without compare-and-exchange: the same as a hash map, which is slower. Its memory is
 * allocated with its entries. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, INFLIGHT_WAYS << INFLIGHT_SET_BITS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct inflight);
} inflight_hash SEC(".maps");

/* Where requests in flight are kept. Constant at each call: the code of the other store is not in
 * the program. */
enum inflight_store { TABLE, HASH };

static __always_inline struct inflight *inflight_find_key(enum inflight_store store, u64 key)
{
	if (store == HASH)
		return bpf_map_lookup_elem(&inflight_hash, &key);
	return inflight_at(key, inflight_search(key));
}

static __always_inline struct inflight *inflight_find(enum inflight_store store, void *what)
{
	return inflight_find_key(store, inflight_key(what));
}

static __always_inline void inflight_remove(enum inflight_store store, struct inflight *entry)
{
	u64 key = entry->key;

	if (store == HASH)
		bpf_map_delete_elem(&inflight_hash, &key);
	else
		*(volatile u64 *)&entry->key = 0;
}

/*
 * Enters a request in flight; false if there is no room. No other program looks up the entry before
 * this one has returned.
 */
static __always_inline bool inflight_put(enum inflight_store store, void *what, u64 ts_ns, u64 info)
{
	u64 key = inflight_key(what);
	struct inflight new = {.key = key, .ts_ns = ts_ns, .info = info};
	struct inflight *entry;

	if (store == HASH)
		return !bpf_map_update_elem(&inflight_hash, &key, &new, BPF_ANY);
	entry = inflight_at(key, inflight_claim(key));
	if (!entry)
		return false;
	entry->ts_ns = ts_ns;
	entry->info = info;
	return true;
}

#endif
