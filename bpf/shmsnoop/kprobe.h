/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The functions again, by kprobes. */

SEC("kprobe/ipcget")
int BPF_KPROBE(get_k, struct ipc_namespace *ns, struct ipc_ids *ids, void *ops,
	       struct ipc_params *params)
{
	struct start start = {.call = GET};

	if (!is_shm(ns, ids))
		return 0;
	start.id = BPF_CORE_READ(params, key);
	start.size = BPF_CORE_READ(params, u.size);
	start.flags = BPF_CORE_READ(params, flg);
	/* Also to be counted: the return does not tell what was asked for. */
	return enter(&start);
}

SEC("kretprobe/ipcget")
int BPF_KRETPROBE(get_kx, int ret)
{
	return leave_kept(GET, ret);
}

SEC("kprobe/do_shmat")
int BPF_KPROBE(attach_k, int id, void *addr, int flags, unsigned long *attached)
{
	struct start start = {
	    .call = ATTACH,
	    .id = id,
	    .addr = (u64)addr,
	    .flags = flags,
	    .attached = (u64)attached,
	};

	return enter_for_event(&start);
}

SEC("kretprobe/do_shmat")
int BPF_KRETPROBE(attach_kx, long ret)
{
	return leave(ATTACH, ret);
}

SEC("kprobe/ksys_shmdt")
int BPF_KPROBE(detach_k, void *addr)
{
	struct start start = {.call = DETACH, .addr = (u64)addr};

	return enter_for_event(&start);
}

SEC("kretprobe/ksys_shmdt")
int BPF_KRETPROBE(detach_kx, long ret)
{
	return leave(DETACH, ret);
}

SEC("kprobe/" SYSCALL_PREFIX "shmctl")
int BPF_KPROBE(control_k, struct pt_regs *regs)
{
	struct start start = {
	    .call = CONTROL,
	    .id = PT_REGS_PARM1_CORE_SYSCALL(regs),
	    .cmd = PT_REGS_PARM2_CORE_SYSCALL(regs),
	};

	return enter_for_event(&start);
}

SEC("kretprobe/" SYSCALL_PREFIX "shmctl")
int BPF_KRETPROBE(control_kx, long ret)
{
	return leave(CONTROL, ret);
}

SEC("kprobe/compat_ksys_shmctl")
int BPF_KPROBE(control_32k, int id, int cmd)
{
	struct start start = {.call = CONTROL, .id = id, .cmd = cmd};

	return enter_for_event(&start);
}

SEC("kretprobe/compat_ksys_shmctl")
int BPF_KRETPROBE(control_32kx, long ret)
{
	return leave(CONTROL, ret);
}

/* The size of the segment that a thread is creating. All of it preallocated: older kernels (5.10)
 * warn about programs of kprobes that allocate. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_CREATING);
	__type(key, u32);
	__type(value, u64);
} creating SEC(".maps");

SEC("kprobe/newseg")
int BPF_KPROBE(created_k, struct ipc_namespace *ns, struct ipc_params *params)
{
	u32 tid = bpf_get_current_pid_tgid();
	u64 bytes = BPF_CORE_READ(params, u.size);

	if (filter_current() && bpf_map_update_elem(&creating, &tid, &bytes, BPF_ANY))
		count(LOST, 1);
	return 0;
}

SEC("kretprobe/newseg")
int BPF_KRETPROBE(created_kx, int ret)
{
	u32 tid = bpf_get_current_pid_tgid();
	u64 *found = bpf_map_lookup_elem(&creating, &tid);
	u64 bytes;

	if (!found)
		return 0;
	bytes = *found;
	bpf_map_delete_elem(&creating, &tid);
	return ret < 0 ? 0 : segment(CREATED, bytes);
}

SEC("kprobe/shm_destroy")
int BPF_KPROBE(destroyed_k, struct ipc_namespace *ns, struct shmid_kernel *segment_info)
{
	return segment(DESTROYED, BPF_CORE_READ(segment_info, shm_segsz));
}

SEC("kprobe/shm_close")
int BPF_KPROBE(exit_detached_k, struct vm_area_struct *vma)
{
	if (!BPF_CORE_READ(vma, vm_mm, mm_users.counter) && filter_current())
		count_owned(EXIT_DETACHES, 1);
	return 0;
}
