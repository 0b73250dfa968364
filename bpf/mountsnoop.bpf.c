/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Which processes mount and unmount: the calls of the old and the new interface, each from its
 * entry to its exit, and the namespaces that end with mounts in them. */
#include "kernel.h"
#include "argument.h"
#include "filter.h"
#include "path.h"

/* Their names are those in records. The first five are all mount(2). */
enum call {
	MOUNT,
	BIND,
	REMOUNT,
	MOVE,
	PROPAGATION,
	UMOUNT,
	FSOPEN,
	FSMOUNT,
	OPEN_TREE,
	MOVE_MOUNT,
	MOUNT_SETATTR,
	FSCONFIG,
	PIVOT_ROOT,
	NS_END,
	MAX_CALLS,
};

/* Has the names generated for user space, too: skel::names. */
const enum call skeleton_call = MOUNT;

enum counter { LOST, MAX_COUNTERS };

#include "event.h"
#include "latency.h"

/* include/uapi/linux/mount.h */
#define MS_REMOUNT 32
#define MS_BIND 4096
#define MS_MOVE 8192
#define MS_PROPAGATION (1 << 17 | 1 << 18 | 1 << 19 | 1 << 20)
#define MS_MGC_VAL 0xC0ED0000ULL
#define MS_MGC_MSK 0xffff0000ULL
#define FSCONFIG_CMD_CREATE 6
#define FSCONFIG_CMD_CREATE_EXCL 8
/* The number of a namespace that no process can enter: of trees that are not attached
 * (include/linux/ nsfs.h); before 6.18 it is 0. */
#define MNT_NS_ANON_INO 0xEFFFFFF7

/* Bytes of texts in events, each with a NUL. */
#define LONG_TEXT 256
#define SHORT_TEXT 64

/* --events: send each call rather than count it. */
const volatile bool send_events = false;

struct event {
	u64 ts_ns;
	u64 duration_ns;
	s64 ret;
	u64 flags;
	u64 attributes; /* of fsmount */
	u32 pid;
	u32 call;
	u32 command; /* of fsconfig */
	u32 mntns;
	u32 mounts;
	u32 gone; /* of a namespace's end: mounts that went with it */
	/* Bytes with the NUL; 0 or less: there is none. */
	s32 source_len;
	s32 target_len;
	s32 fs_len;
	s32 options_len;
	char comm[TASK_COMM_LEN];
	char source[LONG_TEXT];
	char target[LONG_TEXT];
	char fs[SHORT_TEXT];
	char options[LONG_TEXT];
};

const struct event *unused_event __attribute__((unused));

struct start {
	u64 ts_ns;
	/* Of the caller's memory. */
	u64 source;
	u64 target;
	u64 fs;
	u64 options;
	u64 flags;
	u64 attributes;
	u32 function; /* the call, or the first of those that are one function */
	u32 call;
	u32 command;
	u32 fd; /* of a file system's context */
	u32 mntns;
	u32 gone;
};

#include "under_way.h"

/* The arguments of a system call. */
struct arguments {
	u64 of[5];
};

static __always_inline struct mnt_namespace *current_mounts(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, nsproxy, mnt_ns);
}

/* Of Linux before 2.4, a mark in the upper half. */
static __always_inline u64 without_magic(u64 flags)
{
	return (flags & MS_MGC_MSK) == MS_MGC_VAL ? flags & ~MS_MGC_MSK : flags;
}

/* As path_mount() of fs/namespace.c tells them apart. */
static __always_inline u32 kind_of_mount(u64 flags)
{
	if (flags & MS_REMOUNT)
		return REMOUNT;
	if (flags & MS_BIND)
		return BIND;
	if (flags & MS_PROPAGATION)
		return PROPAGATION;
	return flags & MS_MOVE ? MOVE : MOUNT;
}

/* Whether the tree that this descriptor stands for is in no namespace that the caller sees: moved,
 * it becomes visible. */
