/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * TCP: what programs send to a server and receive from it, as they pass it to the kernel, for a
 * packet's data is out of reach. A message has its length before it, and may come in several calls;
 * a call may have several messages. User space puts them together.
 */

/* The parts of a program's memory that a call is about; none if it is the kernel's. */
static __always_inline void parts_of(struct part *part, struct msghdr *msg)
{
	struct iov_iter *iter = &msg->msg_iter;
	u64 skip = BPF_CORE_READ(iter, iov_offset), parts;
	const struct iovec *iov;

	if (iter_is_ubuf(iter)) {
		part[0].at = (u64)BPF_CORE_READ(iter, ubuf) + skip;
		part[0].len = BPF_CORE_READ(iter, count);
		return;
	}
	if (iter_type(iter) != bpf_core_enum_value(enum iter_type, ITER_IOVEC))
		return;
	iov = iter_iovec(iter);
	parts = BPF_CORE_READ(iter, nr_segs);
	for (u32 i = 0; i < MAX_PARTS && i < parts; i++) {
		struct iovec one = {};

		bpf_probe_read_kernel(&one, sizeof(one), iov + i);
		part[i].at = (u64)one.iov_base;
		part[i].len = one.iov_len;
		if (i)
			continue;
		part[i].at += skip;
		part[i].len -= skip;
	}
}

/* Whether a socket is one that asks a server. */
static __always_inline bool asks_by_tcp(struct sock *sk, struct tuple *tuple, bool typed)
{
	if (field_of(typed, sk, sk_protocol) != IPPROTO_TCP)
		return false;
	if (!port_is_asked_for(bpf_ntohs(field_of(typed, sk, __sk_common.skc_dport))))
		return false;
	addresses_of(tuple, &sk->__sk_common, typed);
	tuple->local_port = field_of(typed, sk, __sk_common.skc_num);
	return addresses_pass(tuple);
}

/* struct sockaddr_in and struct sockaddr_in6. */
struct address {
	u16 family;
	__be16 port;
	__be32 ipv4; /* of IPv6, the flow */
	u32 ipv6[4];
};

/* Whether the kernel opens connections so, in the socket's network namespace. */
static __always_inline bool fast_open_is_enabled(struct sock *sk)
{
	struct net *net;
	u8 enabled = 0;

	if (!bpf_core_field_exists(sk->__sk_common.skc_net.net))
		return true;
	net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
	/* An int in old kernels (5.10), of which this is the lowest byte. */
	bpf_core_read(&enabled, sizeof(enabled), &net->ipv4.sysctl_tcp_fastopen);
	return enabled & TFO_CLIENT_ENABLE;
}

/* A send that opens its connection (TCP Fast Open) names the other end, and its own end is not
 * known yet. One that waits returns when its data is sent. One that does not wait says that it took
 * none unless the kernel has a server's cookie, and the data comes again when the connection is
 * there. */
static __always_inline bool opens_by_tcp(struct sock *sk, struct msghdr *msg, struct tuple *tuple,
					 bool typed)
{
	struct address name = {};
	u32 flags;

	if (field_of(typed, sk, sk_protocol) != IPPROTO_TCP ||
	    field_of(typed, sk, __sk_common.skc_state) != TCP_CLOSE)
		return false;
	flags = BPF_CORE_READ(msg, msg_flags);
	if (!(flags & MSG_FASTOPEN) || flags & MSG_DONTWAIT || !fast_open_is_enabled(sk))
		return false;
	bpf_probe_read_kernel(&name, sizeof(name), BPF_CORE_READ(msg, msg_name));
	tuple->remote_port = bpf_ntohs(name.port);
	if (name.family == AF_INET)
		map_ipv4(tuple->remote, name.ipv4);
	else if (name.family == AF_INET6)
		__builtin_memcpy(tuple->remote, name.ipv6, sizeof(name.ipv6));
	else
		return false;
	return port_is_asked_for(tuple->remote_port) && addresses_pass(tuple);
}

/* Whether a send will be accepted, as far as the socket tells: a connection that does not exist yet
 * or no more takes nothing, but from a call that waits for it. */
static __always_inline bool takes_data(struct sock *sk, struct msghdr *msg, bool typed)
{
	u8 state = field_of(typed, sk, __sk_common.skc_state);

	if (field_of(typed, sk, sk_err) || field_of(typed, sk, sk_shutdown) & SEND_SHUTDOWN)
		return false;
	if (state == TCP_SYN_SENT)
		return !(BPF_CORE_READ(msg, msg_flags) & MSG_DONTWAIT);
	return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT;
}

/* Passes on so many bytes of a call, part by part; what is beyond the parts that are known, without
 * its bytes. */
static __always_inline void pass_on_parts(struct message *message, struct part *part, u64 size)
{
	for (int i = 0; i < MAX_PARTS && size; i++) {
		u32 len = part[i].len < size ? part[i].len : size;

		if (!len)
			continue;
		message->len = len;
		message->captured = at_most(len, most_bytes);
		pass_on(message, (void *)part[i].at, true);
		size -= len;
	}
	if (!size)
		return;
	message->len = size;
	message->captured = 0;
	pass_on(message, NULL, true);
}

