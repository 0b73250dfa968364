/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Sends and receives, when they return. */

/* Whatever the protocol, and by whatever call: sock_sendmsg() and sock_recvmsg() of net/socket.c.
 */

SEC("tp_btf/sock_send_length")
int BPF_PROG(send_b, struct sock *sk, int ret)
{
	return sent(sk, ret, true);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(receive_b, struct sock *sk, int ret, int flags)
{
	return received(sk, ret, flags, true);
}

/* The functions of sockets of either family: an IPv6 socket passes its own only, also where it
 * sends to an IPv4 address. */

SEC("fexit/inet_sendmsg")
int BPF_PROG(send_f, struct socket *sock, u64 msg, u64 size, int ret)
{
	return sent(sock->sk, ret, true);
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(send6_f, struct socket *sock, u64 msg, u64 size, int ret)
{
	return sent(sock->sk, ret, true);
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(receive_f, struct socket *sock, u64 msg, u64 size, int flags, int ret)
{
	return received(sock->sk, ret, flags, true);
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(receive6_f, struct socket *sock, u64 msg, u64 size, int flags, int ret)
{
	return received(sock->sk, ret, flags, true);
}

/* Before 6.5: sendfile(2) and splice(2) to a socket, each page. */
SEC("fexit/tcp_sendpage")
int BPF_PROG(send_page_f, struct sock *sk, u64 page, int offset, u64 size, int flags, int ret)
{
	return sent(sk, ret, true);
}

/* splice(2) from a socket, which takes no receive. */
SEC("fexit/tcp_splice_read")
int BPF_PROG(splice_f, struct socket *sock, u64 at, u64 pipe, u64 size, u32 flags, long ret)
{
	return received(sock->sk, ret, 0, true);
}
