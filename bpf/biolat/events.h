/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* --events: each request or bio as it ends, with who made it. */
#ifndef EF_BIOLAT_EVENTS_H
#define EF_BIOLAT_EVENTS_H

#include "event.h"
#include "inflight.h"

/* Send each request rather than count it. */
const volatile bool send_events = false;
/* --min-us: and of those only the ones whose device time is at least this. */
const volatile u64 min_ns = 0;

/* Their names are those in records. */
enum event_flag { FLAG_SYNC = 1, FLAG_META = 2, FLAG_PREFLUSH = 4, FLAG_FUA = 8, FLAG_RAHEAD = 16 };

struct event {
	u64 ts_ns;
	u64 device_ns;
	u64 queue_ns; /* NO_QUEUE: not known */
	u64 sector;
	u64 bytes;
	u64 cgroup;
	u32 key; /* of disk and operation */
	u32 pid;
	u32 tid;
	s32 status; /* negative: an error's number; else a blk_status_t */
	u32 flags;
	char comm[TASK_COMM_LEN];
	u32 unused;
};

const struct event *unused_event __attribute__((unused));

/* Who made a request or bio in flight, and where it began. */
struct maker {
	u64 cgroup;
	u64 sector;
	u64 bytes; /* that have ended, in parts */
	u32 pid;
	u32 tid;
	char comm[TASK_COMM_LEN];
};

/* By the keys of inflight.h. Omitted without --events. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, INFLIGHT_WAYS << INFLIGHT_SET_BITS);
	__type(key, u64);
	__type(value, struct maker);
} makers SEC(".maps");

/* The running task makes it; false if there is no room. */
static __always_inline bool maker_put(u64 what, u64 sector)
{
	u64 id = bpf_get_current_pid_tgid();
	struct maker maker = {.sector = sector, .pid = id >> 32, .tid = id};

	maker.cgroup = bpf_get_current_cgroup_id();
	bpf_get_current_comm(&maker.comm, sizeof(maker.comm));
	return !bpf_map_update_elem(&makers, &what, &maker, BPF_ANY);
}

/* A request is made of a bio: it takes over the bio's maker. */
static __always_inline bool maker_move(u64 bio, u64 request)
{
	struct maker *maker = bpf_map_lookup_elem(&makers, &bio);

	return maker && !bpf_map_update_elem(&makers, &request, maker, BPF_ANY);
}

/* A part of a request has ended, which began at this sector. */
static __always_inline void part_ends(u64 what, u64 sector, u64 bytes)
{
	struct maker *maker = bpf_map_lookup_elem(&makers, &what);

	if (!maker)
		return;
	if (!maker->bytes)
		maker->sector = sector;
	maker->bytes += bytes;
}

/* A bio has ended. Its sector is known. */
static __always_inline void bio_ends(u64 what, u64 bytes)
{
	struct maker *maker = bpf_map_lookup_elem(&makers, &what);

	if (maker)
		maker->bytes = bytes;
}

static __always_inline u32 flag_if(u32 flags, u32 bit, u32 flag)
{
	return flags & 1U << bit ? flag : 0;
}

#define FLAG_OF(flags, bit, flag) flag_if(flags, bpf_core_enum_value(enum req_flag_bits, bit), flag)

static __always_inline u32 event_flags(u32 flags)
{
	return FLAG_OF(flags, __REQ_SYNC, FLAG_SYNC) | FLAG_OF(flags, __REQ_META, FLAG_META) |
	       FLAG_OF(flags, __REQ_PREFLUSH, FLAG_PREFLUSH) | FLAG_OF(flags, __REQ_FUA, FLAG_FUA) |
	       FLAG_OF(flags, __REQ_RAHEAD, FLAG_RAHEAD);
}

static __always_inline void send_event(u32 key, u64 what, u64 device_ns, u64 queue_ns, s32 status,
				       u32 flags)
{
	struct maker *maker;
	struct event *event;

	if (device_ns < min_ns)
		return;
	maker = bpf_map_lookup_elem(&makers, &what);
	if (!maker) {
		count(LOST, 1);
		return;
	}
	event = event_reserve(sizeof(*event));
	if (!event)
		return;
	event->ts_ns = bpf_ktime_get_ns();
	event->device_ns = device_ns;
	event->queue_ns = queue_ns;
	event->sector = maker->sector;
	event->bytes = maker->bytes;
	event->cgroup = maker->cgroup;
	event->key = key;
	event->pid = maker->pid;
	event->tid = maker->tid;
	event->status = status;
	event->flags = event_flags(flags);
	__builtin_memcpy(event->comm, maker->comm, sizeof(event->comm));
	event_submit(event);
}

#endif
