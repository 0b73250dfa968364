/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * What tasks send and receive over TCP and UDP, and what fails. Calls are seen where all protocols
 * pass, when they return, in the task that makes them. What packets bring about happens while any
 * task may be running, so it belongs to the one that last used the socket.
 */
#include "kernel.h"
#include "filter.h"
#include "endpoints.h"

/* Their names are those in records. */
enum proto { TCP, UDP, MPTCP, UDPLITE, MAX_PROTOS };

/* Has the names generated for user space, too: skel::names. */
const enum proto skeleton_proto = TCP;

enum counter { LOST, MAX_COUNTERS };

/* What is counted under a key, which is a protocol and, with --split family, a family. */
enum figure {
	SENDS,
	SEND_ERRORS,
	TX_BYTES,
	RECEIVES,
	RECEIVE_ERRORS,
	RX_BYTES,
	WOULD_BLOCK,
	ACCEPTS,
	CONNECTS,
	CONNECT_ERRORS,
	RESETS_SENT,
	RESETS_RECEIVED,
	RETRANSMITS,
	RETRANSMIT_BYTES,
	DROPS,
	MAX_FIGURES,
};

/* As above. */
const enum figure skeleton_figure = SENDS;

/* A whole number of cache lines. */
struct stats {
	u64 value[(MAX_FIGURES + 7) & ~7];
};

#define OWNED struct stats

#include "owner.h"
#include "totals.h"
#include "inetstat/users.h"

/* include/uapi/asm-generic/errno-base.h and errno.h */
#define EAGAIN 11
#define EINPROGRESS 115

/* --split family: whether IPv4 and IPv6 are counted apart. */
const volatile bool split_family = false;

static __always_inline void add_to(struct stats *stats, u32 figure, u64 n)
{
	__sync_fetch_and_add(&stats->value[figure], n);
}

/* The socket's protocol; MAX_PROTOS if it is another one, or raw. `typed`: the pointer may be
 * followed. */
static __always_inline u32 proto_of(struct sock *sk, bool typed)
{
	u16 family = field_of(typed, sk, __sk_common.skc_family);
	u16 protocol;

	if (family != AF_INET && family != AF_INET6)
		return MAX_PROTOS;
	if (field_of(typed, sk, sk_type) == SOCK_RAW)
		return MAX_PROTOS;
	protocol = field_of(typed, sk, sk_protocol);
	if (protocol == IPPROTO_TCP)
		return TCP;
	if (protocol == IPPROTO_UDP)
		return UDP;
	if (protocol == IPPROTO_MPTCP)
		return MPTCP;
	return protocol == IPPROTO_UDPLITE ? UDPLITE : MAX_PROTOS;
}

/* Whether its packets are of IPv6: an IPv6 socket may be connected to an IPv4 address. */
static __always_inline bool uses_ipv6(struct sock *sk, bool typed)
{
	struct tuple tuple;

	if (!is_ipv6_socket(&sk->__sk_common, typed))
		return false;
	addresses_of(&tuple, &sk->__sk_common, typed);
	return !is_ipv4(tuple.remote);
}

static __always_inline u32 key_of(struct sock *sk, u32 proto, bool typed)
{
	return split_family ? proto * 2 + uses_ipv6(sk, typed) : proto;
}

/* Whether a socket passes the filter on its ends. */
static __always_inline bool ends_pass(struct sock *sk, bool typed)
{
	struct tuple tuple;

	if (!endpoint_filter_is_set())
		return true;
	addresses_of(&tuple, &sk->__sk_common, typed);
	if (!addresses_pass(&tuple))
		return false;
	if (!endpoint_filter.ports)
		return true;
	tuple.local_port = field_of(typed, sk, __sk_common.skc_num);
	/* A socket that is closed has given it back. */
	if (!tuple.local_port)
		tuple.local_port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	return ports_pass(&tuple);
}

/* Where the running task's work with a socket is counted; NULL if it is not. */
static __always_inline struct stats *stats_of_call(struct sock *sk, bool typed)
{
	u32 proto = proto_of(sk, typed), key;

	if (proto == MAX_PROTOS || !filter_current() || !ends_pass(sk, typed))
		return NULL;
	used_by_current(sk, proto);
	key = key_of(sk, proto, typed);
	return by == BY_SYSTEM ? total_of(key) : owned_by_current(key);
}

/* Where what happens to a socket is counted, whatever task is running; NULL if it is not. */
static __always_inline struct stats *stats_of_socket(struct sock *sk)
{
	struct named_owner nobody = {}, *user = &nobody;
	u32 proto = proto_of(sk, true), key;

	if (proto == MAX_PROTOS || !ends_pass(sk, true))
		return NULL;
	if (remember_users) {
		user = user_of(sk, proto);
		if (!user && filter_is_set())
			return NULL;
		if (!user)
			user = &nobody;
	}
	key = key_of(sk, proto, true);
	return by == BY_SYSTEM ? total_of(key) : owned_by_named(user, key);
}

static __always_inline int count_of_socket(struct sock *sk, u32 figure)
{
	struct stats *stats = stats_of_socket(sk);

	if (stats)
		add_to(stats, figure, 1);
	return 0;
}

/* What a call returned: of `calls`, then their errors and their bytes. */
static __always_inline int returned(struct sock *sk, u32 calls, int ret, bool typed)
{
	struct stats *stats = stats_of_call(sk, typed);

	if (!stats)
		return 0;
	/* The latter of a send that is to open the connection, too (TCP Fast Open). */
	if (ret == -EAGAIN || ret == -EINPROGRESS) {
		add_to(stats, WOULD_BLOCK, 1);
		return 0;
	}
	add_to(stats, calls, 1);
	if (ret < 0)
		add_to(stats, calls + 1, 1);
	else
		add_to(stats, calls + 2, ret);
	return 0;
}

static __always_inline int sent(struct sock *sk, int ret, bool typed)
{
	return returned(sk, SENDS, ret, typed);
}

/* Neither what stays in the buffer nor what is not data of the other end counts. */
static __always_inline int received(struct sock *sk, int ret, int flags, bool typed)
{
	if (flags & (MSG_PEEK | MSG_ERRQUEUE))
		return 0;
	return returned(sk, RECEIVES, ret, typed);
}

#include "inetstat/calls.h"
#include "inetstat/kprobe.h"

static __always_inline int accepts(struct sock *sk, bool typed)
{
	struct stats *stats = stats_of_call(sk, typed);

	if (stats)
		add_to(stats, ACCEPTS, 1);
	return 0;
}

#include "accepts.h"
#include "inetstat/packets.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
