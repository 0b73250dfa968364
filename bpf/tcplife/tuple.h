/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The two ends of a connection, and the filter on them (--port, --cidr, --family). The filter is
 * constant: a filter that is not set costs nothing.
 */
#ifndef EF_TCPLIFE_TUPLE_H
#define EF_TCPLIFE_TUPLE_H

#include "kernel.h"

#include <bpf/bpf_endian.h>

#define MAX_PORTS 32
#define MAX_CIDRS 16

/* include/linux/socket.h */
#define AF_INET 2

/* Addresses in the form of IPv6, those of IPv4 mapped (::ffff:a.b.c.d), in network byte order: an
 * IPv4 address is then the same for sockets of either family. */
struct tuple {
	u32 local[4];
	u32 remote[4];
	u16 local_port;
	u16 remote_port;
};

/* Remote addresses that are equal in the bits of a mask. */
struct cidr {
	u32 address[4];
	u32 mask[4];
};

/* Set by tools/tcplife/src/endpoint_filter.rs. */
struct asked {
	u32 family; /* 4, 6; 0: any */
	u32 ports;  /* how many of port[] are set; 0: any */
	u32 cidrs;  /* the same of cidr[] */
	u32 port[MAX_PORTS];
	struct cidr cidr[MAX_CIDRS];
};

const volatile struct asked asked = {};

static __always_inline bool ends_asked_for(void)
{
	return asked.family || asked.ports || asked.cidrs;
}

static __always_inline void map_ipv4(u32 *mapped, __be32 address)
{
	mapped[0] = 0;
	mapped[1] = 0;
	mapped[2] = bpf_htonl(0xffff);
	mapped[3] = address;
}

static __always_inline void tuple_of(struct tuple *tuple, struct sock *sk, struct tcp_sock *tp)
{
	struct sock_common *common = &sk->__sk_common;

	/* Not skc_num, which a socket gives back before its state becomes CLOSE. */
	tuple->local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	tuple->remote_port = bpf_ntohs(common->skc_dport);
	if (common->skc_family == AF_INET || !bpf_core_field_exists(common->skc_v6_daddr)) {
		map_ipv4(tuple->local, common->skc_rcv_saddr);
		map_ipv4(tuple->remote, common->skc_daddr);
		return;
	}
	for (int i = 0; i < 4; i++) {
		tuple->local[i] = common->skc_v6_rcv_saddr.in6_u.u6_addr32[i];
		tuple->remote[i] = common->skc_v6_daddr.in6_u.u6_addr32[i];
	}
}

static __always_inline bool is_ipv4(u32 *address)
{
	return !address[0] && !address[1] && address[2] == bpf_htonl(0xffff);
}

static __always_inline bool port_asked_for(struct tuple *tuple)
{
	for (u32 i = 0; i < MAX_PORTS && i < asked.ports; i++)
		if (asked.port[i] == tuple->local_port || asked.port[i] == tuple->remote_port)
			return true;
	/* It has no local port yet: checked again when it has. */
	return !tuple->local_port;
}

static __always_inline bool remote_asked_for(struct tuple *tuple)
{
	for (u32 i = 0; i < MAX_CIDRS && i < asked.cidrs; i++) {
		u32 differs = 0;

		for (int word = 0; word < 4; word++)
			differs |= (tuple->remote[word] ^ asked.cidr[i].address[word]) &
				   asked.cidr[i].mask[word];
		if (!differs)
			return true;
	}
	return false;
}

/* Whether a connection passes the filter on its ends. */
static __always_inline bool asked_for(struct sock *sk, struct tcp_sock *tp)
{
	struct tuple tuple;

	if (!ends_asked_for())
		return true;
	tuple_of(&tuple, sk, tp);
	if (asked.family && is_ipv4(tuple.remote) != (asked.family == 4))
		return false;
	if (asked.ports && !port_asked_for(&tuple))
		return false;
	return !asked.cidrs || remote_asked_for(&tuple);
}

#endif
