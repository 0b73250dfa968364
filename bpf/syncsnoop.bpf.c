/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Which processes force data to disk and wait for it: six system calls, each from its entry to its
 * exit. */
#include "kernel.h"
#include "filter.h"
#include "path.h"

/* Their names are those in records. */
enum call { SYNC, SYNCFS, FSYNC, FDATASYNC, MSYNC, SYNC_FILE_RANGE, MAX_CALLS };

/* Has the names generated for user space, too: skel::names. */
const enum call skeleton_call = SYNC;

enum counter { LOST, MAX_COUNTERS };

#include "event.h"
#include "latency.h"

/* Calls in progress at once. */
#define MAX_UNDER_WAY 8192
/* For a call without a file descriptor. */
#define NO_FD (-1)

/* --events: send each call rather than count it. */
const volatile bool send_events = false;
/* --min-us: and of those only the ones that took at least this long. */
const volatile u64 min_ns = 0;
/* Whether the call in progress is in task storage (Linux 5.13), else in a hash map. */
const volatile bool task_storage = false;

struct event {
	u64 ts_ns;
	u64 duration_ns;
	s64 ret;
	u32 pid;
	u32 tid;
	s32 fd;
	u32 call;
	char comm[TASK_COMM_LEN];
};

/* For a call on a file that was open. */
struct path_event {
	struct event event;
	struct path_names path;
};

const struct path_event *unused_path_event __attribute__((unused));

struct start {
	u64 ts_ns;         /* 0: none in progress */
	struct file *file; /* only compared: it may be gone by the end of the call */
	s32 fd;
	u32 call;
};

/* The call in progress of a thread: one at most. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct start);
} under_way_in_task SEC(".maps");

/* The same by thread, without task storage; slower. Not an LRU map, which would evict a call that
 * waits long without counting the loss. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_UNDER_WAY);
	__type(key, u32);
	__type(value, struct start);
} under_way SEC(".maps");

static __always_inline struct start *find_start(void)
{
	u32 tid;

	if (task_storage)
		return bpf_task_storage_get(&under_way_in_task, bpf_get_current_task_btf(), NULL,
					    0);
	tid = bpf_get_current_pid_tgid();
	return bpf_map_lookup_elem(&under_way, &tid);
}

/* False if there is no room. */
static __always_inline bool keep_start(struct start *start)
{
	struct start *kept;
	u32 tid;

	if (task_storage) {
		kept = bpf_task_storage_get(&under_way_in_task, bpf_get_current_task_btf(), NULL,
					    BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (!kept)
			return false;
		*kept = *start;
		/* Finding room may have taken time. */
		kept->ts_ns = bpf_ktime_get_ns();
		return true;
	}
	tid = bpf_get_current_pid_tgid();
	start->ts_ns = bpf_ktime_get_ns();
	return !bpf_map_update_elem(&under_way, &tid, start, BPF_ANY);
}

/* Task storage is freed with the task; in the hash map a thread has an entry only while it needs
 * one. */
static __always_inline void end_start(struct start *start)
{
	u32 tid;

	if (task_storage) {
		start->ts_ns = 0;
		return;
	}
	tid = bpf_get_current_pid_tgid();
	bpf_map_delete_elem(&under_way, &tid);
}

static __always_inline bool has_fd(u32 call)
{
	return call != SYNC && call != MSYNC;
}

static __always_inline int enter(u32 call, u32 fd)
{
	struct start start = {.fd = NO_FD, .call = call};

	if (!filter_current())
		return 0;
	if (send_events && has_fd(call)) {
		start.fd = fd;
		start.file = current_file(fd);
	}
	/* Last, because its time is not part of the call. */
	if (!keep_start(&start))
		count(LOST, 1);
	return 0;
}

static __always_inline void send(struct event *event, struct start *start, u64 now, long ret)
{
	u64 id = bpf_get_current_pid_tgid();

	event->ts_ns = now;
	event->duration_ns = now - start->ts_ns;
	event->ret = ret;
	event->pid = id >> 32;
	event->tid = id;
	event->fd = start->fd;
	event->call = start->call;
	bpf_get_current_comm(&event->comm, sizeof(event->comm));
	event_submit(event);
}

static __always_inline int leave(u32 call, long ret)
{
	u64 now = bpf_ktime_get_ns();
	struct start *found = find_start();
	struct path_event *with_path;
	struct start start;
	struct event *event;

	/* In progress before the start, or filtered out. Or its exit was not seen, and this is the
	 * exit of another call. */
	if (!found || !found->ts_ns || found->call != call)
		return 0;
	start = *found;
	end_start(found);
	if (!send_events) {
		record(call, now - start.ts_ns, ret < 0);
		return 0;
	}
	if (now - start.ts_ns < min_ns)
		return 0;
	/* A descriptor that was closed during the call does not identify the file that the call was
	 * for. */
	if (has_fd(call) && start.file && current_file(start.fd) == start.file) {
		with_path = event_reserve(sizeof(*with_path));
		if (with_path) {
			path_read(&with_path->path, start.file);
			send(&with_path->event, &start, now, ret);
		}
		return 0;
	}
	event = event_reserve(sizeof(*event));
	if (event)
		send(event, &start, now, ret);
	return 0;
}

static __always_inline u32 native_fd(struct pt_regs *regs)
{
	return PT_REGS_PARM1_CORE_SYSCALL(regs);
}

static __always_inline u32 ia32_fd(struct pt_regs *regs)
{
	return BPF_CORE_READ((struct pt_regs___ia32 *)regs, bx);
}

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

/* The tracepoints of the system calls, for kernels that allow no function to be watched. */

SEC("tp/syscalls/sys_enter_sync")
int sync_enter_t(struct sys_enter *ctx)
{
	return enter(SYNC, NO_FD);
}

SEC("tp/syscalls/sys_exit_sync")
int sync_exit_t(struct sys_exit *ctx)
{
	return leave(SYNC, ctx->ret);
}

SEC("tp/syscalls/sys_enter_syncfs")
int syncfs_enter_t(struct sys_enter *ctx)
{
	return enter(SYNCFS, ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_syncfs")
int syncfs_exit_t(struct sys_exit *ctx)
{
	return leave(SYNCFS, ctx->ret);
}

SEC("tp/syscalls/sys_enter_fsync")
int fsync_enter_t(struct sys_enter *ctx)
{
	return enter(FSYNC, ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_fsync")
int fsync_exit_t(struct sys_exit *ctx)
{
	return leave(FSYNC, ctx->ret);
}

SEC("tp/syscalls/sys_enter_fdatasync")
int fdatasync_enter_t(struct sys_enter *ctx)
{
	return enter(FDATASYNC, ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_fdatasync")
int fdatasync_exit_t(struct sys_exit *ctx)
{
	return leave(FDATASYNC, ctx->ret);
}

SEC("tp/syscalls/sys_enter_msync")
int msync_enter_t(struct sys_enter *ctx)
{
	return enter(MSYNC, NO_FD);
}

SEC("tp/syscalls/sys_exit_msync")
int msync_exit_t(struct sys_exit *ctx)
{
	return leave(MSYNC, ctx->ret);
}

SEC("tp/syscalls/sys_enter_sync_file_range")
int sync_file_range_enter_t(struct sys_enter *ctx)
{
	return enter(SYNC_FILE_RANGE, ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_sync_file_range")
int sync_file_range_exit_t(struct sys_exit *ctx)
{
	return leave(SYNC_FILE_RANGE, ctx->ret);
}

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

char LICENSE[] SEC("license") = "Dual MIT/GPL";
