/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Accepted connections. Every way to accept passes the connection's socket through one function, in
 * the task that accepts; its entry suffices. A tool defines accepts() before including this: the
 * running task has accepted a socket, of any protocol; `typed`: its pointer may be followed.
 */
#ifndef EF_ACCEPTS_H
#define EF_ACCEPTS_H

#include "path.h"

SEC("fentry/security_sock_graft")
int BPF_PROG(accept_f, struct sock *sk)
{
	return accepts(sk, true);
}

SEC("kprobe/security_sock_graft")
int BPF_KPROBE(accept_k, struct sock *sk)
{
	return accepts(sk, false);
}

/* The tracepoints of the system calls, for kernels that allow no function to be watched. */

static __always_inline int accepted(long fd)
{
	struct socket *socket;
	struct sock *sk;

	if (fd < 0)
		return 0;
	/* Another thread may have closed it, and the descriptor may be another file's. */
	socket = BPF_CORE_READ(current_file(fd), private_data);
	sk = BPF_CORE_READ(socket, sk);
	return sk ? accepts(sk, false) : 0;
}

SEC("tp/syscalls/sys_exit_accept")
int accept_t(struct sys_exit *ctx)
{
	return accepted(ctx->ret);
}

SEC("tp/syscalls/sys_exit_accept4")
int accept4_t(struct sys_exit *ctx)
{
	return accepted(ctx->ret);
}

#endif
