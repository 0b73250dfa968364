/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* How long file systems take: their own functions for reads, writes, opens and syncs, each from its
 * entry to its return. If functions cannot be watched, the system calls on their files. */
#include "kernel.h"
#include "renames.h"
#include "filter.h"
#include "path.h"

/* Their names are those in records. */
enum fs { EXT4, XFS, BTRFS, NFS, OVERLAY, TMPFS, ZFS, MAX_FS };
enum op { READ, WRITE, OPEN, SYNC, GETATTR, MAX_OPS };

/* Have the names generated for user space, too: skel::names. */
const enum fs skeleton_fs = EXT4;
const enum op skeleton_op = READ;

/* The keys of the totals. */
#define KEY(fs, op) ((fs) * MAX_OPS + (op))

enum counter { LOST, MAX_COUNTERS };

#include "event.h"
#include "latency.h"

/* include/linux/errno.h: an asynchronous request that has only begun. */
#define EIOCBQUEUED 529
/* include/uapi/asm-generic/errno-base.h and errno.h */
#define EAGAIN 11
#define EOPNOTSUPP 95
/* include/linux/fs.h */
#define FMODE_OPENED 0x80000
#define IOCB_NOWAIT 0x8
#define IOCB_WAITQ (1 << 19)
/* include/uapi/linux/stat.h */
#define S_IFMT 00170000
#define S_IFDIR 0040000
#define S_IFREG 0100000
/* include/uapi/linux/magic.h; of XFS fs/xfs/libxfs/xfs_format.h, of ZFS sys/fs/zfs.h. */
#define EXT4_SUPER_MAGIC 0xef53
#define XFS_SUPER_MAGIC 0x58465342
#define BTRFS_SUPER_MAGIC 0x9123683e
#define NFS_SUPER_MAGIC 0x6969
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define TMPFS_MAGIC 0x01021994
#define ZFS_SUPER_MAGIC 0x2fc12fc1

/* --events: send each call rather than count it. */
const volatile bool send_events = false;
/* --min-us: and of those only the ones that took at least this long. */
const volatile u64 min_ns = 0;
/* The tool's own process: with --events, its writes of records to a file would generate records. */
const volatile u32 own_pid = 0;
/* Whether the calls in progress are in task storage (Linux 5.13), else in a hash map. */
const volatile bool task_storage = false;
/* For each operation, the file systems, as bits, that are watched by system calls. Set after
 * attaching. */
u32 by_syscall[MAX_OPS] = {};

struct event {
	u64 ts_ns;
	u64 duration_ns;
	s64 ret;
	s64 offset;
	u32 pid;
	u32 tid;
	u32 key;
	u32 unused;
	char comm[TASK_COMM_LEN];
};

/* For a file that still exists. */
struct path_event {
	struct event event;
	struct path_names path;
};

const struct path_event *unused_path_event __attribute__((unused));

/* For an operation that has no offset, or if it is not known. */
#define NO_OFFSET (-1)

struct call {
	u64 ts_ns;
	u64 path;  /* struct path; only with --events */
	u64 place; /* struct kiocb of a read or write; struct file of an open that may be none; of a
		      system call its offset */
	s32 fd;    /* of a system call, as is the next */
	u16 fs;
	u16 key;
	u32 attempt; /* of a read or write that may be only an attempt: IOCB_NOWAIT or IOCB_WAITQ */
	u32 wanted;  /* and the bytes that it is about */
};

/* Calls nest: an overlay's read reads from the file system beneath, and a synchronous write syncs.
 * A power of two, and more than file systems can be stacked. */
#define MAX_DEPTH 8

/* The calls in progress of a thread. */
struct calls {
	u64 depth;
	struct call call[MAX_DEPTH];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct calls);
} calls_in_task SEC(".maps");

/* Threads with calls in progress, without task storage. Not an LRU map, which would evict a call
 * that waits long without counting the loss. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, u32);
	__type(value, struct calls);
} calls_by_thread SEC(".maps");

const volatile struct calls no_calls = {};

static __always_inline struct calls *find_calls(void)
{
	u32 tid;

	if (task_storage)
		return bpf_task_storage_get(&calls_in_task, bpf_get_current_task_btf(), NULL, 0);
	tid = bpf_get_current_pid_tgid();
	return bpf_map_lookup_elem(&calls_by_thread, &tid);
}

static __always_inline struct calls *make_calls(void)
{
	struct calls *calls;
	u32 tid;

	if (task_storage)
		return bpf_task_storage_get(&calls_in_task, bpf_get_current_task_btf(), NULL,
					    BPF_LOCAL_STORAGE_GET_F_CREATE);
	tid = bpf_get_current_pid_tgid();
	calls = bpf_map_lookup_elem(&calls_by_thread, &tid);
	if (calls)
		return calls;
	bpf_map_update_elem(&calls_by_thread, &tid, (void *)&no_calls, BPF_ANY);
	return bpf_map_lookup_elem(&calls_by_thread, &tid);
}

/* Task storage is freed with the task; in the hash map a thread has an entry only while it needs
 * one. */
