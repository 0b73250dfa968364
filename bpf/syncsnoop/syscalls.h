/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The tracepoints of the system calls, for kernels that allow no function to be watched. */

SEC("tp/syscalls/sys_enter_sync")
int sync_enter_t(struct sys_enter *ctx)
{
	return enter(SYNC, NO_FD);
}

SEC("tp/syscalls/sys_exit_sync")
int sync_exit_t(struct sys_exit *ctx)
{
	return leave(SYNC, ctx->ret);
}

SEC("tp/syscalls/sys_enter_syncfs")
int syncfs_enter_t(struct sys_enter *ctx)
{
	return enter(SYNCFS, ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_syncfs")
int syncfs_exit_t(struct sys_exit *ctx)
{
	return leave(SYNCFS, ctx->ret);
}

SEC("tp/syscalls/sys_enter_fsync")
int fsync_enter_t(struct sys_enter *ctx)
{
	return enter(FSYNC, ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_fsync")
int fsync_exit_t(struct sys_exit *ctx)
{
	return leave(FSYNC, ctx->ret);
}

SEC("tp/syscalls/sys_enter_fdatasync")
int fdatasync_enter_t(struct sys_enter *ctx)
{
	return enter(FDATASYNC, ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_fdatasync")
int fdatasync_exit_t(struct sys_exit *ctx)
{
	return leave(FDATASYNC, ctx->ret);
}

SEC("tp/syscalls/sys_enter_msync")
int msync_enter_t(struct sys_enter *ctx)
{
	return enter(MSYNC, NO_FD);
}

SEC("tp/syscalls/sys_exit_msync")
int msync_exit_t(struct sys_exit *ctx)
{
	return leave(MSYNC, ctx->ret);
}

SEC("tp/syscalls/sys_enter_sync_file_range")
int sync_file_range_enter_t(struct sys_enter *ctx)
{
	return enter(SYNC_FILE_RANGE, ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_sync_file_range")
int sync_file_range_exit_t(struct sys_exit *ctx)
{
	return leave(SYNC_FILE_RANGE, ctx->ret);
}
