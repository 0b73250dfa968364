/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * What is kept of a connection from its begin to its end: when it was opened, in which direction,
 * and its owner. The state of a connection mostly changes while another task runs, so its owner is
 * recorded when a process connects or accepts.
 */
#ifndef EF_TCPLIFE_LIFE_H
#define EF_TCPLIFE_LIFE_H

#include "owned_counters.h"

enum direction { IN, OUT, MAX_DIRECTIONS };

/* Has the names generated for user space, too: skel::names. */
const enum direction skeleton_direction = IN;

struct life {
	u64 opened_ns; /* 0: before the start, or not yet */
	/* For --by; with --events the process's id and the thread's name. 0: not known. */
	struct named_owner who;
	u32 direction;
	u32 unused;
};

/* Connections whose owner is known, by the socket's address. All are removed when the socket
 * reaches TCP_CLOSE. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	/* Set before loading, to --max-open. */
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, struct life);
} lives SEC(".maps");

/*
 * Incoming connections that are not accepted yet: since when. Accepting and ending may happen at
 * the same time on two processors; the one that removes the entry counts the connection as opened.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	/* As above. */
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, u64);
} waiting SEC(".maps");

/* --events: send each connection rather than count it. */
const volatile bool send_events = false;

static __always_inline struct life *life_of(u64 sk)
{
	return bpf_map_lookup_elem(&lives, &sk);
}

static __always_inline void life_begins(u64 sk, struct life *life)
{
	if ((int)bpf_map_update_elem(&lives, &sk, life, BPF_ANY))
		count(LOST, 1);
}

static __always_inline void life_ends(u64 sk)
{
	bpf_map_delete_elem(&lives, &sk);
}

static __always_inline void waits(u64 sk, u64 since_ns)
{
	if ((int)bpf_map_update_elem(&waiting, &sk, &since_ns, BPF_ANY))
		count(LOST, 1);
}

/* Removes a waiting connection, for one caller only: since when it waited, or 0. */
static __always_inline u64 take_waiting(u64 sk)
{
	u64 *since = bpf_map_lookup_elem(&waiting, &sk);
	u64 since_ns;

	if (!since)
		return 0;
	since_ns = *since;
	return (int)bpf_map_delete_elem(&waiting, &sk) ? 0 : since_ns;
}

/* The running task becomes the owner. */
static __always_inline void life_is_current(struct life *life)
{
	struct named_owner *who = &life->who;

	if (send_events) {
		who->owner.id[0] = bpf_get_current_pid_tgid() >> 32;
		bpf_get_current_comm(&who->names.comm, sizeof(who->names.comm));
	} else if (by != BY_SYSTEM) {
		named_owner_of_current(who);
	}
}

/* The counters of the connection's owner. */
static __always_inline struct counters *counters_of(struct life *life)
{
	return by == BY_SYSTEM ? counters_bank() : owned_by_named(&life->who, 0);
}

#endif
