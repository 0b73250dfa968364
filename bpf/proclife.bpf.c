/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Processes and threads: which start and end, which calls fail, which zombies are left. */
#include "kernel.h"
#include "renames.h"
#include "filter.h"

enum counter {
	FORKS,
	THREADS,
	EXECS,
	EXITS,
	THREAD_EXITS,
	REAPED,
	FORK_ERRORS,
	EXEC_ERRORS,
	LOST,
	MAX_COUNTERS,
};

#include "owned_counters.h"
#include "event.h"

#define ARGV_SMALL 256
#define ARGV_LARGE 4096
#define PATH_LEN 256

/* --events: send each event rather than count it. */
const volatile bool send_events = false;
/* --threads: events of threads too. */
const volatile bool send_threads = false;

struct event {
	u64 ts_ns;
	u64 age_ns;
	u32 kind; /* enum counter */
	u32 pid;
	u32 tid;
	u32 ppid;
	s32 status; /* exit: the exit code as wait(2) has it; errors: the negative errno */
	u32 argv_len;
	char comm[TASK_COMM_LEN];
};

/* Two sizes of exec, because a record reserved in the ring buffer must have a constant size. */
struct exec_event {
	struct event event;
	char path[PATH_LEN];
	char argv[ARGV_SMALL];
};

struct exec_event_large {
	struct event event;
	char path[PATH_LEN];
	char argv[ARGV_LARGE];
};

const struct exec_event *unused_exec_event __attribute__((unused));
const struct exec_event_large *unused_exec_event_large __attribute__((unused));

/*
 * Processes of several threads whose last exit was counted. The kernel passes which thread was the
 * last only since 6.16. Before, two threads that end together both see a group without living
 * threads, and the first one here is counted. Entries are needed only while threads end, and the
 * oldest are evicted.
 */
struct group {
	u64 signal;
	u64 start_time;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct group);
	__type(value, u8);
} ended SEC(".maps");

/* Zombies that the iterator saw since user space last wrote 0 here. */
u64 zombies = 0;

static __always_inline void describe(struct event *event, u32 kind, struct task_struct *task)
{
	event->ts_ns = bpf_ktime_get_ns();
	event->age_ns = 0;
	event->kind = kind;
	event->pid = task->tgid;
	event->tid = task->pid;
	event->ppid = task->real_parent->tgid;
	event->status = 0;
	event->argv_len = 0;
	BPF_CORE_READ_INTO(&event->comm, task, comm);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	/* A new thread belongs to the thread group of the task that created it. */
	u32 kind = child->tgid == parent->tgid ? THREADS : FORKS;
	struct event *event;

	if (!filter_current())
		return 0;
	if (!send_events) {
		count_owned(kind, 1);
		return 0;
	}
	if (kind == THREADS && !send_threads)
		return 0;
	event = event_reserve(sizeof(*event));
	if (!event)
		return 0;
	describe(event, kind, child);
	/* CLONE_PARENT makes the child a sibling; the record names the process that forked. */
	event->ppid = kind == THREADS ? parent->real_parent->tgid : parent->tgid;
	event_submit(event);
	return 0;
}

static __always_inline void send_exec(struct event *event, char *path, char *argv, u32 argv_max,
				      struct task_struct *task, struct linux_binprm *bprm)
{
	unsigned long start = task->mm->arg_start;
	unsigned long len = task->mm->arg_end - start;

	describe(event, EXECS, task);
	bpf_probe_read_kernel_str(path, PATH_LEN, bprm->filename);
	/* A length beyond the room means that the arguments were cut. */
	event->argv_len = len > ARGV_LARGE ? ARGV_LARGE + 1 : len;
	if (len > argv_max)
		len = argv_max;
	if (bpf_probe_read_user(argv, len, (void *)start))
		event->argv_len = 0;
	event_submit(event);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct exec_event_large *large;
	struct exec_event *small;

	if (!filter_current())
		return 0;
	if (!send_events) {
		count_owned(EXECS, 1);
		return 0;
	}
	if (task->mm->arg_end - task->mm->arg_start <= ARGV_SMALL) {
		small = event_reserve(sizeof(*small));
		if (small)
			send_exec(&small->event, small->path, small->argv, ARGV_SMALL, task, bprm);
	} else {
		large = event_reserve(sizeof(*large));
		if (large)
			send_exec(&large->event, large->path, large->argv, ARGV_LARGE, task, bprm);
	}
	return 0;
}

static __always_inline bool is_last(struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	/* The address alone may belong to another process by then. */
	struct group group = {};
	u8 yes = 1;

	if (signal->live.counter != 0)
		return false;
	/* Never had a thread that has exited: exiting threads add their run time here. */
	if (signal->nr_threads == 1 && !signal->sum_sched_runtime)
		return true;
	group.signal = (u64)signal;
	group.start_time = task->group_leader->start_time;
	/* Before 6.4 the kernel's own functions behind this return an int, whose sign is not
	 * extended: kernel commit d7ba4cc900bf ("bpf: return long from bpf_map_ops funcs"). */
	return (int)bpf_map_update_elem(&ended, &group, &yes, BPF_NOEXIST) != -EEXIST;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct signal_struct *group = task->signal;
	struct event *event;
	bool last;
	u32 kind;

	if (!filter_current())
		return 0;
	if (exit_tells_group_dead())
		last = ctx[1];
	else
		last = is_last(task);
	kind = last ? EXITS : THREAD_EXITS;
	if (!send_events) {
		count_owned(kind, 1);
		return 0;
	}
	if (!last && !send_threads)
		return 0;
	event = event_reserve(sizeof(*event));
	if (!event)
		return 0;
	describe(event, kind, task);
	if (last) {
		struct task_struct *leader = task->group_leader;

		/* What wait(2) will return: the leader's status, unless the whole group was ended
		 * at once. */
		event->status =
		    group->flags & SIGNAL_GROUP_EXIT ? group->group_exit_code : leader->exit_code;
		event->tid = leader->pid;
		event->age_ns = event->ts_ns - leader->start_time;
		BPF_CORE_READ_INTO(&event->comm, leader, comm);
	} else {
		event->status = task->exit_code;
		event->age_ns = event->ts_ns - task->start_time;
	}
	event_submit(event);
	return 0;
}

