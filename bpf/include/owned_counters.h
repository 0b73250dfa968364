/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Counters of the system, or of each owner (--by). A tool defines MAX_COUNTERS and LOST before
 * including this.
 */
#ifndef EF_OWNED_COUNTERS_H
#define EF_OWNED_COUNTERS_H

#include "counters.h"

#define OWNED struct counters

#include "owner.h"

/* Where what the running task does is counted: to be looked up once where an event counts several
 * things. */
static __always_inline struct counters *owned_counters(void)
{
	return by == BY_SYSTEM ? counters_bank() : owned_by_current(0);
}

#endif
