/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Totals of a fixed set of keys, in two halves: programs fill one while user space, which flips
 * them at each interval, reads and empties the other (common/src/measure/per_key.rs). Each key has
 * several banks in a half, so that processors seldom share one.
 *
 * A tool defines struct stats before including this.
 */
#ifndef EF_TOTALS_H
#define EF_TOTALS_H

#include "kernel.h"

/* Banks are a power of two, at most one per processor. */
const volatile u32 bank_mask = 0;

/* The half being filled. Written by user space. */
u32 filled_half = 0;

/* An entry per key, bank and half, in this order. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	/* Set to keys * banks * 2 before loading. */
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stats);
} stats SEC(".maps");

/* A bank of a key, in the half being filled. */
static __always_inline struct stats *total_in(u32 key, u32 bank)
{
	u32 index = (key * (bank_mask + 1) + bank) * 2 + (*(volatile u32 *)&filled_half & 1);

	return bpf_map_lookup_elem(&stats, &index);
}

/* The same of this processor's bank. */
static __always_inline struct stats *total_of(u32 key)
{
	return total_in(key, bpf_get_smp_processor_id() & bank_mask);
}

#endif
