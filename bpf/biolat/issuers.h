/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * With --by and --events: the issuers of requests in flight, by their keys in inflight.h. The task
 * that runs when a request completes is unrelated to it.
 */
#ifndef EF_BIOLAT_ISSUERS_H
#define EF_BIOLAT_ISSUERS_H

#include "events.h"
#include "inflight.h"
#include "owner.h"

/* Omitted without --by. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, INFLIGHT_WAYS << INFLIGHT_SET_BITS);
	__type(key, u64);
	__type(value, struct named_owner);
} issuers SEC(".maps");

/* What follows is of one of the two maps. Without this the compiler may choose between their
 * addresses in code that runs for both, and the kernel refuses that of a map that was not created.
 */
#define ALONE() asm volatile("")

/* Whether it matters who makes a request. */
static __always_inline bool keeps_issuers(void)
{
	return by != BY_SYSTEM || send_events;
}

/* The running task is the issuer, of a bio from this sector on; false if there is no room. */
static __always_inline bool issuer_put(u64 what, u64 sector)
{
	struct named_owner issuer = {};

	if (send_events) {
		ALONE();
		return maker_put(what, sector);
	}
	named_owner_of_current(&issuer);
	return !bpf_map_update_elem(&issuers, &what, &issuer, BPF_ANY);
}

/* A request is made of a bio: it takes over the bio's issuer. */
static __always_inline bool issuer_move(u64 bio, u64 request)
{
	struct named_owner *issuer;

	if (send_events) {
		ALONE();
		return maker_move(bio, request);
	}
	issuer = bpf_map_lookup_elem(&issuers, &bio);
	return issuer && !bpf_map_update_elem(&issuers, &request, issuer, BPF_ANY);
}

static __always_inline void issuer_forget(u64 what)
{
	if (send_events) {
		ALONE();
		bpf_map_delete_elem(&makers, &what);
	} else if (by != BY_SYSTEM) {
		ALONE();
		bpf_map_delete_elem(&issuers, &what);
	}
}

/* The record of the issuer under the key of disk and operation. NULL, counted as lost, if there is
 * no room for another owner or the issuer is not known. */
static __always_inline OWNED *owned_by_issuer(u64 what, u64 key)
{
	struct named_owner *issuer = bpf_map_lookup_elem(&issuers, &what);

	if (!issuer) {
		count(LOST, 1);
		return NULL;
	}
	return owned_by_named(issuer, key);
}

#endif
