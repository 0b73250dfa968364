/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The system calls themselves, for kernels that allow no function to be watched. */

SEC("tp/syscalls/sys_exit_read")
int read_t(struct sys_exit *ctx)
{
	return moved(READS, ctx->ret, false);
}

SEC("tp/syscalls/sys_exit_pread64")
int pread64_t(struct sys_exit *ctx)
{
	return moved(READS, ctx->ret, false);
}

SEC("tp/syscalls/sys_exit_readv")
int readv_t(struct sys_exit *ctx)
{
	return moved(READS, ctx->ret, true);
}

SEC("tp/syscalls/sys_exit_preadv")
int preadv_t(struct sys_exit *ctx)
{
	return moved(READS, ctx->ret, true);
}

SEC("tp/syscalls/sys_exit_preadv2")
int preadv2_t(struct sys_exit *ctx)
{
	return moved(READS, ctx->ret, true);
}

SEC("tp/syscalls/sys_exit_write")
int write_t(struct sys_exit *ctx)
{
	return moved(WRITES, ctx->ret, false);
}

SEC("tp/syscalls/sys_exit_pwrite64")
int pwrite64_t(struct sys_exit *ctx)
{
	return moved(WRITES, ctx->ret, false);
}

SEC("tp/syscalls/sys_exit_writev")
int writev_t(struct sys_exit *ctx)
{
	return moved(WRITES, ctx->ret, true);
}

SEC("tp/syscalls/sys_exit_pwritev")
int pwritev_t(struct sys_exit *ctx)
{
	return moved(WRITES, ctx->ret, true);
}

SEC("tp/syscalls/sys_exit_pwritev2")
int pwritev2_t(struct sys_exit *ctx)
{
	return moved(WRITES, ctx->ret, true);
}

SEC("tp/syscalls/sys_exit_open")
int open_t(struct sys_exit *ctx)
{
	return opened(ctx->ret, false);
}

SEC("tp/syscalls/sys_exit_creat")
int creat_t(struct sys_exit *ctx)
{
	return opened(ctx->ret, false);
}

SEC("tp/syscalls/sys_exit_openat")
int openat_t(struct sys_exit *ctx)
{
	return opened(ctx->ret, false);
}

SEC("tp/syscalls/sys_exit_openat2")
int openat2_t(struct sys_exit *ctx)
{
	return opened(ctx->ret, false);
}

SEC("tp/syscalls/sys_exit_unlink")
int unlink_t(struct sys_exit *ctx)
{
	return counted(UNLINKS, ctx->ret);
}

SEC("tp/syscalls/sys_exit_mkdir")
int mkdir_t(struct sys_exit *ctx)
{
	return counted(MKDIRS, ctx->ret);
}

SEC("tp/syscalls/sys_exit_mkdirat")
int mkdirat_t(struct sys_exit *ctx)
{
	return counted(MKDIRS, ctx->ret);
}

SEC("tp/syscalls/sys_exit_rmdir")
int rmdir_t(struct sys_exit *ctx)
{
	return counted(RMDIRS, ctx->ret);
}

SEC("tp/syscalls/sys_exit_rename")
int rename_t(struct sys_exit *ctx)
{
	return counted(RENAMES, ctx->ret);
}

SEC("tp/syscalls/sys_exit_renameat")
int renameat_t(struct sys_exit *ctx)
{
	return counted(RENAMES, ctx->ret);
}

SEC("tp/syscalls/sys_exit_renameat2")
int renameat2_t(struct sys_exit *ctx)
{
	return counted(RENAMES, ctx->ret);
}

SEC("tp/syscalls/sys_exit_fsync")
int fsync_t(struct sys_exit *ctx)
{
	return counted(FSYNCS, ctx->ret);
}

SEC("tp/syscalls/sys_exit_fdatasync")
int fdatasync_t(struct sys_exit *ctx)
{
	return counted(FSYNCS, ctx->ret);
}

/* unlinkat(2) removes directories, too: its exit does not show which, its entry does. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	/* All of it preallocated: older kernels (5.10) warn about tracepoint programs that
	 * allocate. */
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u8);
} removing SEC(".maps");

SEC("tp/syscalls/sys_enter_unlinkat")
int unlinkat_enter_t(struct sys_enter *ctx)
{
	u32 tid = bpf_get_current_pid_tgid();
	u8 yes = 1;

	if (ctx->args[2] & AT_REMOVEDIR)
		bpf_map_update_elem(&removing, &tid, &yes, BPF_ANY);
	return 0;
}

SEC("tp/syscalls/sys_exit_unlinkat")
int unlinkat_t(struct sys_exit *ctx)
{
	u32 tid = bpf_get_current_pid_tgid();

	if (bpf_map_delete_elem(&removing, &tid))
		return counted(UNLINKS, ctx->ret);
	return counted(RMDIRS, ctx->ret);
}
