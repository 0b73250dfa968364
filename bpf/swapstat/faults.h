/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* How long a task waits in a page fault for a page that was swapped out. */

/* include/linux/mm_types.h: the page was not in memory. */
#define VM_FAULT_MAJOR 4

/*
 * Faults in progress, by thread. Allocated beforehand, and not in task storage: memory is short
 * when there are many. Not an LRU map, which would evict one that waits long without counting the
 * loss.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, u32);
	__type(value, u64);
} faults SEC(".maps");

static __always_inline int fault_begins(void)
{
	u32 tid = bpf_get_current_pid_tgid();
	u64 now;

	if (!filter_current())
		return 0;
	now = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&faults, &tid, &now, BPF_ANY))
		count(LOST, 1);
	return 0;
}

/* With --by owner a fault belongs to the memory cgroup of the task that waits. */
static __always_inline struct stats *stats_of_fault(void)
{
	if (by == BY_SYSTEM)
		return total_of(ALL);
	if (by == BY_OWNER)
		return owned_by_cgroup(ALL, memcg_id(memcg_of((void *)bpf_get_current_task())));
	return owned_by_current(ALL);
}

static __always_inline int fault_ends(u32 ret)
{
	u64 now = bpf_ktime_get_ns(), began;
	u32 tid = bpf_get_current_pid_tgid();
	u64 *found = bpf_map_lookup_elem(&faults, &tid);
	struct stats *stats;

	/* In progress before the start, or filtered out. */
	if (!found)
		return 0;
	began = *found;
	bpf_map_delete_elem(&faults, &tid);
	if (!(ret & VM_FAULT_MAJOR))
		return 0;
	stats = stats_of_fault();
	if (stats)
		hist_add(&stats->fault, now - began);
	return 0;
}

SEC("fentry/do_swap_page")
int BPF_PROG(fault_f, struct vm_fault *vmf)
{
	return fault_begins();
}

SEC("fexit/do_swap_page")
int BPF_PROG(fault_fx, struct vm_fault *vmf, u32 ret)
{
	return fault_ends(ret);
}

SEC("kprobe/do_swap_page")
int BPF_KPROBE(fault_k)
{
	return fault_begins();
}

SEC("kretprobe/do_swap_page")
int BPF_KRETPROBE(fault_kx, u32 ret)
{
	return fault_ends(ret);
}