static __always_inline bool is_detached(u32 fd)
{
	struct file *file = current_file(fd);
	struct mount *mount;

	if (!file)
		return false;
	mount = mount_of(BPF_CORE_READ(file, f_path.mnt));
	return BPF_CORE_READ(mount, mnt_ns) != current_mounts();
}

/* Stores what the call was given; false if it is not counted. */
static __always_inline bool understand(struct start *start, struct arguments *args)
{
	start->call = start->function;
	switch (start->function) {
	case MOUNT:
		start->source = args->of[0];
		start->target = args->of[1];
		start->fs = args->of[2];
		start->flags = without_magic(args->of[3]);
		start->options = args->of[4];
		start->call = kind_of_mount(start->flags);
		return true;
	case UMOUNT:
		start->target = args->of[0];
		start->flags = (u32)args->of[1];
		return true;
	case FSOPEN:
		start->fs = args->of[0];
		start->flags = (u32)args->of[1];
		return true;
	case FSCONFIG:
		start->fd = args->of[0];
		start->command = args->of[1];
		/* The others set an option each, or configure again. */
		return start->command == FSCONFIG_CMD_CREATE ||
		       start->command == FSCONFIG_CMD_CREATE_EXCL;
	case FSMOUNT:
		start->fd = args->of[0];
		start->flags = (u32)args->of[1];
		start->attributes = (u32)args->of[2];
		return true;
	case OPEN_TREE:
		start->source = args->of[1];
		start->flags = (u32)args->of[2];
		return true;
	case MOVE_MOUNT:
		start->source = args->of[1];
		start->target = args->of[3];
		start->flags = (u32)args->of[4];
		if (!is_detached(args->of[0]))
			start->call = MOVE;
		return true;
	case MOUNT_SETATTR:
		start->target = args->of[1];
		start->flags = (u32)args->of[2];
		return true;
	default:
		start->source = args->of[0];
		start->target = args->of[1];
		return true;
	}
}

static __always_inline int enter(u32 function, struct arguments *args)
{
	struct start start = {.function = function};

	if (!filter_current() || !understand(&start, args))
		return 0;
	if (send_events)
		start.mntns = BPF_CORE_READ(current_mounts(), ns.inum);
	/* Last, because its time is not part of the call. */
	if (!keep_start(&start))
		count(LOST, 1);
	return 0;
}

static __always_inline int enter_native(u32 function, struct pt_regs *regs)
{
	struct arguments args = {{
	    PT_REGS_PARM1_CORE_SYSCALL(regs),
	    PT_REGS_PARM2_CORE_SYSCALL(regs),
	    PT_REGS_PARM3_CORE_SYSCALL(regs),
	    PT_REGS_PARM4_CORE_SYSCALL(regs),
	    PT_REGS_PARM5_CORE_SYSCALL(regs),
	}};

	return enter(function, &args);
}

static __always_inline int enter_ia32(u32 function, struct pt_regs *native)
{
	struct pt_regs___ia32 *regs = (void *)native;
	struct arguments args = {{
	    (u32)BPF_CORE_READ(regs, bx),
	    (u32)BPF_CORE_READ(regs, cx),
	    (u32)BPF_CORE_READ(regs, dx),
	    (u32)BPF_CORE_READ(regs, si),
	    (u32)BPF_CORE_READ(regs, di),
	}};

	return enter(function, &args);
}

static __always_inline int enter_oldumount(struct pt_regs *native)
{
	struct pt_regs___ia32 *regs = (void *)native;
	struct arguments args = {{(u32)BPF_CORE_READ(regs, bx)}};

	return enter(UMOUNT, &args);
}

static __always_inline int enter_traced(u32 function, struct sys_enter *ctx)
{
	struct arguments args = {
	    {ctx->args[0], ctx->args[1], ctx->args[2], ctx->args[3], ctx->args[4]}};

	return enter(function, &args);
}

