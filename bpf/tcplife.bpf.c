/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * TCP connections, each from its begin to its end. One tracepoint reports all changes of a socket's
 * state (net/ipv4/tcp.c, tcp_set_state()):
 *
 * - A process that connects sets SYN_SENT itself. The next state comes with a packet, while any
 *   task may be running: ESTABLISHED, or CLOSE if it was refused, or given up.
 * - An incoming connection goes from SYN_RECV to ESTABLISHED by a packet; later a task accepts it.
 * - A process that closes it, or ends it by shutdown(2), sets FIN_WAIT1, or LAST_ACK if the other
 *   end did so first; or CLOSE at once, if it left data unread, or does not linger.
 * - CLOSE comes once, when the socket is done: TIME_WAIT does not keep the socket (tcp_time_wait()
 *   sets CLOSE), nor do requests that wait to become connections.
 */
#include "kernel.h"
#include "filter.h"
#include "endpoints.h"

enum counter {
	ACCEPTED,
	CONNECTED,
	FAILED,
	CLOSED,
	TX_BYTES,
	RX_BYTES,
	RETRANSMITS,
	LOST,
	MAX_COUNTERS,
};

#include "event.h"
#include "tcplife/life.h"

struct event {
	u64 ts_ns;
	u64 opened_ns;
	u64 tx_bytes;
	u64 rx_bytes;
	u32 retransmits;
	u32 srtt_us; /* eighths */
	u32 pid;
	u32 direction;
	struct tuple tuple;
	char comm[TASK_COMM_LEN];
	u32 netns;
};

const struct event *unused_event __attribute__((unused));

/* The amount of data that a socket moved. */
struct moved {
	u64 tx_bytes;
	u64 rx_bytes;
	u32 retransmits;
	u32 srtt_us;
};

static __always_inline void tuple_of(struct tuple *tuple, struct sock *sk, struct tcp_sock *tp)
{
	addresses_of(tuple, &sk->__sk_common, true);
	/* Not skc_num, which a socket gives back before its state becomes CLOSE. */
	tuple->local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
}

/* Whether a connection passes the filter on its ends. One without a local port yet is checked again
 * when it has one. */
static __always_inline bool asked_for(struct sock *sk, struct tcp_sock *tp)
{
	struct tuple tuple;

	if (!endpoint_filter_is_set())
		return true;
	tuple_of(&tuple, sk, tp);
	if (!addresses_pass(&tuple))
		return false;
	return !endpoint_filter.ports || !tuple.local_port || ports_pass(&tuple);
}

/* The direction in which it was opened, from the socket alone: an incoming one has its listener's
 * limit of waiting connections (sk_clone_lock() copies it). */
static __always_inline u32 direction_of(struct sock *sk)
{
	return sk->sk_max_ack_backlog ? IN : OUT;
}

static __always_inline int connects(struct sock *sk, struct tcp_sock *tp)
{
	struct life life = {.direction = OUT};

	if (!filter_current() || !asked_for(sk, tp))
		return 0;
	life_is_current(&life);
	life_begins((u64)sk, &life);
	return 0;
}

/* What is counted without an event. */
static __always_inline void count_one(struct life *life, u32 counter)
{
	struct counters *bank;

	if (send_events)
		return;
	bank = counters_of(life);
	if (bank)
		add(bank, counter, 1);
}

/* Counts a connection that was opened after the start: once, when its owner is known or never will
 * be. */
static __always_inline void count_opened(struct life *life)
{
	count_one(life, life->direction == IN ? ACCEPTED : CONNECTED);
}

static __always_inline int opens(struct sock *sk, struct tcp_sock *tp, int from)
{
	struct life *found = life_of((u64)sk);

	/* An attempt that began before the start, or was filtered out. */
	if (!found && from != TCP_SYN_RECV)
		return 0;
	/* Its own port was not known when it began. */
	if (!asked_for(sk, tp)) {
		if (found)
			life_ends((u64)sk);
		return 0;
	}
	/* At the address of a connection whose end was missed. */
	if (found && found->opened_ns) {
		life_ends((u64)sk);
		if (from != TCP_SYN_RECV)
			return 0;
		found = NULL;
	}
	if (!found) {
		waits((u64)sk, bpf_ktime_get_ns());
		return 0;
	}
	/* This end connected; or it has accepted already (TCP Fast Open). */
	found->opened_ns = bpf_ktime_get_ns();
	count_opened(found);
	return 0;
}

/* The running task owns a connection from now on, possibly one that waited to be accepted. */
static __always_inline void owns(u64 sk, u32 direction, u64 opened_ns)
{
	struct life life = {.direction = direction, .opened_ns = opened_ns};

	life_is_current(&life);
	if (opened_ns)
		count_opened(&life);
	life_begins(sk, &life);
}

