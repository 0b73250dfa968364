/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The tracepoints of the system calls, for kernels that allow no function to be watched. */

SEC("tp/syscalls/sys_enter_mount")
int mount_t(struct sys_enter *ctx)
{
	return enter_traced(MOUNT, ctx);
}

SEC("tp/syscalls/sys_exit_mount")
int mount_tx(struct sys_exit *ctx)
{
	return leave(MOUNT, ctx->ret);
}

SEC("tp/syscalls/sys_enter_umount")
int umount_t(struct sys_enter *ctx)
{
	return enter_traced(UMOUNT, ctx);
}

SEC("tp/syscalls/sys_exit_umount")
int umount_tx(struct sys_exit *ctx)
{
	return leave(UMOUNT, ctx->ret);
}

SEC("tp/syscalls/sys_enter_fsopen")
int fsopen_t(struct sys_enter *ctx)
{
	return enter_traced(FSOPEN, ctx);
}

SEC("tp/syscalls/sys_exit_fsopen")
int fsopen_tx(struct sys_exit *ctx)
{
	return leave(FSOPEN, ctx->ret);
}

SEC("tp/syscalls/sys_enter_fsconfig")
int fsconfig_t(struct sys_enter *ctx)
{
	return enter_traced(FSCONFIG, ctx);
}

SEC("tp/syscalls/sys_exit_fsconfig")
int fsconfig_tx(struct sys_exit *ctx)
{
	return leave(FSCONFIG, ctx->ret);
}

SEC("tp/syscalls/sys_enter_fsmount")
int fsmount_t(struct sys_enter *ctx)
{
	return enter_traced(FSMOUNT, ctx);
}

SEC("tp/syscalls/sys_exit_fsmount")
int fsmount_tx(struct sys_exit *ctx)
{
	return leave(FSMOUNT, ctx->ret);
}

SEC("tp/syscalls/sys_enter_open_tree")
int open_tree_t(struct sys_enter *ctx)
{
	return enter_traced(OPEN_TREE, ctx);
}

SEC("tp/syscalls/sys_exit_open_tree")
int open_tree_tx(struct sys_exit *ctx)
{
	return leave(OPEN_TREE, ctx->ret);
}

SEC("tp/syscalls/sys_enter_open_tree_attr")
int open_tree_attr_t(struct sys_enter *ctx)
{
	return enter_traced(OPEN_TREE, ctx);
}

SEC("tp/syscalls/sys_exit_open_tree_attr")
int open_tree_attr_tx(struct sys_exit *ctx)
{
	return leave(OPEN_TREE, ctx->ret);
}

SEC("tp/syscalls/sys_enter_move_mount")
int move_mount_t(struct sys_enter *ctx)
{
	return enter_traced(MOVE_MOUNT, ctx);
}

SEC("tp/syscalls/sys_exit_move_mount")
int move_mount_tx(struct sys_exit *ctx)
{
	return leave(MOVE_MOUNT, ctx->ret);
}

SEC("tp/syscalls/sys_enter_mount_setattr")
int mount_setattr_t(struct sys_enter *ctx)
{
	return enter_traced(MOUNT_SETATTR, ctx);
}

SEC("tp/syscalls/sys_exit_mount_setattr")
int mount_setattr_tx(struct sys_exit *ctx)
{
	return leave(MOUNT_SETATTR, ctx->ret);
}

SEC("tp/syscalls/sys_enter_pivot_root")
int pivot_root_t(struct sys_enter *ctx)
{
	return enter_traced(PIVOT_ROOT, ctx);
}

SEC("tp/syscalls/sys_exit_pivot_root")
int pivot_root_tx(struct sys_exit *ctx)
{
	return leave(PIVOT_ROOT, ctx->ret);
}
