/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The programs of mountsnoop on entries and exits of functions. */

/* The functions of the calls, as 64-bit programs enter them. Their addresses are in tables, so no
 * compiler can inline them. */

SEC("fentry/" SYSCALL_PREFIX "mount")
int mount_f(u64 *ctx)
{
	return enter_native(MOUNT, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_PREFIX "mount")
int BPF_PROG(mount_fx, struct pt_regs *regs, long ret)
{
	return leave(MOUNT, ret);
}

SEC("fentry/" SYSCALL_PREFIX "umount")
int umount_f(u64 *ctx)
{
	return enter_native(UMOUNT, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_PREFIX "umount")
int BPF_PROG(umount_fx, struct pt_regs *regs, long ret)
{
	return leave(UMOUNT, ret);
}

SEC("fentry/" SYSCALL_PREFIX "fsopen")
int fsopen_f(u64 *ctx)
{
	return enter_native(FSOPEN, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_PREFIX "fsopen")
int BPF_PROG(fsopen_fx, struct pt_regs *regs, long ret)
{
	return leave(FSOPEN, ret);
}

SEC("fentry/" SYSCALL_PREFIX "fsconfig")
int fsconfig_f(u64 *ctx)
{
	return enter_native(FSCONFIG, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_PREFIX "fsconfig")
int BPF_PROG(fsconfig_fx, struct pt_regs *regs, long ret)
{
	return leave(FSCONFIG, ret);
}

SEC("fentry/" SYSCALL_PREFIX "fsmount")
int fsmount_f(u64 *ctx)
{
	return enter_native(FSMOUNT, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_PREFIX "fsmount")
int BPF_PROG(fsmount_fx, struct pt_regs *regs, long ret)
{
	return leave(FSMOUNT, ret);
}

SEC("fentry/" SYSCALL_PREFIX "open_tree")
int open_tree_f(u64 *ctx)
{
	return enter_native(OPEN_TREE, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_PREFIX "open_tree")
int BPF_PROG(open_tree_fx, struct pt_regs *regs, long ret)
{
	return leave(OPEN_TREE, ret);
}

SEC("fentry/" SYSCALL_PREFIX "open_tree_attr")
int open_tree_attr_f(u64 *ctx)
{
	return enter_native(OPEN_TREE, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_PREFIX "open_tree_attr")
int BPF_PROG(open_tree_attr_fx, struct pt_regs *regs, long ret)
{
	return leave(OPEN_TREE, ret);
}

SEC("fentry/" SYSCALL_PREFIX "move_mount")
int move_mount_f(u64 *ctx)
{
	return enter_native(MOVE_MOUNT, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_PREFIX "move_mount")
int BPF_PROG(move_mount_fx, struct pt_regs *regs, long ret)
{
	return leave(MOVE_MOUNT, ret);
}

SEC("fentry/" SYSCALL_PREFIX "mount_setattr")
int mount_setattr_f(u64 *ctx)
{
	return enter_native(MOUNT_SETATTR, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_PREFIX "mount_setattr")
int BPF_PROG(mount_setattr_fx, struct pt_regs *regs, long ret)
{
	return leave(MOUNT_SETATTR, ret);
}

SEC("fentry/" SYSCALL_PREFIX "pivot_root")
int pivot_root_f(u64 *ctx)
{
	return enter_native(PIVOT_ROOT, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_PREFIX "pivot_root")
int BPF_PROG(pivot_root_fx, struct pt_regs *regs, long ret)
{
	return leave(PIVOT_ROOT, ret);
}

/* As 32-bit programs on x86_64 enter them. */

SEC("fentry/" SYSCALL_IA32_PREFIX "mount")
int mount_32f(u64 *ctx)
{
	return enter_ia32(MOUNT, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "mount")
int BPF_PROG(mount_32fx, struct pt_regs *regs, long ret)
{
	return leave(MOUNT, ret);
}

SEC("fentry/" SYSCALL_IA32_PREFIX "umount")
int umount_32f(u64 *ctx)
{
	return enter_ia32(UMOUNT, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "umount")
int BPF_PROG(umount_32fx, struct pt_regs *regs, long ret)
{
	return leave(UMOUNT, ret);
}

SEC("fentry/" SYSCALL_IA32_PREFIX "fsopen")
int fsopen_32f(u64 *ctx)
{
	return enter_ia32(FSOPEN, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "fsopen")
int BPF_PROG(fsopen_32fx, struct pt_regs *regs, long ret)
{
	return leave(FSOPEN, ret);
}

SEC("fentry/" SYSCALL_IA32_PREFIX "fsconfig")
int fsconfig_32f(u64 *ctx)
{
	return enter_ia32(FSCONFIG, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "fsconfig")
int BPF_PROG(fsconfig_32fx, struct pt_regs *regs, long ret)
{
	return leave(FSCONFIG, ret);
}

SEC("fentry/" SYSCALL_IA32_PREFIX "fsmount")
int fsmount_32f(u64 *ctx)
{
	return enter_ia32(FSMOUNT, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "fsmount")
int BPF_PROG(fsmount_32fx, struct pt_regs *regs, long ret)
{
	return leave(FSMOUNT, ret);
}

SEC("fentry/" SYSCALL_IA32_PREFIX "open_tree")
int open_tree_32f(u64 *ctx)
{
	return enter_ia32(OPEN_TREE, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "open_tree")
int BPF_PROG(open_tree_32fx, struct pt_regs *regs, long ret)
{
	return leave(OPEN_TREE, ret);
}

SEC("fentry/" SYSCALL_IA32_PREFIX "open_tree_attr")
int open_tree_attr_32f(u64 *ctx)
{
	return enter_ia32(OPEN_TREE, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "open_tree_attr")
int BPF_PROG(open_tree_attr_32fx, struct pt_regs *regs, long ret)
{
	return leave(OPEN_TREE, ret);
}

SEC("fentry/" SYSCALL_IA32_PREFIX "move_mount")
int move_mount_32f(u64 *ctx)
{
	return enter_ia32(MOVE_MOUNT, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "move_mount")
int BPF_PROG(move_mount_32fx, struct pt_regs *regs, long ret)
{
	return leave(MOVE_MOUNT, ret);
}

SEC("fentry/" SYSCALL_IA32_PREFIX "mount_setattr")
int mount_setattr_32f(u64 *ctx)
{
	return enter_ia32(MOUNT_SETATTR, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "mount_setattr")
int BPF_PROG(mount_setattr_32fx, struct pt_regs *regs, long ret)
{
	return leave(MOUNT_SETATTR, ret);
}

SEC("fentry/" SYSCALL_IA32_PREFIX "pivot_root")
int pivot_root_32f(u64 *ctx)
{
	return enter_ia32(PIVOT_ROOT, (void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "pivot_root")
int BPF_PROG(pivot_root_32fx, struct pt_regs *regs, long ret)
{
	return leave(PIVOT_ROOT, ret);
}

/* umount(2) without flags. */
SEC("fentry/" SYSCALL_IA32_PREFIX "oldumount")
int oldumount_32f(u64 *ctx)
{
	return enter_oldumount((void *)pointer_argument(ctx, 0));
}

SEC("fexit/" SYSCALL_IA32_PREFIX "oldumount")
int BPF_PROG(oldumount_32fx, struct pt_regs *regs, long ret)
{
	return leave(UMOUNT, ret);
}

SEC("fentry/umount_tree")
int BPF_PROG(ns_end_f, struct mount *mount, int how)
{
	return enter_ns_end(mount, how);
}

SEC("fexit/umount_tree")
int BPF_PROG(ns_end_fx, struct mount *mount, int how)
{
	return leave(NS_END, 0);
}
