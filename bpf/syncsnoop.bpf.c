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

/* For a call without a file descriptor. */
#define NO_FD (-1)

/* --events: send each call rather than count it. */
const volatile bool send_events = false;
/* --min-us: and of those only the ones that took at least this long. */
const volatile u64 min_ns = 0;

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
	u64 ts_ns;
	struct file *file; /* only compared: it may be gone by the end of the call */
	s32 fd;
	u32 call;
};

#include "under_way.h"

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

#include "syncsnoop/fentry.h"
#include "syncsnoop/syscalls.h"
#include "syncsnoop/kprobe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
