/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The programs of vfsstat on exits of functions. */

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