/* Who waits for a process is asked for by --pid, --comm and --user, where the process is by
 * --cgroup. */
static __always_inline bool filter_child(struct task_struct *task, bool typed)
{
	if (filter_asks_who() && !filter_who(parent_of(task, typed), typed))
		return false;
	return filter_task_cgroup(task);
}

/*
 * Attributed to the ended process itself. Its ids are read in two ways: to a kprobe the task is
 * only a number, and the helper that reads it is not available on a kernel that is locked down.
 */
static __always_inline int reaped(struct task_struct *task, bool typed)
{
	int pid = typed ? task->pid : BPF_CORE_READ(task, pid);
	int tgid = typed ? task->tgid : BPF_CORE_READ(task, tgid);
	struct counters *bank;

	/* A process, not a thread. The leader that was replaced by an exec of another thread has
	 * lost its own id. */
	if (pid != tgid)
		return 0;
	if (!filter_child(task, typed))
		return 0;
	bank = owned_counters_of(task, typed);
	if (bank)
		add(bank, REAPED, 1);
	return 0;
}

/*
 * release_task() also releases a leader whose last thread has just ended, without calling itself
 * again: a function that it calls for each of them is watched instead.
 */
SEC("fentry/cgroup_release")
int BPF_PROG(release_f, struct task_struct *task)
{
	return reaped(task, true);
}

/* Its name from 6.19 on. */
SEC("fentry/cgroup_task_release")
int BPF_PROG(task_release_f, struct task_struct *task)
{
	return reaped(task, true);
}

SEC("kprobe/cgroup_release")
int BPF_KPROBE(release_k, struct task_struct *task)
{
	return reaped(task, false);
}

SEC("kprobe/cgroup_task_release")
int BPF_KPROBE(task_release_k, struct task_struct *task)
{
	return reaped(task, false);
}

/* A task is freed one RCU grace period after it was reaped. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
	return reaped(task, true);
}

static __always_inline int on_error(long ret, u32 kind)
{
	struct event *event;

	if (ret >= 0 || !filter_current())
		return 0;
	/* In both modes: the self-test of the hook reads this counter. */
	count_owned(kind, 1);
	if (!send_events)
		return 0;
	event = event_reserve(sizeof(*event));
	if (!event)
		return 0;
	event->ts_ns = bpf_ktime_get_ns();
	event->age_ns = 0;
	event->kind = kind;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->tid = bpf_get_current_pid_tgid();
	event->ppid =
	    BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), real_parent, tgid);
	event->status = ret;
	event->argv_len = 0;
	bpf_get_current_comm(&event->comm, sizeof(event->comm));
	event_submit(event);
	return 0;
}

SEC("fexit/kernel_clone")
int BPF_PROG(clone_f, u64 args, long ret)
{
	return on_error((int)ret, FORK_ERRORS);
}

SEC("kretprobe/kernel_clone")
int BPF_KRETPROBE(clone_k, long ret)
{
	return on_error((int)ret, FORK_ERRORS);
}

SEC("tp/syscalls/sys_exit_clone")
int clone_failed(struct sys_exit *ctx)
{
	return on_error(ctx->ret, FORK_ERRORS);
}

SEC("tp/syscalls/sys_exit_clone3")
int clone3_failed(struct sys_exit *ctx)
{
	return on_error(ctx->ret, FORK_ERRORS);
}

SEC("tp/syscalls/sys_exit_fork")
int fork_failed(struct sys_exit *ctx)
{
	return on_error(ctx->ret, FORK_ERRORS);
}

SEC("tp/syscalls/sys_exit_vfork")
int vfork_failed(struct sys_exit *ctx)
{
	return on_error(ctx->ret, FORK_ERRORS);
}

SEC("tp/syscalls/sys_exit_execve")
int execve_failed(struct sys_exit *ctx)
{
	return on_error(ctx->ret, EXEC_ERRORS);
}

SEC("tp/syscalls/sys_exit_execveat")
int execveat_failed(struct sys_exit *ctx)
{
	return on_error(ctx->ret, EXEC_ERRORS);
}

/* Writes a zombie for the reader that walks the tasks (tools/proclife/src/zombies.rs). */
static __always_inline void write_zombie(struct seq_file *seq, struct task_struct *task)
{
	struct named_owner who = {};

	named_owner_of(&who, task, true);
	/* If the buffer of a read is full, the task is visited again. */
	bpf_seq_write(seq, &who, sizeof(who));
}

/* The present zombies. Counted anew at each interval: a gauge kept up to date by events drifts. */
SEC("iter/task")
int count_zombies(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	/* A dead leader whose threads still run is not a zombie yet: it cannot be reaped. */
	if (!task || task->exit_state != EXIT_ZOMBIE || task->pid != task->tgid ||
	    task->signal->nr_threads > 1)
		return 0;
	if (!filter_child(task, true))
		return 0;
	if (by == BY_SYSTEM)
		__sync_fetch_and_add(&zombies, 1);
	else
		write_zombie(ctx->meta->seq, task);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
