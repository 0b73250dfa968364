/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The two ends of a socket, and the filter on them (--port, --cidr, --family). The filter is
 * constant: a filter that is not set costs nothing.
 */
#ifndef EF_ENDPOINTS_H
#define EF_ENDPOINTS_H

#include "kernel.h"

#include <bpf/bpf_endian.h>

#define MAX_PORT_RANGES 32
#define MAX_CIDRS 16

/* include/linux/socket.h */
#define AF_INET 2
#define AF_INET6 10
#define MSG_PEEK 0x2
#define MSG_TRUNC 0x20
#define MSG_DONTWAIT 0x40
#define MSG_ERRQUEUE 0x2000
#define MSG_FASTOPEN 0x20000000
/* include/net/tcp.h: of the sysctl tcp_fastopen. */
#define TFO_CLIENT_ENABLE 1

/* A field of a struct: read directly if its pointer may be followed (`typed`). */
#define field_of(typed, from, field) ((typed) ? (from)->field : BPF_CORE_READ(from, field))

/* Addresses in the form of IPv6, those of IPv4 mapped (::ffff:a.b.c.d), in network byte order: an
 * IPv4 address is then the same for sockets of either family. What is not known is 0. */
struct tuple {
	u32 local[4];
	u32 remote[4];
	u16 local_port;
	u16 remote_port;
};

/* From the first to the last, both included. */
struct port_range {
	u16 first;
	u16 last;
	u32 excluded;
};

/* Remote addresses that are equal in the bits of a mask. */
struct cidr {
	u32 address[4];
	u32 mask[4];
	u32 excluded;
};

/* Set by common/src/endpoints. */
struct endpoint_filter {
	u32 family;      /* 4, 6; 0: any */
	u32 ports;       /* how many of port[] are set */
	u32 other_ports; /* whether ports in none of them pass */
	u32 cidrs;       /* the same of cidr[] */
	u32 other_addresses;
	struct port_range port[MAX_PORT_RANGES];
	struct cidr cidr[MAX_CIDRS];
};

const volatile struct endpoint_filter endpoint_filter = {};

static __always_inline bool endpoint_filter_is_set(void)
{
	return endpoint_filter.family || endpoint_filter.ports || endpoint_filter.cidrs;
}

static __always_inline void map_ipv4(u32 *mapped, __be32 address)
{
	mapped[0] = 0;
	mapped[1] = 0;
	mapped[2] = bpf_htonl(0xffff);
	mapped[3] = address;
}

static __always_inline bool is_ipv4(u32 *address)
{
	return !address[0] && !address[1] && address[2] == bpf_htonl(0xffff);
}

/* Whether the socket is one of IPv6: if the kernel has no IPv6, there is none. */
static __always_inline bool is_ipv6_socket(struct sock_common *common, bool typed)
{
	return bpf_core_field_exists(common->skc_v6_daddr) &&
	       field_of(typed, common, skc_family) == AF_INET6;
}

/* The ends of a socket, but for its local port. */
static __always_inline void addresses_of(struct tuple *tuple, struct sock_common *common,
					 bool typed)
{
	tuple->remote_port = bpf_ntohs(field_of(typed, common, skc_dport));
	if (!is_ipv6_socket(common, typed)) {
		map_ipv4(tuple->local, field_of(typed, common, skc_rcv_saddr));
		map_ipv4(tuple->remote, field_of(typed, common, skc_daddr));
		return;
	}
	if (!typed) {
		bpf_core_read(tuple->local, sizeof(tuple->local), &common->skc_v6_rcv_saddr);
		bpf_core_read(tuple->remote, sizeof(tuple->remote), &common->skc_v6_daddr);
		return;
	}
	for (int i = 0; i < 4; i++) {
		tuple->local[i] = common->skc_v6_rcv_saddr.in6_u.u6_addr32[i];
		tuple->remote[i] = common->skc_v6_daddr.in6_u.u6_addr32[i];
	}
}

/* The inode number of the socket's network namespace, which a socket never leaves. */
static __always_inline u32 netns_of(struct sock_common *common, bool typed)
{
	if (!bpf_core_field_exists(common->skc_net.net))
		return 0;
	return typed ? common->skc_net.net->ns.inum : BPF_CORE_READ(common, skc_net.net, ns.inum);
}

static __always_inline bool range_has(u32 range, u16 port)
{
	return endpoint_filter.port[range].first <= port &&
	       port <= endpoint_filter.port[range].last;
}

static __always_inline bool ports_pass(struct tuple *tuple)
{
	bool pass = endpoint_filter.other_ports;

	for (u32 i = 0; i < MAX_PORT_RANGES && i < endpoint_filter.ports; i++) {
		if (!range_has(i, tuple->local_port) && !range_has(i, tuple->remote_port))
			continue;
		if (endpoint_filter.port[i].excluded)
			return false;
		pass = true;
	}
	return pass;
}

static __always_inline bool remote_passes(struct tuple *tuple)
{
	bool pass = endpoint_filter.other_addresses;

	for (u32 i = 0; i < MAX_CIDRS && i < endpoint_filter.cidrs; i++) {
		u32 differs = 0;

		for (int word = 0; word < 4; word++)
			differs |= (tuple->remote[word] ^ endpoint_filter.cidr[i].address[word]) &
				   endpoint_filter.cidr[i].mask[word];
		if (differs)
			continue;
		if (endpoint_filter.cidr[i].excluded)
			return false;
		pass = true;
	}
	return pass;
}

/* Whether a socket with these ends passes the filter but for its ports. */
static __always_inline bool addresses_pass(struct tuple *tuple)
{
	if (endpoint_filter.family && is_ipv4(tuple->remote) != (endpoint_filter.family == 4))
		return false;
	return !endpoint_filter.cidrs || remote_passes(tuple);
}

#endif
