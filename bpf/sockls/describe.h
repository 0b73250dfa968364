/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* What is told of a socket. `typed`: its pointer may be followed. */
#ifndef EF_SOCKLS_DESCRIBE_H
#define EF_SOCKLS_DESCRIBE_H

#include "endpoints.h"
#include "filter.h"

/* Bits of socket_row.marks. */
#define ENDED 1  /* the kernel is about to free it */
#define PASSES 2 /* of one that ended: its owner passes --pid and --cgroup */

/* A socket, and one of its holders. A socket that no descriptor refers to has no pid, unless it is
 * known who opened or closed it. */
struct socket_row {
	u64 id; /* the address of its struct sock: the same for all holders */
	u64 ts_ns;
	u64 opened_ns; /* 0: not known */
	u64 inode;
	u64 cookie;
	u64 cgroup;
	u64 tx_bytes;
	u64 rx_bytes;
	u64 pacing_bytes;
	struct tuple ends;
	u32 pid;
	u32 fd;
	u32 uid;
	u32 netns;
	u32 ifindex;
	u32 rx_queue_bytes;
	u32 tx_queue_bytes;
	u32 retransmits;
	u32 lost_segments;
	u32 srtt_us;
	u32 rttvar_us;
	u32 rcv_rtt_us;
	u32 min_rtt_us;
	u32 cwnd;
	u32 mss;
	u32 backlog;
	u32 backlog_max; /* of an accepted connection: its listener's */
	u32 marks;
	u16 family;
	u16 protocol;
	u16 kind; /* SOCK_STREAM and so on; 0: no struct sock */
	u16 state;
	char comm[TASK_COMM_LEN];
};

const struct socket_row *unused_socket_row __attribute__((unused));

static __always_inline bool is_ip(struct socket_row *row)
{
	return row->family == AF_INET || row->family == AF_INET6;
}

enum bpf_func_id___describe {
	BPF_FUNC_check_mtu___describe = 163,
};

/* The socket's cookie, which the kernel gives it when it is first asked for: here, where programs
 * like these may ask (5.12, as this other function). */
static __always_inline u64 cookie_of(struct sock_common *common, bool typed)
{
	if (typed &&
	    bpf_core_enum_value_exists(enum bpf_func_id___describe, BPF_FUNC_check_mtu___describe))
		return bpf_get_socket_cookie(common);
	return field_of(typed, common, skc_cookie.counter);
}

/* What all kinds of socket have, TIME_WAIT and SYN_RECV among them. */
static __always_inline void describe_common(struct socket_row *row, struct sock_common *common,
					    bool typed)
{
	row->ts_ns = bpf_ktime_get_ns();
	row->family = field_of(typed, common, skc_family);
	row->state = field_of(typed, common, skc_state);
	if (bpf_core_field_exists(common->skc_net.net))
		row->netns = typed ? common->skc_net.net->ns.inum
				   : BPF_CORE_READ(common, skc_net.net, ns.inum);
	row->ifindex = field_of(typed, common, skc_bound_dev_if);
	row->cookie = cookie_of(common, typed);
	if (!is_ip(row))
		return;
	addresses_of(&row->ends, common, typed);
	row->ends.local_port = field_of(typed, common, skc_num);
}

/* A listener moves no data, and its fields for that mean nothing. */
static __always_inline void describe_tcp(struct socket_row *row, struct tcp_sock *tp, u64 flags,
					 bool typed)
{
	/* Data alone: what was acknowledged (bytes_acked) has a SYN and a FIN in it. */
	row->tx_bytes = field_of(typed, tp, bytes_sent) - field_of(typed, tp, bytes_retrans);
	row->rx_bytes = field_of(typed, tp, bytes_received);
	/* And so has this, once a FIN was received: tcp_fin() sets the flag. */
	if (flags >> bpf_core_enum_value(enum sock_flags, SOCK_DONE) & 1 && row->rx_bytes)
		row->rx_bytes--;
	row->rx_queue_bytes = field_of(typed, tp, rcv_nxt) - field_of(typed, tp, copied_seq);
	row->tx_queue_bytes = field_of(typed, tp, write_seq) - field_of(typed, tp, snd_una);
	row->retransmits = field_of(typed, tp, total_retrans);
	row->lost_segments = field_of(typed, tp, lost);
	/* Kept in eighths, and in quarters (tcp_get_info() of net/ipv4/tcp.c). */
	row->srtt_us = field_of(typed, tp, srtt_us) >> 3;
	row->rttvar_us = field_of(typed, tp, mdev_us) >> 2;
	row->rcv_rtt_us = field_of(typed, tp, rcv_rtt_est.rtt_us) >> 3;
	row->min_rtt_us = field_of(typed, tp, rtt_min.s[0].v);
	row->cwnd = field_of(typed, tp, snd_cwnd);
	row->mss = field_of(typed, tp, mss_cache);
}

/* What is kept of UDP's memory for later is not in use (udp_rqueue_get() of include/net/udp.h). */
static __always_inline u32 deferred(struct socket_row *row, struct sock *sk)
{
	bool udp = row->protocol == IPPROTO_UDP || row->protocol == IPPROTO_UDPLITE;

	return udp && is_ip(row) ? BPF_CORE_READ((struct udp_sock *)sk, forward_deficit) : 0;
}

static __always_inline void describe(struct socket_row *row, struct sock *sk, struct tcp_sock *tp,
				     bool typed)
{
	describe_common(row, &sk->__sk_common, typed);
	row->id = (u64)sk;
	row->protocol = field_of(typed, sk, sk_protocol);
	row->kind = field_of(typed, sk, sk_type);
	row->uid = field_of(typed, sk, sk_uid.val);
	row->backlog = field_of(typed, sk, sk_ack_backlog);
	row->backlog_max = field_of(typed, sk, sk_max_ack_backlog);
	if (row->state == TCP_LISTEN && row->protocol == IPPROTO_TCP)
		return;
	if (tp) {
		row->pacing_bytes = field_of(typed, sk, sk_pacing_rate);
		describe_tcp(row, tp, field_of(typed, sk, __sk_common.skc_flags), typed);
		return;
	}
	row->rx_queue_bytes =
	    field_of(typed, sk, sk_backlog.rmem_alloc.counter) - deferred(row, sk);
	/* One is the socket's own. */
	row->tx_queue_bytes = field_of(typed, sk, sk_wmem_alloc.refs.counter) - 1;
}

/* Whether the socket passes the filters on who made it and on its ends. One that has no ends does
 * not pass the latter. */
static __always_inline bool socket_passes(struct socket_row *row)
{
	if (filter.users && !filter_user(row->uid))
		return false;
	if (!endpoint_filter_is_set())
		return true;
	if (!is_ip(row))
		return false;
	if (!addresses_pass(&row->ends))
		return false;
	return !endpoint_filter.ports || ports_pass(&row->ends);
}

#endif
