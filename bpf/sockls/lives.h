/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * With INTERVAL: TCP sockets from their begin to their end, so that one that lives between two
 * looks is told, too. Two tracepoints, which a connection passes a few times in its life; none for
 * packets.
 */
#ifndef EF_SOCKLS_LIVES_H
#define EF_SOCKLS_LIVES_H

#include "describe.h"
#include "event.h"

/* What a connection had moved when it was done, and its ends: a socket that is reset by its owner,
 * or was never accepted, forgets them before it is freed (tcp_disconnect()). */
struct done {
	u64 tx_bytes;
	u64 rx_bytes;
	u32 retransmits;
	u32 lost_segments;
	u32 srtt_us;
	struct tuple ends; /* without a remote port: not done */
};

/* Not a connection of its own: two packets that would each complete one request were taken at once
 * by two processors, and the other's socket became it (inet_ehash_nolisten()). */
#define TWIN (~0ULL)

/* Since when a socket is known, and who opened or else closed it. */
struct life {
	u64 opened_ns; /* 0: before the start; TWIN */
	u64 cgroup;
	struct done done;
	u32 pid; /* 0: not known */
	u32 passes;
	char comm[TASK_COMM_LEN];
};

/* By the socket's address; removed when the kernel frees it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	/* Set before loading, to --max-open. */
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, struct life);
} lives SEC(".maps");

/* Whether the running task has the socket, rather than an interrupt that came upon that task; a
 * kernel thread closes for others (MPTCP). */
static __always_inline bool current_has(struct sock *sk)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return sk->sk_lock.owned && !(BPF_CORE_READ(task, flags) & PF_KTHREAD);
}

static __always_inline void life_is_current(struct life *life)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	life->pid = bpf_get_current_pid_tgid() >> 32;
	life->passes = filter_current_process();
	life->cgroup = bpf_get_current_cgroup_id();
	BPF_CORE_READ_INTO(&life->comm, task, group_leader, comm);
}

static __always_inline void keep(u64 key, struct life *life)
{
	if ((int)bpf_map_update_elem(&lives, &key, life, BPF_ANY))
		count(LOST, 1);
}

static __always_inline int begins(struct sock *sk)
{
	struct life life = {.opened_ns = bpf_ktime_get_ns()};

	if (current_has(sk))
		life_is_current(&life);
	keep((u64)sk, &life);
	return 0;
}

/* The running task closes it: it is the owner if no other is known. */
static __always_inline int closes(struct sock *sk)
{
	struct life unknown = {}, *known;
	u64 key = (u64)sk;

	if (!current_has(sk))
		return 0;
	known = bpf_map_lookup_elem(&lives, &key);
	if (known) {
		if (!known->pid)
			life_is_current(known);
		return 0;
	}
	life_is_current(&unknown);
	keep(key, &unknown);
	return 0;
}

static __always_inline void local_port_of(struct tuple *ends, struct tcp_sock *tp)
{
	/* Not skc_num, which a socket gives back before. */
	ends->local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
}

/* A connection is done. Its socket may be open for longer. */
static __always_inline int done(struct sock *sk, int from)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct life unknown = {}, *known;
	struct socket_row row = {};
	u64 key = (u64)sk;
	struct done done = {};

	if (!tp)
		return 0;
	/* No packet was for it. */
	if (from == TCP_SYN_RECV && !tp->segs_in) {
		unknown.opened_ns = TWIN;
		keep(key, &unknown);
		return 0;
	}
	describe(&row, sk, tp, true);
	local_port_of(&row.ends, tp);
	done.tx_bytes = row.tx_bytes;
	done.rx_bytes = row.rx_bytes;
	done.retransmits = row.retransmits;
	done.lost_segments = row.lost_segments;
	done.srtt_us = row.srtt_us;
	done.ends = row.ends;
	known = bpf_map_lookup_elem(&lives, &key);
	if (known) {
		known->done = done;
		if (!known->pid && current_has(sk))
			life_is_current(known);
		return 0;
	}
	unknown.done = done;
	if (current_has(sk))
		life_is_current(&unknown);
	keep(key, &unknown);
	return 0;
}

static __always_inline void as_when_done(struct socket_row *row, struct done *done)
{
	row->tx_bytes = done->tx_bytes;
	row->rx_bytes = done->rx_bytes;
	row->retransmits = done->retransmits;
	row->lost_segments = done->lost_segments;
	row->srtt_us = done->srtt_us;
	row->ends = done->ends;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int from, int to)
{
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (to == TCP_SYN_SENT || to == TCP_LISTEN ||
	    (to == TCP_ESTABLISHED && from == TCP_SYN_RECV))
		return begins(sk);
	if (to == TCP_FIN_WAIT1 || to == TCP_LAST_ACK)
		return closes(sk);
	if (to == TCP_CLOSE && from != TCP_CLOSE && from != TCP_LISTEN)
		return done(sk, from);
	return 0;
}

/* The kernel is about to free it: no descriptor refers to it, and no packet reaches it. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(on_end, struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct life life = {}, *known;
	u64 key = (u64)sk;
	struct socket_row *row;

	known = bpf_map_lookup_elem(&lives, &key);
	if (known) {
		life = *known;
		bpf_map_delete_elem(&lives, &key);
	}
	if (!tp || life.opened_ns == TWIN)
		return 0;
	if (!life.pid && current_has(sk))
		life_is_current(&life);
	row = event_reserve(sizeof(*row));
	if (!row)
		return 0;
	__builtin_memset(row, 0, sizeof(*row));
	describe(row, sk, tp, true);
	local_port_of(&row->ends, tp);
	if (!row->ends.remote_port && life.done.ends.remote_port)
		as_when_done(row, &life.done);
	if (!socket_passes(row)) {
		bpf_ringbuf_discard(row, BPF_RB_NO_WAKEUP);
		return 0;
	}
	row->opened_ns = life.opened_ns;
	row->pid = life.pid;
	row->cgroup = life.cgroup;
	__builtin_memcpy(row->comm, life.comm, sizeof(row->comm));
	row->marks = ENDED | (life.pid && life.passes ? PASSES : 0);
	event_submit(row);
	return 0;
}

#endif
