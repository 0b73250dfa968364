/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The system calls themselves, for kernels that allow no function to be watched. */

/* include/uapi/asm-generic/fcntl.h */
#define O_WRONLY 00000001
#define O_CREAT 00000100
#define O_TRUNC 00001000

SEC("tp/syscalls/sys_enter_open")
int open_t(struct sys_enter *ctx)
{
	return open_begins(AT_FDCWD, ctx->args[0], (u32)ctx->args[1], NULL);
}

SEC("tp/syscalls/sys_exit_open")
int open_tx(struct sys_exit *ctx)
{
	return opened(ctx->ret);
}

SEC("tp/syscalls/sys_enter_creat")
int creat_t(struct sys_enter *ctx)
{
	return open_begins(AT_FDCWD, ctx->args[0], O_CREAT | O_WRONLY | O_TRUNC, NULL);
}

SEC("tp/syscalls/sys_exit_creat")
int creat_tx(struct sys_exit *ctx)
{
	return opened(ctx->ret);
}

SEC("tp/syscalls/sys_enter_openat")
int openat_t(struct sys_enter *ctx)
{
	return open_begins(ctx->args[0], ctx->args[1], (u32)ctx->args[2], NULL);
}

SEC("tp/syscalls/sys_exit_openat")
int openat_tx(struct sys_exit *ctx)
{
	return opened(ctx->ret);
}

SEC("tp/syscalls/sys_enter_openat2")
int openat2_t(struct sys_enter *ctx)
{
	u64 flags = 0;

	bpf_probe_read_user(&flags, sizeof(flags), (void *)ctx->args[2]);
	return open_begins(ctx->args[0], ctx->args[1], flags, NULL);
}

SEC("tp/syscalls/sys_exit_openat2")
int openat2_tx(struct sys_exit *ctx)
{
	return opened(ctx->ret);
}

SEC("tp/syscalls/sys_enter_open_by_handle_at")
int handle_t(struct sys_enter *ctx)
{
	return open_begins(ctx->args[0], 0, (u32)ctx->args[2], NULL);
}

SEC("tp/syscalls/sys_exit_open_by_handle_at")
int handle_tx(struct sys_exit *ctx)
{
	return opened_by_handle(ctx->ret);
}

/* Only for events: which descriptor, and when. */
SEC("tp/syscalls/sys_enter_close")
int close_t(struct sys_enter *ctx)
{
	return close_begins(ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_close")
int close_tx(struct sys_exit *ctx)
{
	struct start none = {};

	if (send_events)
		return end_close(NULL, ctx->ret);
	if (!filter_current())
		return 0;
	return closed(&none, NULL, ctx->ret);
}
