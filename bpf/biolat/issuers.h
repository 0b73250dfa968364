/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * With --by: the issuers of requests in flight, by their keys in inflight.h. The task that runs
 * when a request completes is unrelated to it.
 */
#ifndef EF_BIOLAT_ISSUERS_H
#define EF_BIOLAT_ISSUERS_H

#include "inflight.h"
#include "owner.h"

/* Omitted without --by. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, INFLIGHT_WAYS << INFLIGHT_SET_BITS);
	__type(key, u64);
	__type(value, struct named_owner);
} issuers SEC(".maps");

/* The running task is the issuer; false if there is no room. */
static __always_inline bool issuer_put(u64 what)
{
	struct named_owner issuer = {};

	named_owner_of_current(&issuer);
	return !bpf_map_update_elem(&issuers, &what, &issuer, BPF_ANY);
}

/* A request is made of a bio: it takes over the bio's issuer. */
static __always_inline bool issuer_move(u64 bio, u64 request)
{
	struct named_owner *issuer = bpf_map_lookup_elem(&issuers, &bio);

	return issuer && !bpf_map_update_elem(&issuers, &request, issuer, BPF_ANY);
}

static __always_inline void issuer_forget(u64 what)
{
	if (by != BY_SYSTEM)
		bpf_map_delete_elem(&issuers, &what);
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
