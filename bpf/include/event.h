/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Events for user space. A record that finds no room is counted as lost. The reader is woken only
 * when it sleeps: under load one wake-up serves many events.
 *
 * A tool that includes this defines `enum counter` before it, as for counters.h. It points to the
 * struct of its events by a variable without a use, which has the struct generated for user space,
 * too: skel::types::event.
 */
#ifndef EF_EVENT_H
#define EF_EVENT_H

#include "counters.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	/* Set before loading, from common/src/measure/events.rs. */
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

/* Whether the reader must be woken: as flags for the ring buffer. */
static __always_inline u64 event_wake(void)
{
	/* Two processors may both see the reader asleep: then it is woken once too often, never too
	 * rarely. */
	if (*(volatile u32 *)&reader_sleeps) {
		*(volatile u32 *)&reader_sleeps = 0;
		return BPF_RB_FORCE_WAKEUP;
	}
	return BPF_RB_NO_WAKEUP;
}

static __always_inline void event_submit(void *event)
{
	bpf_ringbuf_submit(event, event_wake());
}

/* For an event whose size is known only when it is complete. */
static __always_inline void event_output(void *event, u64 size)
{
	if (bpf_ringbuf_output(&events, event, size, event_wake()))
		count(LOST, 1);
}

#endif
