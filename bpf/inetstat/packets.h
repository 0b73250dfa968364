/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* What is not a call's result: connections as they begin, and what packets bring about. */

/*
 * Attempts to connect: a process sets SYN_SENT. If the attempt fails, CLOSE follows, mostly by a
 * packet or a timer. A process that listens sets LISTEN.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int from, int to)
{
	struct stats *stats;

	if (from == TCP_SYN_SENT && to == TCP_CLOSE)
		return count_of_socket(sk, CONNECT_ERRORS);
	if (from != TCP_CLOSE || (to != TCP_SYN_SENT && to != TCP_LISTEN))
		return 0;
	/* One that listens is only remembered. */
	stats = stats_of_call(sk, true);
	if (stats && to == TCP_SYN_SENT)
		add_to(stats, CONNECTS, 1);
	return 0;
}

/*
 * Newer kernels (6.10) pass resets without a socket, too, and those of one that is not a whole one:
 * of a request, or in TIME_WAIT. The helper asks for both. Some verifiers believe that the pointer
 * is never NULL, and leave out a comparison.
 */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(on_reset_sent, struct sock *sk)
{
	if (!sk || !bpf_skc_to_tcp_sock(sk))
		return 0;
	return count_of_socket(sk, RESETS_SENT);
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(on_reset_received, struct sock *sk)
{
	return count_of_socket(sk, RESETS_RECEIVED);
}

/* The segments that a packet of TCP is sent as: tcp_skb_pcount(). Read bytewise, as the type of the
 * array has it. */
static __always_inline u32 segments_of(struct sk_buff *skb)
{
	struct tcp_skb_cb *cb = (void *)skb->cb;
	u8 *at =
	    (u8 *)skb + bpf_core_field_offset(skb->cb) + bpf_core_field_offset(cb->tcp_gso_segs);

	return *(volatile u8 *)at | *(volatile u8 *)(at + 1) << 8;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit, struct sock *sk, struct sk_buff *skb)
{
	struct stats *stats = stats_of_socket(sk);

	if (!stats)
		return 0;
	add_to(stats, RETRANSMITS, segments_of(skb));
	add_to(stats, RETRANSMIT_BYTES, skb->len);
	return 0;
}

/* Of the listening socket. */
SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(on_synack, struct sock *sk)
{
	return count_of_socket(sk, RETRANSMITS);
}

SEC("tp_btf/udp_fail_queue_rcv_skb")
int BPF_PROG(on_drop, int rc, struct sock *sk)
{
	return count_of_socket(sk, DROPS);
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(on_destroy, struct sock *sk)
{
	u64 key = (u64)sk;

	bpf_map_delete_elem(&users, &key);
	return 0;
}