/* The running task has accepted it. `typed`: the pointer may be followed. */
static __always_inline int accepts(struct sock *sk, bool typed)
{
	u64 opened_ns;
	u8 state;

	if (field_of(typed, sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	opened_ns = take_waiting((u64)sk);
	if (!filter_current())
		return 0;
	/* Opened before the start, or not yet (TCP Fast Open); or filtered out. */
	if (!opened_ns && (endpoint_filter_is_set() || life_of((u64)sk)))
		return 0;
	owns((u64)sk, IN, opened_ns);
	/* It may have ended in the meantime. */
	state = field_of(typed, sk, __sk_common.skc_state);
	if (state == TCP_CLOSE)
		life_ends((u64)sk);
	return 0;
}

/* Whether the running task is a kernel thread, if the kernel shows it (5.11): MPTCP leaves it to a
 * worker to close its connections, which do not belong to the worker. */
static __always_inline bool current_is_kernel(void)
{
	return task_is_typed() && bpf_get_current_task_btf()->flags & PF_KTHREAD;
}

/* The running task closes the connection: if no owner is known, it becomes the owner. */
static __always_inline int closes(struct sock *sk, struct tcp_sock *tp)
{
	u64 opened_ns;

	if (life_of((u64)sk) || current_is_kernel())
		return 0;
	opened_ns = take_waiting((u64)sk);
	if (!filter_current() || !asked_for(sk, tp))
		return 0;
	owns((u64)sk, opened_ns ? IN : direction_of(sk), opened_ns);
	return 0;
}

/*
 * The bytes of data. The kernel's counters hold one more for each SYN and FIN that was acknowledged
 * or received: tcp_snd_una_update() and tcp_rcv_nxt_update() of net/ipv4/tcp_input.c.
 */
static __always_inline void moved_by(struct moved *moved, struct sock *sk, struct tcp_sock *tp,
				     u32 direction, int from)
{
	moved->tx_bytes = tp->bytes_acked;
	/* A socket that was accepted begins after its SYN. */
	if (direction == OUT && moved->tx_bytes)
		moved->tx_bytes--;
	/* Nothing is unacknowledged, not the FIN either. */
	if (from != TCP_ESTABLISHED && from != TCP_CLOSE_WAIT && tp->snd_una == tp->write_seq &&
	    moved->tx_bytes)
		moved->tx_bytes--;
	moved->rx_bytes = tp->bytes_received;
	/* A FIN was received: tcp_fin() sets the flag. */
	if (sk->__sk_common.skc_flags >> bpf_core_enum_value(enum sock_flags, SOCK_DONE) & 1 &&
	    moved->rx_bytes)
		moved->rx_bytes--;
	moved->retransmits = tp->total_retrans;
	moved->srtt_us = tp->srtt_us;
}

static __always_inline void send(struct sock *sk, struct tcp_sock *tp, struct life *life,
				 struct moved *moved)
{
	struct event *event = event_reserve(sizeof(*event));

	if (!event)
		return;
	event->ts_ns = bpf_ktime_get_ns();
	event->opened_ns = life->opened_ns;
	event->tx_bytes = moved->tx_bytes;
	event->rx_bytes = moved->rx_bytes;
	event->retransmits = moved->retransmits;
	event->srtt_us = moved->srtt_us;
	event->pid = life->who.owner.id[0];
	event->direction = life->direction;
	tuple_of(&event->tuple, sk, tp);
	__builtin_memcpy(event->comm, life->who.names.comm, sizeof(event->comm));
	event->netns = netns_of(&sk->__sk_common, true);
	event_submit(event);
}

/* A connection has ended. */
static __always_inline void report_end(struct sock *sk, struct tcp_sock *tp, struct life *life,
				       int from)
{
	struct moved moved = {};
	struct counters *bank;

	moved_by(&moved, sk, tp, life->direction, from);
	if (send_events) {
		send(sk, tp, life, &moved);
		return;
	}
	bank = counters_of(life);
	if (!bank)
		return;
	add(bank, CLOSED, 1);
	add(bank, TX_BYTES, moved.tx_bytes);
	add(bank, RX_BYTES, moved.rx_bytes);
	if (moved.retransmits)
		add(bank, RETRANSMITS, moved.retransmits);
}

/* Whether the running task closes it at once: it has shut down sending before, which otherwise
 * leads to another state (tcp_close(), tcp_shutdown()). */
static __always_inline bool closed_by_current(struct sock *sk, int from)
{
	return (from == TCP_ESTABLISHED || from == TCP_CLOSE_WAIT) &&
	       sk->sk_shutdown & SEND_SHUTDOWN;
}

/* A connection without a known owner: it was not accepted, or was open before the start. */
static __always_inline bool unknown_ends(struct life *life, struct sock *sk, struct tcp_sock *tp,
					 int from)
{
	life->opened_ns = take_waiting((u64)sk);
	life->direction = from == TCP_SYN_SENT ? OUT : life->opened_ns ? IN : direction_of(sk);
	if (!asked_for(sk, tp))
		return false;
	if (closed_by_current(sk, from) && !current_is_kernel() && filter_current())
		life_is_current(life);
	else if (filter_is_set())
		return false;
	if (life->opened_ns)
		count_opened(life);
	return true;
}

static __always_inline int ends(struct sock *sk, struct tcp_sock *tp, int from)
{
	struct life *found = life_of((u64)sk);
	struct life life = {};

	if (found) {
		life = *found;
		life_ends((u64)sk);
	} else if (!unknown_ends(&life, sk, tp, from)) {
		return 0;
	}
	if (from != TCP_SYN_SENT && from != TCP_SYN_RECV)
		report_end(sk, tp, &life, from);
	else if (life.direction == OUT && asked_for(sk, tp))
		count_one(&life, FAILED);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int from, int to)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	/* Other protocols, and the MPTCP socket above its connections. */
	if (!tp)
		return 0;
	if (to == TCP_SYN_SENT)
		return connects(sk, tp);
	if (to == TCP_ESTABLISHED)
		return opens(sk, tp, from);
	if (to == TCP_FIN_WAIT1 || to == TCP_LAST_ACK)
		return closes(sk, tp);
	if (to == TCP_CLOSE && from != TCP_CLOSE && from != TCP_LISTEN)
		return ends(sk, tp, from);
	return 0;
}

#include "accepts.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
