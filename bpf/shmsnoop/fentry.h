/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The programs of shmsnoop on entries and exits of functions: what shmget(2), shmat(2) and shmdt(2)
 * call, by whichever way a program enters the kernel (ipc/shm.c), and the calls of shmctl(2). */

SEC("fentry/ipcget")
int BPF_PROG(get_f, struct ipc_namespace *ns, struct ipc_ids *ids, void *ops,
	     struct ipc_params *params)
{
	struct start start = {.call = GET};

	if (!send_events || !is_shm(ns, ids))
		return 0;
	start.id = params->key;
	start.size = params->u.size;
	start.flags = params->flg;
	return enter(&start);
}

SEC("fexit/ipcget")
int BPF_PROG(get_fx, struct ipc_namespace *ns, struct ipc_ids *ids, void *ops,
	     struct ipc_params *params, int ret)
{
	return is_shm(ns, ids) ? leave(GET, ret) : 0;
}

SEC("fentry/do_shmat")
int BPF_PROG(attach_f, int id, void *addr, int flags)
{
	struct start start = {.call = ATTACH};

	if (!send_events)
		return 0;
	start.id = id;
	start.addr = pointer_argument(ctx, 1);
	start.flags = flags;
	start.attached = pointer_argument(ctx, 3);
	return enter(&start);
}

SEC("fexit/do_shmat")
int BPF_PROG(attach_fx, int id, void *addr, int flags, unsigned long *attached,
	     unsigned long shmlba, long ret)
{
	return leave(ATTACH, ret);
}

SEC("fentry/ksys_shmdt")
int BPF_PROG(detach_f)
{
	struct start start = {.call = DETACH};

	if (!send_events)
		return 0;
	start.addr = pointer_argument(ctx, 0);
	return enter(&start);
}

SEC("fexit/ksys_shmdt")
int BPF_PROG(detach_fx, void *addr, long ret)
{
	return leave(DETACH, ret);
}

SEC("fentry/" SYSCALL_PREFIX "shmctl")
int BPF_PROG(control_f)
{
	struct start start = {.call = CONTROL};
	struct pt_regs *regs;

	if (!send_events)
		return 0;
	regs = (void *)pointer_argument(ctx, 0);
	start.id = PT_REGS_PARM1_CORE_SYSCALL(regs);
	start.cmd = PT_REGS_PARM2_CORE_SYSCALL(regs);
	return enter(&start);
}

SEC("fexit/" SYSCALL_PREFIX "shmctl")
int BPF_PROG(control_fx, struct pt_regs *regs, long ret)
{
	return leave(CONTROL, ret);
}

/* Of 32-bit programs. */

SEC("fentry/compat_ksys_shmctl")
int BPF_PROG(control_32f, int id, int cmd)
{
	struct start start = {.call = CONTROL, .id = id, .cmd = cmd};

	return enter_for_event(&start);
}

SEC("fexit/compat_ksys_shmctl")
int BPF_PROG(control_32fx, int id, int cmd, void *buffer, int version, long ret)
{
	return leave(CONTROL, ret);
}

SEC("fexit/newseg")
int BPF_PROG(created_f, struct ipc_namespace *ns, struct ipc_params *params, int ret)
{
	return ret < 0 ? 0 : segment(CREATED, params->u.size);
}

SEC("fentry/shm_destroy")
int BPF_PROG(destroyed_f, struct ipc_namespace *ns, struct shmid_kernel *segment_info)
{
	return segment(DESTROYED, segment_info->shm_segsz);
}

/* Called for every end of an attachment: when its memory has no more users, that memory itself is
 * given up, by the exit of its last process or an exec (mmput() of kernel/fork.c). */
SEC("fentry/shm_close")
int BPF_PROG(exit_detached_f, struct vm_area_struct *vma)
{
	if (!vma->vm_mm->mm_users.counter && filter_current())
		count_owned(EXIT_DETACHES, 1);
	return 0;
}
