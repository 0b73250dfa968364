/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The calls that tasks make to the file systems: reads, writes, opens, and changes of
 * directories. */
#include "kernel.h"
#include "renames.h"
#include "filter.h"
#include "path.h"

/* For each operation: calls, failed ones, and what else is counted. */
enum counter {
	READS,
	READ_ERRORS,
	READ_BYTES,
	READVS,
	WRITES,
	WRITE_ERRORS,
	WRITE_BYTES,
	WRITEVS,
	OPENS,
	OPEN_ERRORS,
	CREATES,
	CREATE_ERRORS,
	UNLINKS,
	UNLINK_ERRORS,
	MKDIRS,
	MKDIR_ERRORS,
	RMDIRS,
	RMDIR_ERRORS,
	RENAMES,
	RENAME_ERRORS,
	FSYNCS,
	FSYNC_ERRORS,
	SYNCED_WRITES,
	LOST,
	MAX_COUNTERS,
};

#include "owned_counters.h"

/* include/linux/fs.h */
#define FMODE_CREATED 0x100000
#define S_SYNC 1
/* include/uapi/linux/mount.h */
#define MS_SYNCHRONOUS 16
/* include/uapi/linux/fs.h */
#define RWF_DSYNC 0x2
#define RWF_SYNC 0x4
/* include/uapi/asm-generic/fcntl.h */
#define O_CREAT 00000100
#define O_DSYNC 00010000 /* O_SYNC has it, too */
#define __O_TMPFILE 020000000
/* include/uapi/linux/fcntl.h */
#define AT_REMOVEDIR 0x200

/* One bank, or one owner, looked up once for all that an event counts. NULL if the call is not to
 * be counted. */
static __always_inline struct counters *counters_of_call(void)
{
	return filter_current() ? owned_counters() : NULL;
}

static __always_inline int counted(u32 calls, long ret)
{
	struct counters *bank = counters_of_call();

	if (!bank)
		return 0;
	add(bank, calls, 1);
	if (ret < 0)
		add(bank, calls + 1, 1);
	return 0;
}

/* Reads and writes: calls, errors, bytes, and the calls with a vector. */
static __always_inline void add_moved(struct counters *bank, u32 calls, long ret, bool vector)
{
	add(bank, calls, 1);
	if (ret < 0)
		add(bank, calls + 1, 1);
	else
		add(bank, calls + 2, ret);
	if (vector)
		add(bank, calls + 3, 1);
}

static __always_inline int moved(u32 calls, long ret, bool vector)
{
	struct counters *bank = counters_of_call();

	if (bank)
		add_moved(bank, calls, ret, vector);
	return 0;
}

/* Whether a write returns only when its data is on the disk, as iocb_is_dsync() of
 * include/linux/fs.h has it. */
static __always_inline bool is_synced(struct file *file, u32 flags)
{
	struct inode *inode;

	if (file->f_flags & O_DSYNC || flags & (RWF_DSYNC | RWF_SYNC))
		return true;
	inode = file->f_mapping->host;
	return inode->i_flags & S_SYNC || inode->i_sb->s_flags & MS_SYNCHRONOUS;
}

/* A write whose file and flags are known. */
static __always_inline int written(struct file *file, u32 flags, long ret, bool vector)
{
	struct counters *bank = counters_of_call();

	if (!bank)
		return 0;
	add_moved(bank, WRITES, ret, vector);
	if (is_synced(file, flags))
		add(bank, SYNCED_WRITES, 1);
	return 0;
}

/* Whether the file that the running task has just opened under this descriptor was created by that
 * open: with a name, or without (a file keeps O_TMPFILE in its flags). */
static __always_inline bool is_created(long fd)
{
	struct file *file = current_file(fd);

	return BPF_CORE_READ(file, f_mode) & FMODE_CREATED ||
	       BPF_CORE_READ(file, f_flags) & __O_TMPFILE;
}

static __always_inline int opened(long ret, bool asked_to_create)
{
	struct counters *bank = counters_of_call();

	if (!bank)
		return 0;
	add(bank, OPENS, 1);
	if (ret < 0) {
		add(bank, OPEN_ERRORS, 1);
		if (asked_to_create) {
			add(bank, CREATES, 1);
			add(bank, CREATE_ERRORS, 1);
		}
	} else if (is_created(ret)) {
		add(bank, CREATES, 1);
	}
	return 0;
}

/* The functions that all calls of a kind pass, on any file system, for tasks of any word size. */

SEC("fexit/vfs_read")
int BPF_PROG(read_f, u64 a, u64 b, u64 c, u64 d, long ret)
{
	return moved(READS, ret, false);
}

SEC("fexit/vfs_readv")
int BPF_PROG(readv_f, u64 a, u64 b, u64 c, u64 d, u64 e, long ret)
{
	return moved(READS, ret, true);
}

SEC("fexit/vfs_write")
int BPF_PROG(write_f, struct file *file, u64 b, u64 c, u64 d, long ret)
{
	return written(file, 0, ret, false);
}

SEC("fexit/vfs_writev")
int BPF_PROG(writev_f, struct file *file, u64 b, u64 c, u64 d, u64 flags, long ret)
{
	return written(file, flags, ret, true);
}

SEC("fexit/do_sys_openat2")
int BPF_PROG(open_f, u64 dfd, u64 name, struct open_how *how, long ret)
{
	return opened((int)ret, how->flags & (O_CREAT | __O_TMPFILE));
}

