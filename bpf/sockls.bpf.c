/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Which sockets are open: a walk over the open files of all tasks, in every network namespace, and
 * one over the TCP sockets of the tool's own, for those that no descriptor refers to. */
#include "kernel.h"
#include "renames.h"

enum counter {
	LOST,
	MAX_COUNTERS,
};

#include "sockls/describe.h"
#include "sockls/lives.h"

/* include/uapi/linux/magic.h: of files in a socket's file system. */
#define SOCKFS_MAGIC 0x534F434B

/* With INTERVAL. */
const volatile bool follows = false;

enum bpf_func_id___sockls {
	BPF_FUNC_sock_from_file___sockls = 162,
};

/* Whether a file's socket can be had as a pointer that may be followed (5.11), by which the kernel
 * gives a socket its cookie, too (5.12). */
static __always_inline bool socket_is_typed(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id___sockls,
					  BPF_FUNC_sock_from_file___sockls);
}

/* Since when the socket is known. */
static __always_inline u64 opened(struct sock *sk)
{
	u64 key = (u64)sk;
	struct life *life;

	if (!follows)
		return 0;
	life = bpf_map_lookup_elem(&lives, &key);
	return life ? life->opened_ns : 0;
}

static __always_inline int list_file(struct bpf_iter__task_file *ctx, struct task_struct *task,
				     struct file *file, struct sock *sk, struct tcp_sock *tp,
				     bool typed)
{
	struct socket_row row = {};

	describe(&row, sk, tp, typed);
	if (!socket_passes(&row))
		return 0;
	row.opened_ns = opened(sk);
	row.pid = task->tgid;
	row.fd = ctx->fd;
	row.inode = file->f_inode->i_ino;
	row.cgroup = task->cgroups->dfl_cgrp->kn->id;
	BPF_CORE_READ_INTO(&row.comm, task, group_leader, comm);
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

/* What is read of a socket may be followed: it has a cookie, too. */
static __always_inline int follow_file(struct bpf_iter__task_file *ctx, struct task_struct *task,
				       struct file *file)
{
	struct socket *socket = bpf_sock_from_file(file);
	struct sock *sk;

	if (!socket || !filter_task_cgroup(task))
		return 0;
	sk = socket->sk;
	if (!sk)
		return 0;
	return list_file(ctx, task, file, sk, bpf_skc_to_tcp_sock(sk), true);
}

static __always_inline int read_file(struct bpf_iter__task_file *ctx, struct task_struct *task,
				     struct file *file)
{
	struct socket *socket;
	struct sock *sk;

	if (file->f_inode->i_sb->s_magic != SOCKFS_MAGIC || !filter_task_cgroup(task))
		return 0;
	socket = file->private_data;
	sk = BPF_CORE_READ(socket, sk);
	if (!sk)
		return 0;
	if (BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP)
		return list_file(ctx, task, file, sk, (void *)sk, false);
	return list_file(ctx, task, file, sk, NULL, false);
}

static __always_inline int list(struct bpf_iter__task_file *ctx, bool follow)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;

	if (!task || !file)
		return 0;
	if (filter.pids && !filter_pid(task->tgid))
		return 0;
	return follow ? follow_file(ctx, task, file) : read_file(ctx, task, file);
}

SEC("iter/task_file")
int list_files(struct bpf_iter__task_file *ctx)
{
	return list(ctx, socket_is_typed());
}

/* For kernels that let a file's socket be followed, but no helper take it: 6.18.44 trusts no
 * pointer that comes of one without a reference. */
SEC("iter/task_file")
int list_files_by_reading(struct bpf_iter__task_file *ctx)
{
	return list(ctx, false);
}

/* Also those in TIME_WAIT and SYN_RECV, which are no struct sock. */
SEC("iter/tcp")
int list_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct socket_row row = {};
	struct tcp_sock *tp;

	if (!common)
		return 0;
	tp = bpf_skc_to_tcp_sock(common);
	if (tp) {
		struct sock *sk = &tp->inet_conn.icsk_inet.sk;

		describe(&row, sk, tp, true);
		row.opened_ns = opened(sk);
	} else {
		describe_common(&row, common, true);
		row.id = (u64)common;
		row.protocol = IPPROTO_TCP;
		row.uid = ctx->uid;
	}
	if (socket_passes(&row))
		bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