static __always_inline int tcp_sends(struct sock *sk, struct msghdr *msg, u64 size, bool typed)
{
	struct message message = {.way = TCP_QUERY, .object = (u64)sk};
	struct part part[MAX_PARTS] = {};

	if (asks_by_tcp(sk, &message.tuple, typed) ? !takes_data(sk, msg, typed)
						   : !opens_by_tcp(sk, msg, &message.tuple, typed))
		return 0;
	if (!filter_current())
		return 0;
	message.netns = netns_of(&sk->__sk_common, typed);
	message.ts_ns = bpf_ktime_get_ns();
	asks(&message);
	parts_of(part, msg);
	pass_on_parts(&message, part, size);
	return 0;
}

static __always_inline int tcp_receive_begins(struct sock *sk, struct msghdr *msg, int flags,
					      bool typed)
{
	struct start start = {.sk = (u64)sk};
	struct tuple tuple;

	/* Neither what stays in the buffer nor what is not data of the other end. */
	if (flags & (MSG_PEEK | MSG_ERRQUEUE) || !asks_by_tcp(sk, &tuple, typed))
		return 0;
	/* Else it is read, but not written to the program's memory. */
	if (!(flags & MSG_TRUNC))
		parts_of(start.part, msg);
	if (!keep_start(&start))
		count(LOST, 1);
	return 0;
}

static __always_inline int tcp_receive_ends(int ret)
{
	struct message message = {.way = TCP_ANSWER};
	struct start *found = find_start();
	struct start start;
	struct sock *sk;

	if (!found || !found->ts_ns)
		return 0;
	start = *found;
	end_start(found);
	sk = (void *)start.sk;
	if (ret <= 0 || !asks_by_tcp(sk, &message.tuple, false))
		return 0;
	message.object = start.sk;
	message.netns = netns_of(&sk->__sk_common, false);
	message.ts_ns = bpf_ktime_get_ns();
	pass_on_parts(&message, start.part, ret);
	return 0;
}

/* Most receives are not of a server: no look-up for them. */
static __always_inline int tcp_receive_of(struct sock *sk, int ret)
{
	if (sk->sk_protocol != IPPROTO_TCP ||
	    !port_is_asked_for(bpf_ntohs(sk->__sk_common.skc_dport)))
		return 0;
	return tcp_receive_ends(ret);
}

SEC("fentry/inet_sendmsg")
int BPF_PROG(tcp_query_f, struct socket *sock, struct msghdr *msg, u64 size)
{
	return tcp_sends(sock->sk, msg, size, true);
}

SEC("fentry/inet6_sendmsg")
int BPF_PROG(tcp_query6_f, struct socket *sock, struct msghdr *msg, u64 size)
{
	return tcp_sends(sock->sk, msg, size, true);
}

SEC("fentry/inet_recvmsg")
int BPF_PROG(tcp_answer_f, struct socket *sock, struct msghdr *msg, u64 size, int flags)
{
	return tcp_receive_begins(sock->sk, msg, flags, true);
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(tcp_answer_fx, struct socket *sock, struct msghdr *msg, u64 size, int flags, int ret)
{
	return tcp_receive_of(sock->sk, ret);
}

SEC("fentry/inet6_recvmsg")
int BPF_PROG(tcp_answer6_f, struct socket *sock, struct msghdr *msg, u64 size, int flags)
{
	return tcp_receive_begins(sock->sk, msg, flags, true);
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(tcp_answer6_fx, struct socket *sock, struct msghdr *msg, u64 size, int flags, int ret)
{
	return tcp_receive_of(sock->sk, ret);
}

/* The functions again, by kprobes. */

SEC("kprobe/inet_sendmsg")
int BPF_KPROBE(tcp_query_k, struct socket *sock, struct msghdr *msg, u64 size)
{
	return tcp_sends(BPF_CORE_READ(sock, sk), msg, size, false);
}

SEC("kprobe/inet6_sendmsg")
int BPF_KPROBE(tcp_query6_k, struct socket *sock, struct msghdr *msg, u64 size)
{
	return tcp_sends(BPF_CORE_READ(sock, sk), msg, size, false);
}

SEC("kprobe/inet_recvmsg")
int BPF_KPROBE(tcp_answer_k, struct socket *sock, struct msghdr *msg, u64 size, int flags)
{
	return tcp_receive_begins(BPF_CORE_READ(sock, sk), msg, flags, false);
}

SEC("kretprobe/inet_recvmsg")
int BPF_KRETPROBE(tcp_answer_kx, long ret)
{
	return tcp_receive_ends(ret);
}

SEC("kprobe/inet6_recvmsg")
int BPF_KPROBE(tcp_answer6_k, struct socket *sock, struct msghdr *msg, u64 size, int flags)
{
	return tcp_receive_begins(BPF_CORE_READ(sock, sk), msg, flags, false);
}

SEC("kretprobe/inet6_recvmsg")
int BPF_KRETPROBE(tcp_answer6_kx, long ret)
{
	return tcp_receive_ends(ret);
}
