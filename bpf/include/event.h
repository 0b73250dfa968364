/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Events on their way to user space. A record that finds no room is counted, never lost in silence,
 * and the reader is woken only when it sleeps: under load one wake-up serves many events.
 *
 * A tool that includes this defines a counter LOST before it.
 */
#ifndef EF_EVENT_H
#define EF_EVENT_H

#include "counters.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	/* Set before loading, from common/src/events.rs. */
	__uint(max_entries, 4096);
} events SEC(".maps");

/* Set by the reader just before it sleeps. */
u32 reader_sleeps = 0;

static __always_inline void *event_reserve(u64 size)
{
	void *event = bpf_ringbuf_reserve(&events, size, 0);

	if (!event)
		count(LOST, 1);
	return event;
}

static __always_inline void event_submit(void *event)
{
	u64 wake = BPF_RB_NO_WAKEUP;

	/* Two processors may both see the reader asleep: a wake-up too many, never one too few. */
	if (*(volatile u32 *)&reader_sleeps) {
		*(volatile u32 *)&reader_sleeps = 0;
		wake = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(event, wake);
}

#endif
