/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The same functions by return probes. */

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
