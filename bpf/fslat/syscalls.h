/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The programs of fslat on the system calls, for kernels that allow no function to be watched, and
 * what only they need: the file that a call is about. */

/* Instead of a key: an open knows its file system only at its end, and the other calls store it. */
#define CALL(op) (MAX_FS * MAX_OPS + (op))
/* The file's own offset is used. */
#define FILE_OFFSET (-1)

/* current_file(), with as few helpers as possible. */
static __always_inline struct file *file_of(u32 fd)
{
	struct file *file = NULL;
	struct fdtable *table;

	if (!task_storage)
		return current_file(fd);
	table = bpf_get_current_task_btf()->files->fdt;
	if (fd < table->max_fds)
		bpf_probe_read_kernel(&file, sizeof(file), &table->fd[fd]);
	return file;
}

static __always_inline int fs_of(unsigned long magic)
{
	switch (magic) {
	case EXT4_SUPER_MAGIC:
		return EXT4;
	case XFS_SUPER_MAGIC:
		return XFS;
	case BTRFS_SUPER_MAGIC:
		return BTRFS;
	case NFS_SUPER_MAGIC:
		return NFS;
	case OVERLAYFS_SUPER_MAGIC:
		return OVERLAY;
	case TMPFS_MAGIC:
		return TMPFS;
	case ZFS_SUPER_MAGIC:
		return ZFS;
	}
	return -1;
}

/* The file system, if it is watched by system calls. Pipes, sockets and devices are checked first,
 * because most calls may be about them; a directory can only be synced. */
static __always_inline int fs_seen(struct file *file, u32 op)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	u32 type = BPF_CORE_READ(inode, i_mode) & S_IFMT;
	int fs;

	if (type != S_IFREG && !(op == SYNC && type == S_IFDIR))
		return -1;
	fs = fs_of(BPF_CORE_READ(inode, i_sb, s_magic));
	if (fs < 0 || !(by_syscall[op] & (1U << fs)))
		return -1;
	return fs;
}

