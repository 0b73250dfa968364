/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Which processes the OOM killer kills, and why. The kernel marks a victim right after it has sent
 * it SIGKILL. A process that it marks without SIGKILL was dying already: it gets memory, and is not
 * a kill.
 */
#include "kernel.h"
#include "renames.h"
#include "filter.h"

enum counter { LOST, MAX_COUNTERS };

#include "event.h"
#include "oomwatch/cause.h"
#include "oomwatch/rss.h"

/* The sender of a signal (include/linux/sched/signal.h): the kernel itself. */
#define SEND_SIG_PRIV 1
/* Room for the names of two paths, each name with a NUL; a power of two. There is room for one more
 * after it, so that the last name that begins within it fits. */
#define NAMES_ROOM 2048
#define NAME_ROOM 256
/* Cgroups on the way to the root. */
#define MAX_STEPS 32

/* The names of a cgroup's path, its own first. */
struct names {
	u32 len;
	u32 cut; /* there was no more room, or there were too many steps */
};

struct event {
	u64 ts_ns;
	u64 age_ns;
	struct rss rss;
	u64 pgtables_bytes;
	u64 limit_pages;
	u64 usage_pages;
	u32 pid;
	u32 uid;
	s32 oom_score_adj;
	u32 scope;
	u32 trigger_pid;
	struct names memcg;
	struct names cgroup;
	u32 names_len;
	char comm[TASK_COMM_LEN];
	char trigger_comm[TASK_COMM_LEN];
	char parent_comm[TASK_COMM_LEN];
	u32 ppid;
};

/* Only as many of the names as there are. */
struct named_event {
	struct event event;
	char names[NAMES_ROOM + NAME_ROOM];
};

/* Where an event is assembled: there is one kill at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct named_event);
} made SEC(".maps");

/* The process to which a thread has just sent SIGKILL, and the memory it had: by the time it is
 * marked it may have begun to free it. */
struct victim {
	u64 task;
	struct rss rss;
	u64 pgtables_bytes;
};

/* By the thread that has sent it. It marks the victim immediately afterwards, or never. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct victim);
} signalled SEC(".maps");

SEC("fentry/oom_kill_process")
int BPF_PROG(cause_f, struct oom_control *oc)
{
	return cause_passed(oc);
}

SEC("kprobe/oom_kill_process")
int BPF_KPROBE(cause_k, struct oom_control *oc)
{
	return cause_passed(oc);
}

/* To take a signal, a task needs the lock that is held here with interrupts off. */
SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int sig, struct kernel_siginfo *info, struct task_struct *task, int group)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct victim victim = {.task = (u64)task};
	struct mm_struct *mm;

	if (sig != SIGKILL || (u64)info != SEND_SIG_PRIV || !group)
		return 0;
	/* Marked before, through any of its threads: killed by then, or dying anyway. */
	if (task->signal->oom_mm)
		return 0;
	mm = task->mm;
	victim.pgtables_bytes = BPF_CORE_READ(mm, pgtables_bytes.counter);
	rss_read(&victim.rss, task, mm);
	if (bpf_map_update_elem(&signalled, &tid, &victim, BPF_ANY))
		count(LOST, 1);
	return 0;
}

/* Reads the names of a cgroup's path. All lengths are kept in the event, whose content the verifier
 * does not track: see path_names_read() of path.h. */
static __always_inline void names_read(struct named_event *named, struct names *names,
				       struct cgroup *cgroup)
{
	struct kernfs_node *node = BPF_CORE_READ(cgroup, kn);

	names->len = 0;
	names->cut = 1;
	for (int step = 0; step < MAX_STEPS; step++) {
		struct kernfs_node *parent = kernfs_parent(node);
		u32 len = *(volatile u32 *)&named->event.names_len;
		long name;

		/* The root has no name. */
		if (!parent) {
			names->cut = 0;
			break;
		}
		if (len >= NAMES_ROOM)
			break;
		/* Always true; older verifiers lose track of it on the way. */
		barrier_var(len);
		len &= NAMES_ROOM - 1;
		name = bpf_probe_read_kernel_str(&named->names[len], NAME_ROOM,
						 BPF_CORE_READ(node, name));
		if (name <= 0)
			break;
		named->event.names_len += name;
		names->len += name;
		node = parent;
	}
}

static __always_inline void describe_victim(struct event *event, struct victim *victim)
{
	struct task_struct *task = (void *)victim->task;
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct *parent = BPF_CORE_READ(task, real_parent, group_leader);

	event->pid = BPF_CORE_READ(task, tgid);
	event->uid = BPF_CORE_READ(task, real_cred, uid.val);
	event->oom_score_adj = BPF_CORE_READ(task, signal, oom_score_adj);
	event->age_ns = event->ts_ns - BPF_CORE_READ(leader, start_time);
	event->pgtables_bytes = victim->pgtables_bytes;
	event->rss = victim->rss;
	bpf_core_read(&event->comm, sizeof(event->comm), &leader->comm);
	event->ppid = BPF_CORE_READ(parent, tgid);
	bpf_core_read(&event->parent_comm, sizeof(event->parent_comm), &parent->comm);
}

static __always_inline void describe_cause(struct named_event *named, struct task_struct *victim)
{
	struct event *event = &named->event;
	struct cause cause = {};
	struct mem_cgroup *memcg;

	cause_of_kill(&cause, victim);
	event->scope = cause.scope;
	event->limit_pages = cause.limit_pages;
	event->usage_pages = cause.usage_pages;
	event->trigger_pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(&event->trigger_comm, sizeof(event->trigger_comm));
	event->memcg.len = 0;
	event->memcg.cut = 0;
	memcg = (void *)cause.memcg;
	if (memcg)
		names_read(named, &event->memcg, BPF_CORE_READ(memcg, css.cgroup));
}

static __always_inline void send(struct victim *victim)
{
	struct task_struct *task = (void *)victim->task;
	u32 zero = 0;
	struct named_event *named = bpf_map_lookup_elem(&made, &zero);
	struct event *event;
	u64 size;

	if (!named)
		return;
	event = &named->event;
	event->ts_ns = bpf_ktime_get_ns();
	event->names_len = 0;
	describe_victim(event, victim);
	describe_cause(named, task);
	names_read(named, &event->cgroup, BPF_CORE_READ(task, cgroups, dfl_cgrp));
	size = *(volatile u32 *)&event->names_len + __builtin_offsetof(struct named_event, names);
	if (size > sizeof(*named))
		size = sizeof(*named);
	event_output(named, size);
}

SEC("tp_btf/mark_victim")
int BPF_PROG(on_mark)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct victim *found = bpf_map_lookup_elem(&signalled, &tid);
	struct task_struct *task;
	struct victim victim;

	if (!found)
		return 0;
	victim = *found;
	task = (void *)victim.task;
	bpf_map_delete_elem(&signalled, &tid);
	if (victim_passed_as_pid() ? (int)ctx[0] != BPF_CORE_READ(task, pid) : ctx[0] != (u64)task)
		return 0;
	/* Its name is that of its first thread; the rest is the same for all. */
	if (filter_task_cgroup(task) &&
	    (!filter_asks_who() || filter_who(BPF_CORE_READ(task, group_leader), false)))
		send(&victim);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
