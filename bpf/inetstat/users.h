/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Who used a socket last: the task that connected it, had it listen or accepted it, or sent or
 * received. What happens to it in an interrupt belongs to that task.
 */
#ifndef EF_INETSTAT_USERS_H
#define EF_INETSTAT_USERS_H

#include "owner.h"

/* Whether that is needed: with --by or a filter of tasks. */
const volatile bool remember_users = false;

/* Of TCP sockets, by their address; removed when the kernel destroys the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	/* Set before loading, to --max-sockets. */
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, struct named_owner);
} users SEC(".maps");

/* Of other sockets, whose end no tracepoint shows: those used last are kept. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, struct named_owner);
} users_of_others SEC(".maps");

static __always_inline struct named_owner *user_of(struct sock *sk, u32 proto)
{
	u64 key = (u64)sk;

	return proto == TCP ? bpf_map_lookup_elem(&users, &key)
			    : bpf_map_lookup_elem(&users_of_others, &key);
}

static __always_inline void used_by_current(struct sock *sk, u32 proto)
{
	struct named_owner *known, user = {};
	u64 key = (u64)sk;
	int error;

	if (!remember_users)
		return;
	owner_of_current(&user.owner);
	known = user_of(sk, proto);
	if (known && known->owner.id[0] == user.owner.id[0] &&
	    known->owner.id[1] == user.owner.id[1])
		return;
	if (by != BY_SYSTEM && has_names())
		names_of_current(&user.names);
	error = proto == TCP ? bpf_map_update_elem(&users, &key, &user, BPF_ANY)
			     : bpf_map_update_elem(&users_of_others, &key, &user, BPF_ANY);
	if (error)
		count(LOST, 1);
}

#endif
