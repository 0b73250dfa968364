/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * When a SYN comes to a listening TCP socket, how many connections does it have that are not yet
 * established (the SYN backlog), and how many that no accept(2) has taken yet (the accept backlog)?
 * Each SYN is observed before it is queued, or dropped because a queue is full.
 */
#include "probe.bpf.h"

#define MAX_BUCKET 17

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct sock_common {
	u16 skc_num;
};

struct sock {
	struct sock_common __sk_common;
	u32 sk_ack_backlog;
};

struct request_sock_queue {
	atomic_t qlen;
};

struct inet_connection_sock {
	struct request_sock_queue icsk_accept_queue;
};

#pragma clang attribute pop

struct key {
	u32 port;
	u32 bucket;
};

COUNTS(tcp_syn_backlog, HASH, struct key, 16384);
COUNTS(tcp_accept_backlog, HASH, struct key, 16384);

/* Bucket 0 is of 0: the others are one further than those of exp2. */
static __always_inline void observe(void *map, u32 port, u64 value)
{
	struct key key = {.port = port};

	key.bucket = value ? exp2_bucket(value) + 1 : 0;
	if (key.bucket > MAX_BUCKET)
		key.bucket = MAX_BUCKET;
	add_to(map, &key, 1);
	key.bucket = MAX_BUCKET + 1;
	add_to(map, &key, value);
}

SEC("kprobe/tcp_conn_request")
int BPF_KPROBE(asked, void *ops, void *family_ops, struct sock *listener)
{
	struct inet_connection_sock *queues = (void *)listener;
	u32 port = BPF_CORE_READ(listener, __sk_common.skc_num);

	observe(&tcp_syn_backlog, port, BPF_CORE_READ(queues, icsk_accept_queue.qlen.counter));
	observe(&tcp_accept_backlog, port, BPF_CORE_READ(listener, sk_ack_backlog));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
