/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The programs of syncsnoop on entries and exits of functions. */

/* The functions of the calls, as 64-bit programs enter them; sync(2) for all. Their addresses are
 * in tables, so no compiler can inline them. */

SEC("fentry/" SYSCALL0_PREFIX "sync")
int BPF_PROG(sync_enter_f, struct pt_regs *regs)
{
	return enter(SYNC, NO_FD);
}

SEC("fexit/" SYSCALL0_PREFIX "sync")
int BPF_PROG(sync_exit_f, struct pt_regs *regs, long ret)
{
	return leave(SYNC, ret);
}

SEC("fentry/" SYSCALL_PREFIX "syncfs")
int BPF_PROG(syncfs_enter_f, struct pt_regs *regs)
{
	return enter(SYNCFS, native_fd(regs));
}

SEC("fexit/" SYSCALL_PREFIX "syncfs")
int BPF_PROG(syncfs_exit_f, struct pt_regs *regs, long ret)
{
	return leave(SYNCFS, ret);
}

SEC("fentry/" SYSCALL_PREFIX "fsync")
int BPF_PROG(fsync_enter_f, struct pt_regs *regs)
{
	return enter(FSYNC, native_fd(regs));
}

SEC("fexit/" SYSCALL_PREFIX "fsync")
int BPF_PROG(fsync_exit_f, struct pt_regs *regs, long ret)
{
	return leave(FSYNC, ret);
}

SEC("fentry/" SYSCALL_PREFIX "fdatasync")
int BPF_PROG(fdatasync_enter_f, struct pt_regs *regs)
{
	return enter(FDATASYNC, native_fd(regs));
}

SEC("fexit/" SYSCALL_PREFIX "fdatasync")
int BPF_PROG(fdatasync_exit_f, struct pt_regs *regs, long ret)
{
	return leave(FDATASYNC, ret);
}

SEC("fentry/" SYSCALL_PREFIX "msync")
int BPF_PROG(msync_enter_f, struct pt_regs *regs)
{
	return enter(MSYNC, NO_FD);
}

SEC("fexit/" SYSCALL_PREFIX "msync")
int BPF_PROG(msync_exit_f, struct pt_regs *regs, long ret)
{
	return leave(MSYNC, ret);
}

SEC("fentry/" SYSCALL_PREFIX "sync_file_range")
int BPF_PROG(sync_file_range_enter_f, struct pt_regs *regs)
{
	return enter(SYNC_FILE_RANGE, native_fd(regs));
}

SEC("fexit/" SYSCALL_PREFIX "sync_file_range")
int BPF_PROG(sync_file_range_exit_f, struct pt_regs *regs, long ret)
{
	return leave(SYNC_FILE_RANGE, ret);
}

/* As 32-bit programs on x86_64 enter them. */

SEC("fentry/" SYSCALL_IA32_PREFIX "syncfs")
int BPF_PROG(syncfs_enter_32f, struct pt_regs *regs)
{
	return enter(SYNCFS, ia32_fd(regs));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "syncfs")
int BPF_PROG(syncfs_exit_32f, struct pt_regs *regs, long ret)
{
	return leave(SYNCFS, ret);
}

SEC("fentry/" SYSCALL_IA32_PREFIX "fsync")
int BPF_PROG(fsync_enter_32f, struct pt_regs *regs)
{
	return enter(FSYNC, ia32_fd(regs));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "fsync")
int BPF_PROG(fsync_exit_32f, struct pt_regs *regs, long ret)
{
	return leave(FSYNC, ret);
}

SEC("fentry/" SYSCALL_IA32_PREFIX "fdatasync")
int BPF_PROG(fdatasync_enter_32f, struct pt_regs *regs)
{
	return enter(FDATASYNC, ia32_fd(regs));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "fdatasync")
int BPF_PROG(fdatasync_exit_32f, struct pt_regs *regs, long ret)
{
	return leave(FDATASYNC, ret);
}

SEC("fentry/" SYSCALL_IA32_PREFIX "msync")
int BPF_PROG(msync_enter_32f, struct pt_regs *regs)
{
	return enter(MSYNC, NO_FD);
}

SEC("fexit/" SYSCALL_IA32_PREFIX "msync")
int BPF_PROG(msync_exit_32f, struct pt_regs *regs, long ret)
{
	return leave(MSYNC, ret);
}

SEC("fentry/" SYSCALL_IA32_PREFIX "ia32_sync_file_range")
int BPF_PROG(sync_file_range_enter_32f, struct pt_regs *regs)
{
	return enter(SYNC_FILE_RANGE, ia32_fd(regs));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "ia32_sync_file_range")
int BPF_PROG(sync_file_range_exit_32f, struct pt_regs *regs, long ret)
{
	return leave(SYNC_FILE_RANGE, ret);
}
