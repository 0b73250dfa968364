/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Which processes use System V shared memory: the calls by every way into the kernel, and the
 * segments that come and go. */
#include "kernel.h"
#include "argument.h"
#include "filter.h"

/* Their names are those in records. */
enum call { GET, ATTACH, DETACH, CONTROL, MAX_CALLS };

/* Has the names generated for user space, too: skel::names. */
const enum call skeleton_call = GET;

/* First two for each call, in the order of the calls. */
enum counter {
	GETS,
	GET_ERRORS,
	ATTACHES,
	ATTACH_ERRORS,
	DETACHES,
	DETACH_ERRORS,
	CONTROLS,
	CONTROL_ERRORS,
	CREATED,
	CREATED_BYTES,
	DESTROYED,
	DESTROYED_BYTES,
	EXIT_DETACHES,
	LOST,
	MAX_COUNTERS,
};

#include "event.h"
#include "owned_counters.h"

/* include/linux/ipc_namespace.h */
#define IPC_SHM_IDS 2
/* Segments that kprobes see being created at once. */
#define MAX_CREATING 1024

/* --events: send each call rather than count it. */
const volatile bool send_events = false;

struct event {
	u64 ts_ns;
	u64 duration_ns;
	s64 ret;
	u64 size;
	u64 addr;
	u32 pid;
	u32 call;
	s32 id; /* of get: the key */
	u32 flags;
	u32 cmd;
	char comm[TASK_COMM_LEN];
};

const struct event *unused_event __attribute__((unused));

struct start {
	u64 ts_ns;
	u64 size;
	u64 addr;
	u64 attached; /* where the kernel stores the address of an attachment */
	u32 call;
	s32 id;
	u32 flags;
	u32 cmd;
};

#include "under_way.h"

static __always_inline int enter(struct start *start)
{
	if (filter_current() && !keep_start(start))
		count(LOST, 1);
	return 0;
}

/* For hooks whose exit alone tells what is counted. */
static __always_inline int enter_for_event(struct start *start)
{
	return send_events ? enter(start) : 0;
}

static __always_inline void send(struct start *start, u64 now, long ret)
{
	struct event *event = event_reserve(sizeof(*event));

	if (!event)
		return;
	event->ts_ns = now;
	event->duration_ns = now - start->ts_ns;
	event->ret = ret;
	event->size = start->size;
	event->addr = start->addr;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->call = start->call;
	event->id = start->id;
	event->flags = start->flags;
	event->cmd = start->cmd;
	bpf_get_current_comm(&event->comm, sizeof(event->comm));
	event_submit(event);
}

static __always_inline int count_call(u32 call, bool failed)
{
	struct counters *bank = owned_counters();

	if (!bank)
		return 0;
	add(bank, 2 * call, 1);
	if (failed)
		add(bank, 2 * call + 1, 1);
	return 0;
}

/* The exit of a call whose entry was kept. */
static __always_inline int leave_kept(u32 call, long ret)
{
	u64 now = bpf_ktime_get_ns();
	struct start *found = find_start();
	struct start start;

	/* In progress before the start, or filtered out. Or its exit was not seen, and this is the
	 * exit of another call. */
	if (!found || !found->ts_ns || found->call != call)
		return 0;
	start = *found;
	end_start(found);
	if (!send_events)
		return count_call(call, ret < 0);
	/* The function returns only whether it succeeded. */
	if (start.attached && !ret)
		bpf_probe_read_kernel(&ret, sizeof(ret), (void *)start.attached);
	send(&start, now, ret);
	return 0;
}

static __always_inline int leave(u32 call, long ret)
{
	if (send_events)
		return leave_kept(call, ret);
	return filter_current() ? count_call(call, ret < 0) : 0;
}

/* A segment has been created, or is about to be destroyed. */
static __always_inline int segment(u32 counter, u64 bytes)
{
	struct counters *bank;

	if (!filter_current())
		return 0;
	bank = owned_counters();
	if (!bank)
		return 0;
	add(bank, counter, 1);
	add(bank, counter + 1, bytes);
	return 0;
}

/* Semaphores and message queues come by the same function. */
static __always_inline bool is_shm(struct ipc_namespace *ns, struct ipc_ids *ids)
{
	return (u64)ids == (u64)&ns->ids[IPC_SHM_IDS];
}

#include "shmsnoop/fentry.h"
#include "shmsnoop/kprobe.h"
#include "shmsnoop/syscalls.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
