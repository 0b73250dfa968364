/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Log-linear histogram of nanoseconds: 16 buckets in each power of two, so a bucket is at most 1/16
 * of its lower bound wide and its harmonic middle is at most 3.03 % from any value in it. Values
 * below 32 ns have a bucket each; values from 2^40 ns (18 minutes) on share the last one.
 * common/record/src/histogram.rs has the inverse.
 */
#ifndef EF_HIST_H
#define EF_HIST_H

#include "kernel.h"

#define HIST_SUB_BITS 4
#define HIST_MAX_BITS 40
#define HIST_BUCKETS ((HIST_MAX_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	u64 sum_ns;
	/* The extremes of an interval: user space resets them while nothing is added. The smallest
	 * value is kept as its complement, so that 0 means none. */
	u64 max_ns;
	u64 min_complement_ns;
	/* 32 bits suffice: user space subtracts modulo 2^32, and no interval has that many events.
	 */
	u32 buckets[HIST_BUCKETS];
};

/* A global function: the verifier checks its many paths once, not for each use times all that
 * follows. */
__noinline int hist_bucket(u64 ns)
{
	u32 high, log2 = 0, shift;

	if (ns >= 1ULL << HIST_MAX_BITS)
		return HIST_BUCKETS - 1;
	high = ns >> 32;
	if (high)
		log2 = 32;
	else
		high = ns;
	shift = (high > 0xffff) << 4;
	high >>= shift;
	log2 |= shift;
	shift = (high > 0xff) << 3;
	high >>= shift;
	log2 |= shift;
	shift = (high > 0xf) << 2;
	high >>= shift;
	log2 |= shift;
	shift = (high > 0x3) << 1;
	high >>= shift;
	log2 |= shift;
	log2 |= high >> 1;
	shift = log2 > HIST_SUB_BITS ? log2 - HIST_SUB_BITS : 0;
	return (shift << HIST_SUB_BITS) + (u32)(ns >> shift);
}

/* So many other updates may happen in between, each with a larger value. */
#define RAISES 8

/*
 * Raises *at to a value that may be larger, with concurrent updates. If the kernel has no
 * compare-and-exchange (before 5.12), user space turns it into a plain store before loading
 * (common/src/bpf/exchange.rs): of two concurrent updates the later one wins.
 */
static __always_inline void raise(u64 *at, u64 value)
{
	u64 now = *(volatile u64 *)at;

	for (int i = 0; i < RAISES && value > now; i++) {
		u64 found = __sync_val_compare_and_swap(at, now, value);

		if (found == now)
			break;
		now = found;
	}
}

static __always_inline void hist_count(struct hist *hist, u64 ns)
{
	u32 bucket = hist_bucket(ns);

	/* Always true; the verifier cannot follow the arithmetic. */
	if (bucket < HIST_BUCKETS)
		__sync_fetch_and_add(&hist->buckets[bucket], 1);
	__sync_fetch_and_add(&hist->sum_ns, ns);
}

static __always_inline void hist_add(struct hist *hist, u64 ns)
{
	hist_count(hist, ns);
	raise(&hist->max_ns, ns);
	raise(&hist->min_complement_ns, ~ns);
}

/* Raises the extremes if there are no concurrent updates, or if the later one of two may win. */
static __always_inline void hist_extremes_by_store(struct hist *hist, u64 ns)
{
	if (ns > hist->max_ns)
		hist->max_ns = ns;
	if (~ns > hist->min_complement_ns)
		hist->min_complement_ns = ~ns;
}

/* For separate programs, on kernels without compare-and-exchange. */
static __always_inline void hist_add_by_store(struct hist *hist, u64 ns)
{
	hist_count(hist, ns);
	hist_extremes_by_store(hist, ns);
}

#endif