/* A tree is unmounted: as put_mnt_ns() does it, all of a namespace that no process is in any more.
 */
static __always_inline int enter_ns_end(struct mount *mount, int how)
{
	struct start start = {.function = NS_END, .call = NS_END};
	struct mnt_namespace *ns = BPF_CORE_READ(mount, mnt_ns);

	if (how || !ns || BPF_CORE_READ(ns, root) != mount)
		return 0;
	start.mntns = BPF_CORE_READ(ns, ns.inum);
	if (!start.mntns || start.mntns == MNT_NS_ANON_INO || !filter_current())
		return 0;
	start.gone = namespace_mounts(ns);
	if (!keep_start(&start))
		count(LOST, 1);
	return 0;
}

/* Counts a call, or the end of a namespace: that cannot fail, and in the place of errors are the
 * mounts that went with it. */
static __always_inline void count_call(struct start *start, u64 duration, bool failed)
{
	struct stats *stats;

	if (start->call != NS_END) {
		record(start->call, duration, failed);
		return;
	}
	stats = by == BY_SYSTEM ? total_of(NS_END) : owned_by_current(NS_END);
	if (!stats)
		return;
	__sync_fetch_and_add(&stats->errors, start->gone);
	hist_add(&stats->duration, duration);
}

/* What the context of a file system has of it, if the call has shown that the descriptor is one. */
static __always_inline void read_context(struct event *event, u32 fd)
{
	struct file *file = current_file(fd);
	struct fs_context *context = BPF_CORE_READ(file, private_data);

	event->fs_len = bpf_probe_read_kernel_str(event->fs, sizeof(event->fs),
						  BPF_CORE_READ(context, fs_type, name));
	event->source_len = bpf_probe_read_kernel_str(event->source, sizeof(event->source),
						      BPF_CORE_READ(context, source));
}

static __always_inline s32 read_text(char *text, u32 size, u64 from)
{
	long len;

	if (!from)
		return 0;
	len = bpf_probe_read_user_str(text, size, (void *)from);
	/* Of an empty text old kernels (5.10) do not count the NUL. */
	return len ? len : 1;
}

static __always_inline void send(struct start *start, u64 now, long ret)
{
	struct event *event = event_reserve(sizeof(*event));

	if (!event)
		return;
	event->ts_ns = now;
	event->duration_ns = now - start->ts_ns;
	event->ret = ret;
	event->flags = start->flags;
	event->attributes = start->attributes;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->call = start->call;
	event->command = start->command;
	event->mntns = start->mntns;
	event->mounts = start->call == NS_END ? 0 : namespace_mounts(current_mounts());
	event->gone = start->gone;
	bpf_get_current_comm(&event->comm, sizeof(event->comm));
	/* Only now: what the kernel has read is in memory. */
	event->source_len = read_text(event->source, sizeof(event->source), start->source);
	event->target_len = read_text(event->target, sizeof(event->target), start->target);
	event->fs_len = read_text(event->fs, sizeof(event->fs), start->fs);
	event->options_len = read_text(event->options, sizeof(event->options), start->options);
	if (ret >= 0 && (start->call == FSMOUNT || start->call == FSCONFIG))
		read_context(event, start->fd);
	event_submit(event);
}

static __always_inline int leave(u32 function, long ret)
{
	u64 now = bpf_ktime_get_ns();
	struct start *found = find_start();
	struct start start;

	/* In progress before the start, or filtered out, or not counted. Or its exit was not seen,
	 * and this is the exit of another call. */
	if (!found || !found->ts_ns || found->function != function)
		return 0;
	start = *found;
	end_start(found);
	if (send_events)
		send(&start, now, ret);
	else
		count_call(&start, now - start.ts_ns, ret < 0);
	return 0;
}

#include "mountsnoop/fentry.h"
#include "mountsnoop/kprobe.h"
#include "mountsnoop/syscalls.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
