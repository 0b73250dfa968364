/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The functions again, by kprobes. */

SEC("kprobe/" SYSCALL0_PREFIX "sync")
int BPF_KPROBE(sync_enter_k, struct pt_regs *regs)
{
	return enter(SYNC, NO_FD);
}

SEC("kretprobe/" SYSCALL0_PREFIX "sync")
int BPF_KRETPROBE(sync_exit_k, long ret)
{
	return leave(SYNC, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "syncfs")
int BPF_KPROBE(syncfs_enter_k, struct pt_regs *regs)
{
	return enter(SYNCFS, native_fd(regs));
}

SEC("kretprobe/" SYSCALL_PREFIX "syncfs")
int BPF_KRETPROBE(syncfs_exit_k, long ret)
{
	return leave(SYNCFS, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "fsync")
int BPF_KPROBE(fsync_enter_k, struct pt_regs *regs)
{
	return enter(FSYNC, native_fd(regs));
}

SEC("kretprobe/" SYSCALL_PREFIX "fsync")
int BPF_KRETPROBE(fsync_exit_k, long ret)
{
	return leave(FSYNC, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "fdatasync")
int BPF_KPROBE(fdatasync_enter_k, struct pt_regs *regs)
{
	return enter(FDATASYNC, native_fd(regs));
}

SEC("kretprobe/" SYSCALL_PREFIX "fdatasync")
int BPF_KRETPROBE(fdatasync_exit_k, long ret)
{
	return leave(FDATASYNC, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "msync")
int BPF_KPROBE(msync_enter_k, struct pt_regs *regs)
{
	return enter(MSYNC, NO_FD);
}

SEC("kretprobe/" SYSCALL_PREFIX "msync")
int BPF_KRETPROBE(msync_exit_k, long ret)
{
	return leave(MSYNC, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "sync_file_range")
int BPF_KPROBE(sync_file_range_enter_k, struct pt_regs *regs)
{
	return enter(SYNC_FILE_RANGE, native_fd(regs));
}

SEC("kretprobe/" SYSCALL_PREFIX "sync_file_range")
int BPF_KRETPROBE(sync_file_range_exit_k, long ret)
{
	return leave(SYNC_FILE_RANGE, ret);
}
