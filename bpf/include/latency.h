/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Timed calls: how long they took and how many failed, per key, for the system or for each owner
 * (--by). A tool defines `enum counter` before including this.
 */
#ifndef EF_LATENCY_H
#define EF_LATENCY_H

#include "hist.h"

struct stats {
	u64 errors;
	struct hist duration;
};

#define OWNED struct stats

#include "owner.h"
#include "totals.h"

/* A call of the running task has ended. */
static __always_inline void record(u32 key, u64 duration_ns, bool failed)
{
	struct stats *stats = by == BY_SYSTEM ? total_of(key) : owned_by_current(key);

	if (!stats)
		return;
	if (failed)
		__sync_fetch_and_add(&stats->errors, 1);
	hist_add(&stats->duration, duration_ns);
}

#endif
