/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Totals of a fixed set of keys, never reset: user space maps them and subtracts what it saw last
 * time (common/src/measure/per_key.rs). Each key has several banks, so that processors seldom share
 * one.
 *
 * A tool defines struct stats before including this.
 */
#ifndef EF_TOTALS_H
#define EF_TOTALS_H

#include "kernel.h"

/* Banks are a power of two, at most one per processor. */
const volatile u32 bank_mask = 0;

/* An entry per key and bank, in this order. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	/* Set to keys * banks before loading. */
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stats);
} stats SEC(".maps");

/* This processor's bank of a key. */
static __always_inline struct stats *total_of(u32 key)
{
	u32 index = key * (bank_mask + 1) + (bpf_get_smp_processor_id() & bank_mask);

	return bpf_map_lookup_elem(&stats, &index);
}

#endif
