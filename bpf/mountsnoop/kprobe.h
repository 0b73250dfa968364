/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The functions again, by kprobes. */

SEC("kprobe/" SYSCALL_PREFIX "mount")
int BPF_KPROBE(mount_k, struct pt_regs *regs)
{
	return enter_native(MOUNT, regs);
}

SEC("kretprobe/" SYSCALL_PREFIX "mount")
int BPF_KRETPROBE(mount_kx, long ret)
{
	return leave(MOUNT, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "umount")
int BPF_KPROBE(umount_k, struct pt_regs *regs)
{
	return enter_native(UMOUNT, regs);
}

SEC("kretprobe/" SYSCALL_PREFIX "umount")
int BPF_KRETPROBE(umount_kx, long ret)
{
	return leave(UMOUNT, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "fsopen")
int BPF_KPROBE(fsopen_k, struct pt_regs *regs)
{
	return enter_native(FSOPEN, regs);
}

SEC("kretprobe/" SYSCALL_PREFIX "fsopen")
int BPF_KRETPROBE(fsopen_kx, long ret)
{
	return leave(FSOPEN, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "fsconfig")
int BPF_KPROBE(fsconfig_k, struct pt_regs *regs)
{
	return enter_native(FSCONFIG, regs);
}

SEC("kretprobe/" SYSCALL_PREFIX "fsconfig")
int BPF_KRETPROBE(fsconfig_kx, long ret)
{
	return leave(FSCONFIG, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "fsmount")
int BPF_KPROBE(fsmount_k, struct pt_regs *regs)
{
	return enter_native(FSMOUNT, regs);
}

SEC("kretprobe/" SYSCALL_PREFIX "fsmount")
int BPF_KRETPROBE(fsmount_kx, long ret)
{
	return leave(FSMOUNT, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "open_tree")
int BPF_KPROBE(open_tree_k, struct pt_regs *regs)
{
	return enter_native(OPEN_TREE, regs);
}

SEC("kretprobe/" SYSCALL_PREFIX "open_tree")
int BPF_KRETPROBE(open_tree_kx, long ret)
{
	return leave(OPEN_TREE, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "open_tree_attr")
int BPF_KPROBE(open_tree_attr_k, struct pt_regs *regs)
{
	return enter_native(OPEN_TREE, regs);
}

SEC("kretprobe/" SYSCALL_PREFIX "open_tree_attr")
int BPF_KRETPROBE(open_tree_attr_kx, long ret)
{
	return leave(OPEN_TREE, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "move_mount")
int BPF_KPROBE(move_mount_k, struct pt_regs *regs)
{
	return enter_native(MOVE_MOUNT, regs);
}

SEC("kretprobe/" SYSCALL_PREFIX "move_mount")
int BPF_KRETPROBE(move_mount_kx, long ret)
{
	return leave(MOVE_MOUNT, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "mount_setattr")
int BPF_KPROBE(mount_setattr_k, struct pt_regs *regs)
{
	return enter_native(MOUNT_SETATTR, regs);
}

SEC("kretprobe/" SYSCALL_PREFIX "mount_setattr")
int BPF_KRETPROBE(mount_setattr_kx, long ret)
{
	return leave(MOUNT_SETATTR, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "pivot_root")
int BPF_KPROBE(pivot_root_k, struct pt_regs *regs)
{
	return enter_native(PIVOT_ROOT, regs);
}

SEC("kretprobe/" SYSCALL_PREFIX "pivot_root")
int BPF_KRETPROBE(pivot_root_kx, long ret)
{
	return leave(PIVOT_ROOT, ret);
}

/* Of 32-bit programs on x86_64. */

SEC("kprobe/" SYSCALL_IA32_PREFIX "mount")
int BPF_KPROBE(mount_32k, struct pt_regs *regs)
{
	return enter_ia32(MOUNT, regs);
}

SEC("kretprobe/" SYSCALL_IA32_PREFIX "mount")
int BPF_KRETPROBE(mount_32kx, long ret)
{
	return leave(MOUNT, ret);
}

SEC("kprobe/" SYSCALL_IA32_PREFIX "umount")
int BPF_KPROBE(umount_32k, struct pt_regs *regs)
{
	return enter_ia32(UMOUNT, regs);
}

SEC("kretprobe/" SYSCALL_IA32_PREFIX "umount")
int BPF_KRETPROBE(umount_32kx, long ret)
{
	return leave(UMOUNT, ret);
}

SEC("kprobe/" SYSCALL_IA32_PREFIX "fsopen")
int BPF_KPROBE(fsopen_32k, struct pt_regs *regs)
{
	return enter_ia32(FSOPEN, regs);
}

SEC("kretprobe/" SYSCALL_IA32_PREFIX "fsopen")
int BPF_KRETPROBE(fsopen_32kx, long ret)
{
	return leave(FSOPEN, ret);
}

SEC("kprobe/" SYSCALL_IA32_PREFIX "fsconfig")
int BPF_KPROBE(fsconfig_32k, struct pt_regs *regs)
{
	return enter_ia32(FSCONFIG, regs);
}

SEC("kretprobe/" SYSCALL_IA32_PREFIX "fsconfig")
int BPF_KRETPROBE(fsconfig_32kx, long ret)
{
	return leave(FSCONFIG, ret);
}

SEC("kprobe/" SYSCALL_IA32_PREFIX "fsmount")
int BPF_KPROBE(fsmount_32k, struct pt_regs *regs)
{
	return enter_ia32(FSMOUNT, regs);
}

SEC("kretprobe/" SYSCALL_IA32_PREFIX "fsmount")
int BPF_KRETPROBE(fsmount_32kx, long ret)
{
	return leave(FSMOUNT, ret);
}

SEC("kprobe/" SYSCALL_IA32_PREFIX "open_tree")
int BPF_KPROBE(open_tree_32k, struct pt_regs *regs)
{
	return enter_ia32(OPEN_TREE, regs);
}

SEC("kretprobe/" SYSCALL_IA32_PREFIX "open_tree")
int BPF_KRETPROBE(open_tree_32kx, long ret)
{
	return leave(OPEN_TREE, ret);
}

SEC("kprobe/" SYSCALL_IA32_PREFIX "open_tree_attr")
int BPF_KPROBE(open_tree_attr_32k, struct pt_regs *regs)
{
	return enter_ia32(OPEN_TREE, regs);
}

SEC("kretprobe/" SYSCALL_IA32_PREFIX "open_tree_attr")
int BPF_KRETPROBE(open_tree_attr_32kx, long ret)
{
	return leave(OPEN_TREE, ret);
}

SEC("kprobe/" SYSCALL_IA32_PREFIX "move_mount")
int BPF_KPROBE(move_mount_32k, struct pt_regs *regs)
{
	return enter_ia32(MOVE_MOUNT, regs);
}

SEC("kretprobe/" SYSCALL_IA32_PREFIX "move_mount")
int BPF_KRETPROBE(move_mount_32kx, long ret)
{
	return leave(MOVE_MOUNT, ret);
}

SEC("kprobe/" SYSCALL_IA32_PREFIX "mount_setattr")
int BPF_KPROBE(mount_setattr_32k, struct pt_regs *regs)
{
	return enter_ia32(MOUNT_SETATTR, regs);
}

SEC("kretprobe/" SYSCALL_IA32_PREFIX "mount_setattr")
int BPF_KRETPROBE(mount_setattr_32kx, long ret)
{
	return leave(MOUNT_SETATTR, ret);
}

SEC("kprobe/" SYSCALL_IA32_PREFIX "pivot_root")
int BPF_KPROBE(pivot_root_32k, struct pt_regs *regs)
{
	return enter_ia32(PIVOT_ROOT, regs);
}

SEC("kretprobe/" SYSCALL_IA32_PREFIX "pivot_root")
int BPF_KRETPROBE(pivot_root_32kx, long ret)
{
	return leave(PIVOT_ROOT, ret);
}

/* umount(2) without flags. */
SEC("kprobe/" SYSCALL_IA32_PREFIX "oldumount")
int BPF_KPROBE(oldumount_32k, struct pt_regs *regs)
{
	return enter_oldumount(regs);
}

SEC("kretprobe/" SYSCALL_IA32_PREFIX "oldumount")
int BPF_KRETPROBE(oldumount_32kx, long ret)
{
	return leave(UMOUNT, ret);
}

SEC("kprobe/umount_tree")
int BPF_KPROBE(ns_end_k, struct mount *mount, int how)
{
	return enter_ns_end(mount, how);
}

SEC("kretprobe/umount_tree")
int BPF_KRETPROBE(ns_end_kx)
{
	return leave(NS_END, 0);
}