/* System calls do not nest. */
static __always_inline int call_enter(u32 op, u32 fd, u64 offset)
{
	struct file *file;
	struct call *call;
	int fs;

	if (!is_asked_for())
		return 0;
	file = file_of(fd);
	if (!file)
		return 0;
	fs = fs_seen(file, op);
	if (fs < 0)
		return 0;
	call = push(CALL(op), offset, true);
	if (!call)
		return 0;
	call->path = (u64)path_of(file);
	call->fd = fd;
	call->fs = fs;
	call->ts_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline s64 call_offset(u32 op, struct call *call, struct file *file, long ret)
{
	if (op == SYNC)
		return NO_OFFSET;
	if ((s64)call->place != FILE_OFFSET)
		return call->place;
	return file ? BPF_CORE_READ(file, f_pos) - (ret > 0 ? ret : 0) : NO_OFFSET;
}

static __always_inline int call_leave(u32 op, long ret)
{
	u64 now = bpf_ktime_get_ns();
	struct calls *calls = find_calls();
	struct call *call = calls ? pop(calls, CALL(op)) : NULL;
	struct file *file;
	u64 start;
	u32 key;

	if (!call)
		return 0;
	start = call->ts_ns;
	key = KEY(call->fs, op);
	if (!send_events) {
		record(key, now - start, ret < 0);
	} else if (now - start >= min_ns) {
		/* A descriptor that was closed during the call does not identify the file. */
		file = file_of(call->fd);
		if (file && (u64)path_of(file) != call->path)
			file = NULL;
		send(key, file ? path_of(file) : NULL, start, now, call_offset(op, call, file, ret),
		     ret);
	}
	end_calls(calls);
	return 0;
}

static __always_inline int open_enter(void)
{
	struct call *call;

	if (!is_asked_for())
		return 0;
	call = push(CALL(OPEN), 0, true);
	if (call)
		call->ts_ns = bpf_ktime_get_ns();
	return 0;
}

/* A failed open has no file, and so no file system. */
static __always_inline int open_leave(long ret)
{
	u64 now = bpf_ktime_get_ns();
	struct calls *calls = find_calls();
	struct call *call = calls ? pop(calls, CALL(OPEN)) : NULL;
	struct file *file;
	u64 start;
	int fs;

	if (!call)
		return 0;
	start = call->ts_ns;
	file = ret < 0 ? NULL : file_of(ret);
	fs = file ? fs_seen(file, OPEN) : -1;
	if (fs >= 0) {
		if (!send_events)
			record(KEY(fs, OPEN), now - start, false);
		else if (now - start >= min_ns)
			send(KEY(fs, OPEN), path_of(file), start, now, NO_OFFSET, ret);
	}
	end_calls(calls);
	return 0;
}

SEC("tp/syscalls/sys_enter_read")
int read_t(struct sys_enter *ctx)
{
	return call_enter(READ, ctx->args[0], FILE_OFFSET);
}

SEC("tp/syscalls/sys_exit_read")
int read_tx(struct sys_exit *ctx)
{
	return call_leave(READ, ctx->ret);
}

SEC("tp/syscalls/sys_enter_readv")
int readv_t(struct sys_enter *ctx)
{
	return call_enter(READ, ctx->args[0], FILE_OFFSET);
}

SEC("tp/syscalls/sys_exit_readv")
int readv_tx(struct sys_exit *ctx)
{
	return call_leave(READ, ctx->ret);
}

SEC("tp/syscalls/sys_enter_pread64")
int pread64_t(struct sys_enter *ctx)
{
	return call_enter(READ, ctx->args[0], ctx->args[3]);
}

SEC("tp/syscalls/sys_exit_pread64")
int pread64_tx(struct sys_exit *ctx)
{
	return call_leave(READ, ctx->ret);
}

SEC("tp/syscalls/sys_enter_preadv")
int preadv_t(struct sys_enter *ctx)
{
	return call_enter(READ, ctx->args[0], ctx->args[3]);
}

SEC("tp/syscalls/sys_exit_preadv")
int preadv_tx(struct sys_exit *ctx)
{
	return call_leave(READ, ctx->ret);
}

SEC("tp/syscalls/sys_enter_preadv2")
int preadv2_t(struct sys_enter *ctx)
{
	return call_enter(READ, ctx->args[0], ctx->args[3]);
}

SEC("tp/syscalls/sys_exit_preadv2")
int preadv2_tx(struct sys_exit *ctx)
{
	return call_leave(READ, ctx->ret);
}

SEC("tp/syscalls/sys_enter_write")
int write_t(struct sys_enter *ctx)
{
	return call_enter(WRITE, ctx->args[0], FILE_OFFSET);
}

SEC("tp/syscalls/sys_exit_write")
int write_tx(struct sys_exit *ctx)
{
	return call_leave(WRITE, ctx->ret);
}

SEC("tp/syscalls/sys_enter_writev")
int writev_t(struct sys_enter *ctx)
{
	return call_enter(WRITE, ctx->args[0], FILE_OFFSET);
}

SEC("tp/syscalls/sys_exit_writev")
int writev_tx(struct sys_exit *ctx)
{
	return call_leave(WRITE, ctx->ret);
}

SEC("tp/syscalls/sys_enter_pwrite64")
int pwrite64_t(struct sys_enter *ctx)
{
	return call_enter(WRITE, ctx->args[0], ctx->args[3]);
}

SEC("tp/syscalls/sys_exit_pwrite64")
int pwrite64_tx(struct sys_exit *ctx)
{
	return call_leave(WRITE, ctx->ret);
}

SEC("tp/syscalls/sys_enter_pwritev")
int pwritev_t(struct sys_enter *ctx)
{
	return call_enter(WRITE, ctx->args[0], ctx->args[3]);
}

SEC("tp/syscalls/sys_exit_pwritev")
int pwritev_tx(struct sys_exit *ctx)
{
	return call_leave(WRITE, ctx->ret);
}

SEC("tp/syscalls/sys_enter_pwritev2")
int pwritev2_t(struct sys_enter *ctx)
{
	return call_enter(WRITE, ctx->args[0], ctx->args[3]);
}

SEC("tp/syscalls/sys_exit_pwritev2")
int pwritev2_tx(struct sys_exit *ctx)
{
	return call_leave(WRITE, ctx->ret);
}

SEC("tp/syscalls/sys_enter_fsync")
int fsync_t(struct sys_enter *ctx)
{
	return call_enter(SYNC, ctx->args[0], NO_OFFSET);
}

SEC("tp/syscalls/sys_exit_fsync")
int fsync_tx(struct sys_exit *ctx)
{
	return call_leave(SYNC, ctx->ret);
}

SEC("tp/syscalls/sys_enter_fdatasync")
int fdatasync_t(struct sys_enter *ctx)
{
	return call_enter(SYNC, ctx->args[0], NO_OFFSET);
}

SEC("tp/syscalls/sys_exit_fdatasync")
int fdatasync_tx(struct sys_exit *ctx)
{
	return call_leave(SYNC, ctx->ret);
}

SEC("tp/syscalls/sys_enter_open")
int open_t(struct sys_enter *ctx)
{
	return open_enter();
}

SEC("tp/syscalls/sys_exit_open")
int open_tx(struct sys_exit *ctx)
{
	return open_leave(ctx->ret);
}

SEC("tp/syscalls/sys_enter_creat")
int creat_t(struct sys_enter *ctx)
{
	return open_enter();
}

SEC("tp/syscalls/sys_exit_creat")
int creat_tx(struct sys_exit *ctx)
{
	return open_leave(ctx->ret);
}

SEC("tp/syscalls/sys_enter_openat")
int openat_t(struct sys_enter *ctx)
{
	return open_enter();
}

SEC("tp/syscalls/sys_exit_openat")
int openat_tx(struct sys_exit *ctx)
{
	return open_leave(ctx->ret);
}

SEC("tp/syscalls/sys_enter_openat2")
int openat2_t(struct sys_enter *ctx)
{
	return open_enter();
}

SEC("tp/syscalls/sys_exit_openat2")
int openat2_tx(struct sys_exit *ctx)
{
	return open_leave(ctx->ret);
}
