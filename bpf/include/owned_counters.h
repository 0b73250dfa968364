/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Counters for the system, or for each owner (--by). A tool defines `enum counter` before including
 * this.
 */
#ifndef EF_OWNED_COUNTERS_H
#define EF_OWNED_COUNTERS_H

#include "counters.h"

#define OWNED struct counters

#include "owner.h"

/* The counters for the running task's work: looked up only once if an event counts several
 * things. */
static __always_inline struct counters *owned_counters(void)
{
	return by == BY_SYSTEM ? counters_bank() : owned_by_current(0);
}

/* The same for another task's work; `typed` as for owner_of(). */
static __always_inline struct counters *owned_counters_of(struct task_struct *task, bool typed)
{
	return by == BY_SYSTEM ? counters_bank() : owned_by_task(0, task, typed);
}

/* Counts one thing that the running task did. */
static __always_inline void count_owned(u32 counter, u64 n)
{
	struct counters *bank = owned_counters();

	if (bank)
		add(bank, counter, n);
}

#endif
