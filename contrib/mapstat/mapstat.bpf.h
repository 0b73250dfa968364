/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * What a config's programs need, instead of a generated vmlinux.h: types, the maps that mapstat and
 * ebpf_exporter read, and how to add to them. Structs of the kernel are declared where they are
 * used, with the fields in use and nothing more: the loader finds these in the running kernel
 * (preserve_access_index, CO-RE).
 */
#ifndef MAPSTAT_BPF_H
#define MAPSTAT_BPF_H

typedef unsigned char __u8;
typedef signed short __s16;
typedef unsigned short __u16;
typedef signed int __s32;
typedef unsigned int __u32;
typedef signed long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;

#define bool _Bool

/* include/uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LRU_PERCPU_HASH = 10,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
};

#define BPF_F_CURRENT_CPU 0xffffffffULL

/* Registers by the kernel's own names. */
#define __VMLINUX_H__
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define COMM_LEN 16

/* A map of counts by key. */
#define COUNTS(name, kind, key_type, entries)                                                      \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_##kind);                                                 \
		__uint(max_entries, entries);                                                      \
		__type(key, key_type);                                                             \
		__type(value, u64);                                                                \
	} name SEC(".maps")

/* Adds to the value of a key, which is made if it is not there; nothing if the map is full. */
static __always_inline void add_to(void *map, const void *key, u64 more)
{
	u64 none = 0, *count = bpf_map_lookup_elem(map, key);

	if (!count) {
		bpf_map_update_elem(map, key, &none, BPF_NOEXIST);
		count = bpf_map_lookup_elem(map, key);
	}
	if (count)
		__sync_fetch_and_add(count, more);
}

/* The bucket of an exp2 histogram: the smallest i with value <= 2^i. */
static __always_inline u32 exp2_bucket(u64 value)
{
	u32 bucket = 0;
	u64 rest = value ? value - 1 : 0;

#pragma unroll
	for (int shift = 32; shift; shift >>= 1) {
		if (rest >> shift) {
			rest >>= shift;
			bucket += shift;
		}
	}
	return rest ? bucket + 1 : bucket;
}

/* Counts a value in an exp2 histogram, whose key has a field `bucket`, and adds it to the sum: that
 * of bucket max + 1. */
#define observe_exp2(map, key, value, max)                                                         \
	do {                                                                                       \
		u64 observed = (value);                                                            \
		u32 its_bucket = exp2_bucket(observed);                                            \
                                                                                                   \
		(key)->bucket = its_bucket < (max) ? its_bucket : (max);                           \
		add_to(map, key, 1);                                                               \
		(key)->bucket = (max) + 1;                                                         \
		add_to(map, key, observed);                                                        \
	} while (0)

#endif
