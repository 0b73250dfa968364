/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Totals that are never reset: user space maps them, adds up the banks and subtracts what it saw
 * last time, so no update is lost between a read and a reset. Each processor has a bank of its own,
 * in cache lines of its own. The additions are atomic all the same: a program can be interrupted or
 * preempted by another run of itself, or by another program, on the same processor.
 *
 * A tool defines `enum counter` before including this: its counters, with LOST, and MAX_COUNTERS as
 * the last.
 */
#ifndef EF_COUNTERS_H
#define EF_COUNTERS_H

#include "kernel.h"

#define CACHE_LINE 64

/* Has the enum generated for user space, too: skel::types::counter. */
const enum counter skeleton_counter = LOST;

struct counters {
	u64 value[MAX_COUNTERS];
} __attribute__((aligned(CACHE_LINE)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	/* Set to the number of possible processors before loading. */
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct counters);
} counters SEC(".maps");

/* This processor's bank: looked up only once if an event counts several things. */
static __always_inline struct counters *counters_bank(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&counters, &cpu);
}

static __always_inline void add(struct counters *bank, u32 counter, u64 n)
{
	__sync_fetch_and_add(&bank->value[counter], n);
}

static __always_inline void count(u32 counter, u64 n)
{
	struct counters *bank = counters_bank();

	if (bank)
		add(bank, counter, n);
}

#endif