static __always_inline void end_calls(struct calls *calls)
{
	u32 tid;

	if (task_storage || calls->depth)
		return;
	tid = bpf_get_current_pid_tgid();
	bpf_map_delete_elem(&calls_by_thread, &tid);
}

/*
 * Enters a call, whose time the caller sets last. NULL if there is no room, which is counted. A
 * call whose end was not seen stays until the call around it ends, or until the next of its kind
 * begins at the same address, where it cannot be in progress any more. If the stack is full of such
 * calls, all are dropped.
 */
static __always_inline struct call *push(u32 key, u64 place, bool outermost)
{
	struct calls *calls = make_calls();
	struct call *call, *last;
	u64 depth;

	if (!calls) {
		count(LOST, 1);
		return NULL;
	}
	depth = outermost ? 0 : calls->depth;
	if (depth >= MAX_DEPTH)
		depth = 0;
	barrier_var(depth);
	if (depth) {
		last = &calls->call[(depth - 1) & (MAX_DEPTH - 1)];
		if (last->key == key && last->place == place)
			depth--;
		barrier_var(depth);
	}
	call = &calls->call[depth & (MAX_DEPTH - 1)];
	call->key = key;
	call->place = place;
	calls->depth = depth + 1;
	return call;
}

/* The innermost call with this key, which is removed. NULL if there is none: it began before the
 * start, was filtered out, or was lost. */
static __always_inline struct call *pop(struct calls *calls, u32 key)
{
	u64 depth = calls->depth;

#pragma unroll
	for (int i = 0; i < MAX_DEPTH; i++) {
		struct call *call;

		if (!depth)
			return NULL;
		depth--;
		barrier_var(depth);
		call = &calls->call[depth & (MAX_DEPTH - 1)];
		if (call->key == key) {
			calls->depth = depth;
			return call;
		}
	}
	return NULL;
}

static __always_inline bool is_asked_for(void)
{
	if (send_events && bpf_get_current_pid_tgid() >> 32 == own_pid)
		return false;
	return filter_current();
}

/* Enters a call of a function. The caller sets the time last, so that the program's own work is not
 * in it. */
static __always_inline struct call *begin(u32 key, struct path *path, void *place)
{
	struct call *call;

	if (!is_asked_for())
		return NULL;
	call = push(key, (u64)place, false);
	if (!call)
		return NULL;
	call->path = (u64)path;
	call->attempt = 0;
	return call;
}

static __always_inline int enter(u32 key, struct path *path, void *place)
{
	struct call *call = begin(key, path, place);

	if (call)
		call->ts_ns = bpf_ktime_get_ns();
	return 0;
}

/*
 * io_uring asks for a read or write without waiting first; for a buffered read then to be told
 * when the page is there; and comes again for what was not done (io_read() and io_write() of
 * io_uring/rw.c). Whether this is the end of the request: only that is a call.
 */
static __always_inline bool comes_again(struct call *call, long ret)
{
	if (!call->attempt)
		return false;
	if (ret == -EIOCBQUEUED)
		return call->attempt & IOCB_WAITQ;
	if (ret == -EAGAIN || ret == -EOPNOTSUPP)
		return true;
	return ret > 0 && ret < call->wanted;
}

static __always_inline bool failed(long ret)
{
	return ret < 0 && ret != -EIOCBQUEUED;
}

static __always_inline void fill(struct event *event, u32 key, u64 start, u64 now, s64 offset,
				 long ret)
{
	u64 id = bpf_get_current_pid_tgid();

	event->ts_ns = now;
	event->duration_ns = now - start;
	event->ret = ret;
	event->offset = offset;
	event->pid = id >> 32;
	event->tid = id;
	event->key = key;
	bpf_get_current_comm(&event->comm, sizeof(event->comm));
	event_submit(event);
}