SEC("fexit/do_unlinkat")
int BPF_PROG(unlink_f, u64 a, u64 b, long ret)
{
	return counted(UNLINKS, (int)ret);
}

SEC("fexit/filename_unlinkat")
int BPF_PROG(unlink_f7, u64 a, u64 b, long ret)
{
	return counted(UNLINKS, (int)ret);
}

SEC("fexit/do_rmdir")
int BPF_PROG(rmdir_f, u64 a, u64 b, long ret)
{
	return counted(RMDIRS, (int)ret);
}

SEC("fexit/filename_rmdir")
int BPF_PROG(rmdir_f7, u64 a, u64 b, long ret)
{
	return counted(RMDIRS, (int)ret);
}

SEC("fexit/do_mkdirat")
int BPF_PROG(mkdir_f, u64 a, u64 b, u64 c, long ret)
{
	return counted(MKDIRS, (int)ret);
}

SEC("fexit/filename_mkdirat")
int BPF_PROG(mkdir_f7, u64 a, u64 b, u64 c, long ret)
{
	return counted(MKDIRS, (int)ret);
}

SEC("fexit/do_renameat2")
int BPF_PROG(rename_f, u64 a, u64 b, u64 c, u64 d, u64 e, long ret)
{
	return counted(RENAMES, (int)ret);
}

SEC("fexit/filename_renameat2")
int BPF_PROG(rename_f7, u64 a, u64 b, u64 c, u64 d, u64 e, long ret)
{
	return counted(RENAMES, (int)ret);
}

/* The functions of the system calls: here fsync(2) and fdatasync(2) pass, whatever the compiler
 * inlines, and nothing else does. vfs_fsync_range() also sees msync(2), synchronous writes and the
 * layers of overlay file systems. */

SEC("fexit/" SYSCALL_PREFIX "fsync")
int BPF_PROG(fsync_sys_f, u64 regs, long ret)
{
	return counted(FSYNCS, ret);
}

SEC("fexit/" SYSCALL_PREFIX "fdatasync")
int BPF_PROG(fdatasync_sys_f, u64 regs, long ret)
{
	return counted(FSYNCS, ret);
}

/* The same of 32-bit programs on x86_64. */

SEC("fexit/" SYSCALL_IA32_PREFIX "fsync")
int BPF_PROG(fsync_sys_32f, u64 regs, long ret)
{
	return counted(FSYNCS, ret);
}

SEC("fexit/" SYSCALL_IA32_PREFIX "fdatasync")
int BPF_PROG(fdatasync_sys_32f, u64 regs, long ret)
{
	return counted(FSYNCS, ret);
}

SEC("kretprobe/vfs_read")
int BPF_KRETPROBE(read_k, long ret)
{
	return moved(READS, ret, false);
}

SEC("kretprobe/vfs_readv")
int BPF_KRETPROBE(readv_k, long ret)
{
	return moved(READS, ret, true);
}

SEC("kretprobe/vfs_write")
int BPF_KRETPROBE(write_k, long ret)
{
	return moved(WRITES, ret, false);
}

SEC("kretprobe/vfs_writev")
int BPF_KRETPROBE(writev_k, long ret)
{
	return moved(WRITES, ret, true);
}

SEC("kretprobe/do_sys_openat2")
int BPF_KRETPROBE(open_k, long ret)
{
	return opened((int)ret, false);
}

SEC("kretprobe/do_unlinkat")
int BPF_KRETPROBE(unlink_k, long ret)
{
	return counted(UNLINKS, (int)ret);
}

SEC("kretprobe/filename_unlinkat")
int BPF_KRETPROBE(unlink_k7, long ret)
{
	return counted(UNLINKS, (int)ret);
}

SEC("kretprobe/do_rmdir")
int BPF_KRETPROBE(rmdir_k, long ret)
{
	return counted(RMDIRS, (int)ret);
}

SEC("kretprobe/filename_rmdir")
int BPF_KRETPROBE(rmdir_k7, long ret)
{
	return counted(RMDIRS, (int)ret);
}

SEC("kretprobe/do_mkdirat")
int BPF_KRETPROBE(mkdir_k, long ret)
{
	return counted(MKDIRS, (int)ret);
}

SEC("kretprobe/filename_mkdirat")
int BPF_KRETPROBE(mkdir_k7, long ret)
{
	return counted(MKDIRS, (int)ret);
}

SEC("kretprobe/do_renameat2")
int BPF_KRETPROBE(rename_k, long ret)
{
	return counted(RENAMES, (int)ret);
}

SEC("kretprobe/filename_renameat2")
int BPF_KRETPROBE(rename_k7, long ret)
{
	return counted(RENAMES, (int)ret);
}

SEC("kretprobe/" SYSCALL_PREFIX "fsync")
int BPF_KRETPROBE(fsync_sys_k, long ret)
{
	return counted(FSYNCS, ret);
}

SEC("kretprobe/" SYSCALL_PREFIX "fdatasync")
int BPF_KRETPROBE(fdatasync_sys_k, long ret)
{
	return counted(FSYNCS, ret);
}

SEC("kretprobe/" SYSCALL_IA32_PREFIX "fsync")
int BPF_KRETPROBE(fsync_sys_32k, long ret)
{
	return counted(FSYNCS, ret);
}

SEC("kretprobe/" SYSCALL_IA32_PREFIX "fdatasync")
int BPF_KRETPROBE(fdatasync_sys_32k, long ret)
{
	return counted(FSYNCS, ret);
}

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

char LICENSE[] SEC("license") = "Dual MIT/GPL";