static __always_inline void send(u32 key, struct path *path, u64 start, u64 now, s64 offset,
				 long ret)
{
	struct path_event *with_path;
	struct event *event;

	if (path) {
		with_path = event_reserve(sizeof(*with_path));
		if (with_path) {
			path_names_read(&with_path->path, path);
			fill(&with_path->event, key, start, now, offset, ret);
		}
		return;
	}
	event = event_reserve(sizeof(*event));
	if (event)
		fill(event, key, start, now, offset, ret);
}

/* The offset at which a read or write began: it has advanced by the bytes transferred. An
 * asynchronous request may be freed already. */
static __always_inline s64 offset_of(u32 op, u64 place, long ret)
{
	struct kiocb *iocb = (void *)place;

	if ((op != READ && op != WRITE) || ret == -EIOCBQUEUED)
		return NO_OFFSET;
	return BPF_CORE_READ(iocb, ki_pos) - (ret > 0 ? ret : 0);
}

/* A call has ended. */
static __always_inline void finish(struct calls *calls, struct call *call, u32 key, u64 now,
				   long ret)
{
	u64 start = call->ts_ns;

	if (!send_events)
		record(key, now - start, failed(ret));
	else if (now - start >= min_ns)
		send(key, (void *)call->path, start, now,
		     offset_of(key % MAX_OPS, call->place, ret), ret);
	end_calls(calls);
}

static __always_inline int leave(u32 key, long ret)
{
	u64 now = bpf_ktime_get_ns();
	struct calls *calls = find_calls();
	struct call *call = calls ? pop(calls, key) : NULL;

	if (!call)
		return 0;
	if (comes_again(call, ret))
		end_calls(calls);
	else
		finish(calls, call, key, now, ret);
	return 0;
}

/* At entries and exits of functions kernel memory is read directly, in kprobes only by a helper.
 * The path is read for --events only. A synchronous caller has no function to be called at the
 * completion, and does not come again. */

static __always_inline int io_enter(u32 key, struct kiocb *iocb, struct iov_iter *iter)
{
	struct call *call = begin(key, send_events ? path_of(iocb->ki_filp) : NULL, iocb);
	u32 attempt;

	if (!call)
		return 0;
	attempt = iocb->ki_flags & (IOCB_NOWAIT | IOCB_WAITQ);
	if (attempt && iocb->ki_complete) {
		call->attempt = attempt;
		call->wanted = iter->count;
	}
	call->ts_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int io_probe(u32 key, struct kiocb *iocb, struct iov_iter *iter)
{
	struct path *path = send_events ? path_of(BPF_CORE_READ(iocb, ki_filp)) : NULL;
	struct call *call = begin(key, path, iocb);
	u32 attempt;

	if (!call)
		return 0;
	attempt = BPF_CORE_READ(iocb, ki_flags) & (IOCB_NOWAIT | IOCB_WAITQ);
	if (attempt && BPF_CORE_READ(iocb, ki_complete)) {
		call->attempt = attempt;
		call->wanted = BPF_CORE_READ(iter, count);
	}
	call->ts_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int file_enter(u32 key, struct file *file)
{
	return enter(key, send_events ? path_of(file) : NULL, file);
}

/* A function that opens a file, or leaves that to another: then it is not counted as an open. */
static __always_inline int leave_opened(u32 key, long ret)
{
	u64 now = bpf_ktime_get_ns();
	struct calls *calls = find_calls();
	struct call *call = calls ? pop(calls, key) : NULL;
	struct file *file;

	if (!call)
		return 0;
	file = (void *)call->place;
	if (ret || BPF_CORE_READ(file, f_mode) & FMODE_OPENED)
		finish(calls, call, key, now, ret);
	else
		end_calls(calls);
	return 0;
}

/* Functions shared by several file systems, or by files and directories. */

static __always_inline bool on_tmpfs(struct file *file)
{
	return file->f_inode->i_sb->s_magic == TMPFS_MAGIC;
}

static __always_inline bool on_tmpfs_probed(struct file *file)
{
	return BPF_CORE_READ(file, f_inode, i_sb, s_magic) == TMPFS_MAGIC;
}

static __always_inline bool is_directory(u32 mode)
{
	return (mode & S_IFMT) == S_IFDIR;
}

/* nfs_getattr() gets the path as first argument, since Linux 5.12 as second (kernel commit
 * 549c7297717c). */
static __always_inline struct path *getattr_path(void *first, void *second)
{
	/* Both are read before one is chosen: the address to read from must not depend on the
	 * choice. */
	barrier_var(first);
	barrier_var(second);
	return getattr_has_path_first() ? first : second;
}

#include "fslat/fentry.h"
#include "fslat/kprobe.h"
#include "fslat/syscalls.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
