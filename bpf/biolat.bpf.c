/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* How long disks take: each request from issue to completion, and its time in the queue before. */
#include "kernel.h"
#include "renames.h"
#include "filter.h"
#include "hist.h"
#include "biolat/inflight.h"

enum op { READ, WRITE, FLUSH, DISCARD, MAX_OPS };

#define MAX_DISKS 1024
/* Slots that are probed for one disk: with a table that is half full, one or two suffice. */
#define DISK_PROBES 8
/* No queue time is known. */
#define NO_QUEUE (~0ULL)
enum counter { LOST, MAX_COUNTERS };

/* Mirrored by tools/biolat/src/disk_table.rs. A key is a disk and an operation. */
struct stats {
	u64 bytes;
	u64 errors;
	struct hist device;
	struct hist queue;
};

#define OWNED struct stats

#include "owner.h"
#include "totals.h"
#include "biolat/issuers.h"

/* include/linux/blk_types.h */
#define REQ_OP_BITS 8
#define REQ_OP_MASK ((1 << REQ_OP_BITS) - 1)
#define REQ_OP_FLUSH 2
#define REQ_OP_DISCARD 3
/* From here on a request carries a driver's own command, no file system's data. */
#define REQ_OP_DRIVER 32

/* Slots for disks, a power of two, less one. */
const volatile u32 disk_mask = 0;

/* Mirrored by tools/biolat/src/disk_table.rs, as is the name. A disk takes a slot when its first
 * request completes. */
u64 disk_key[MAX_DISKS] = {};
char disk_name[MAX_DISKS][DISK_NAME_LEN] = {};

static __always_inline u32 op_of(u32 flags)
{
	u32 op = flags & REQ_OP_MASK;

	/* The kernel's own split (op_stat_group): all odd operations write. */
	if (op == REQ_OP_DISCARD)
		return DISCARD;
	if (op == REQ_OP_FLUSH)
		return FLUSH;
	return op & 1 ? WRITE : READ;
}

/* Fibonacci hashing: minor numbers often come in steps of 16. Mirrored by
 * tools/biolat/src/disk_table.rs. */
static __always_inline u32 disk_slot_of(u64 key)
{
	return key * 0x9e3779b97f4a7c15ULL >> 32;
}

/*
 * The slot of a disk, or -1 if the table is full. A free slot is taken: the caller finds its name
 * empty. A global function: the verifier checks it once.
 */
__noinline int disk_slot(u64 key)
{
	u32 slot = disk_slot_of(key);

	for (u32 i = 0; i < DISK_PROBES; i++, slot++) {
		u64 *at = &disk_key[slot & disk_mask & (MAX_DISKS - 1)];
		u64 found = *at;

		if (!found)
			found = __sync_val_compare_and_swap(at, 0, key);
		if (!found || found == key)
			return slot & disk_mask;
	}
	return -1;
}

/* The slot of a disk that user space has entered: for kernels where no slot can be taken here. */
__noinline int known_disk_slot(u64 key)
{
	u32 slot = disk_slot_of(key);

	for (u32 i = 0; i < DISK_PROBES; i++, slot++)
		if (disk_key[slot & disk_mask & (MAX_DISKS - 1)] == key)
			return slot & disk_mask;
	return -1;
}

/* The stats under which this request is counted: the total of its disk, or that of its issuer.
 * NULL, counted as lost, if there is no room or the issuer is no longer known. */
static __always_inline struct stats *stats_of(enum inflight_store store, struct gendisk *disk,
					      u32 op, u64 what)
{
	/* Never 0, which means a free slot. */
	u64 key = 1ULL << 63 | (u64)disk->major << 20 | disk->first_minor;
	int slot = store == HASH ? known_disk_slot(key) : disk_slot(key);
	u32 index = slot;

	if (slot < 0) {
		count(LOST, 1);
		return NULL;
	}
	index &= MAX_DISKS - 1;
	/* Two processors may both write the name of a new disk: the same name. */
	if (!disk_name[index][0])
		BPF_CORE_READ_STR_INTO(&disk_name[index], disk, disk_name);
	index = index * MAX_OPS + op;
	return by == BY_SYSTEM ? total_of(index) : owned_by_issuer(what, index);
}

static __always_inline bool is_driver_command(struct request *rq)
{
	return (rq->cmd_flags & REQ_OP_MASK) >= REQ_OP_DRIVER;
}

static __always_inline void add_time(enum inflight_store store, struct hist *hist, u64 ns)
{
	if (store == HASH)
		hist_add_by_store(hist, ns);
	else
		hist_add(hist, ns);
}

static __always_inline void record(enum inflight_store store, struct stats *stats, u64 bytes,
				   bool failed, u64 device_ns, u64 queue_ns)
{
	if (!stats)
		return;
	__sync_fetch_and_add(&stats->bytes, bytes);
	if (failed)
		__sync_fetch_and_add(&stats->errors, 1);
	add_time(store, &stats->device, device_ns);
	if (queue_ns != NO_QUEUE)
		add_time(store, &stats->queue, queue_ns);
}

static __always_inline bool put(enum inflight_store store, void *what, u64 ts_ns, u64 info)
{
	if (inflight_put(store, what, ts_ns, info))
		return true;
	count(LOST, 1);
	return false;
}

/* The same for what the running task makes. */
static __always_inline void put_own(enum inflight_store store, void *what, u64 ts_ns, u64 info)
{
	if (by != BY_SYSTEM && !issuer_put(inflight_key(what))) {
		count(LOST, 1);
		return;
	}
	if (!put(store, what, ts_ns, info))
		issuer_forget(inflight_key(what));
}

/* Without a filter all requests count. Requests that the kernel creates are attributed to the task
 * that issues them: a flush, or a request of a queue that keeps no statistics. */
static __always_inline bool counts_kernel_requests(void)
{
	return by != BY_SYSTEM && !filter_is_set();
}

/* The argument of a tracepoint that may have the queue before it. */
static __always_inline void *argument(u64 *ctx, bool second)
{
	void *arg;

	/* Two loads, which the compiler must not join: the verifier takes no arithmetic on the
	 * context. */
	if (second)
		asm volatile("%0 = *(u64 *)(%1 + 8)" : "=r"(arg) : "r"(ctx));
	else
		asm volatile("%0 = *(u64 *)(%1 + 0)" : "=r"(arg) : "r"(ctx));
	return arg;
}

static __always_inline struct request *request_of(u64 *ctx)
{
	return argument(ctx, request_is_second_argument());
}

static __always_inline struct bio *bio_of(u64 *ctx)
{
	return argument(ctx, bio_is_second_argument());
}

static __always_inline int issue(enum inflight_store store, u64 *ctx)
{
	struct request *rq = request_of(ctx);

	if (!is_driver_command(rq))
		put(store, rq, bpf_ktime_get_ns(), 0);
	return 0;
}

SEC("tp_btf/block_rq_issue")
int on_issue(u64 *ctx)
{
	return issue(TABLE, ctx);
}

SEC("tp_btf/block_rq_issue")
int on_issue_hash(u64 *ctx)
{
	return issue(HASH, ctx);
}

/*
 * With --pid or --cgroup a request is entered when a task makes it, because the kernel may issue it
 * later from a kernel thread. A request that was not entered is ignored afterwards.
 */
SEC("tp_btf/block_io_start")
int BPF_PROG(on_start_filtered, struct request *rq)
{
	struct inflight *entry;

	if (filter_current()) {
		put_own(TABLE, rq, 0, 0);
		return 0;
	}
	/* Left by an earlier use of this request, which was merged away. */
	entry = inflight_find(TABLE, rq);
	if (entry)
		inflight_remove(TABLE, entry);
	return 0;
}

SEC("tp_btf/block_rq_issue")
int on_issue_filtered(u64 *ctx)
{
	struct request *rq = request_of(ctx);
	struct inflight *entry = inflight_find(TABLE, rq);

	if (entry)
		entry->ts_ns = bpf_ktime_get_ns();
	else if (counts_kernel_requests() && !is_driver_command(rq))
		put_own(TABLE, rq, bpf_ktime_get_ns(), 0);
	return 0;
}

/*
 * Before 6.5 the kernel has no event for the making of a request. It is recognized by the bio that
 * it was made of, which is marked when a task queues it. The bio of a part that was split off was
 * never queued, but refers to the bio it was split from (bio_chain of block/bio.c).
 */
static __always_inline int issue_by_bio(enum inflight_store store, u64 *ctx)
{
	struct request *rq = request_of(ctx);
	struct bio *bio = rq->bio;
	u64 key, parent;

	if (!bio) {
		if (counts_kernel_requests() && !is_driver_command(rq))
			put_own(store, rq, bpf_ktime_get_ns(), 0);
		return 0;
	}
	key = inflight_key(bio);
	/* To the verifier the parent is a number, not a pointer: its key is that of the bio, as far
	 * away as the two numbers are. */
	parent = key + (u64)bio->bi_private - (u64)BPF_CORE_READ(rq, bio);
	if (!inflight_find_key(store, key)) {
		key = parent;
		if (!inflight_find_key(store, key)) {
			if (counts_kernel_requests() && !is_driver_command(rq))
				put_own(store, rq, bpf_ktime_get_ns(), 0);
			return 0;
		}
	}
	if (by != BY_SYSTEM && !issuer_move(key, inflight_key(rq)))
		count(LOST, 1);
	else
		put(store, rq, bpf_ktime_get_ns(), 0);
	return 0;
}

SEC("tp_btf/block_rq_issue")
int on_issue_by_bio(u64 *ctx)
{
	return issue_by_bio(TABLE, ctx);
}

SEC("tp_btf/block_rq_issue")
int on_issue_by_bio_hash(u64 *ctx)
{
	return issue_by_bio(HASH, ctx);
}

/* The driver gave the request back: it will be issued again, and its device time starts anew. */
static __always_inline int requeue(enum inflight_store store, u64 *ctx, bool by_task)
{
	struct request *rq = request_of(ctx);
	struct inflight *entry = inflight_find(store, rq);

	if (!entry)
		return 0;
	if (by_task)
		entry->ts_ns = 0;
	else
		inflight_remove(store, entry);
	return 0;
}

SEC("tp_btf/block_rq_requeue")
int on_requeue(u64 *ctx)
{
	return requeue(TABLE, ctx, false);
}

SEC("tp_btf/block_rq_requeue")
int on_requeue_filtered(u64 *ctx)
{
	return requeue(TABLE, ctx, true);
}

SEC("tp_btf/block_rq_requeue")
int on_requeue_hash(u64 *ctx)
{
	return requeue(HASH, ctx, false);
}

static __always_inline int complete(enum inflight_store store, struct request *rq, bool failed,
				    u32 bytes)
{
	struct inflight *entry = inflight_find(store, rq);
	u64 issued, now, made, queue_ns, what;
	struct stats *stats;
	u32 op;

	/* In flight before the start, filtered out, or the end of a flush sequence that was seen
	 * already. */
	if (!entry)
		return 0;
	issued = entry->ts_ns;
	op = op_of(rq->cmd_flags);
	what = inflight_key(rq);
	stats = stats_of(store, request_disk(rq), op, what);
	if (bytes < rq->__data_len) {
		/* A part only; the rest completes later. */
		if (stats)
			__sync_fetch_and_add(&stats->bytes, bytes);
		return 0;
	}
	inflight_remove(store, entry);
	issuer_forget(what);
	/* Ended before it was issued: the device did nothing. The same holds for an empty write,
	 * the end of a flush sequence: the entry found is that of an earlier request whose end was
	 * not seen. */
	if (!issued || (!bytes && op == WRITE))
		return 0;
	now = bpf_ktime_get_ns();
	/* 0 if the queue keeps no statistics (queue/iostats), and for flushes, which the kernel
	 * makes itself. */
	made = rq->start_time_ns;
	if (!made || op == FLUSH)
		queue_ns = NO_QUEUE;
	else
		queue_ns = issued > made ? issued - made : 0;
	record(store, stats, bytes, failed, now - issued, queue_ns);
	return 0;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(on_complete, struct request *rq, int error, unsigned int bytes)
{
	return complete(TABLE, rq, error, bytes);
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(on_complete_hash, struct request *rq, int error, unsigned int bytes)
{
	return complete(HASH, rq, error, bytes);
}

static __always_inline bool is_bio_based(struct gendisk *disk)
{
	return !disk->queue->mq_ops;
}

/* Disks made of bios (dm, md, zram) have no requests and no queue: all of a bio's time is device
 * time. */
static __always_inline int queue_bio(enum inflight_store store, u64 *ctx, bool marks)
{
	struct bio *bio = bio_of(ctx);
	u32 flags = bio->bi_opf;
	u32 bytes = bio->bi_iter.bi_size;
	u32 op = op_of(flags);

	if (!marks && !is_bio_based(bio_disk(bio)))
		return 0;
	if (!filter_current())
		return 0;
	if (marks && !is_bio_based(bio_disk(bio))) {
		put_own(store, bio, 0, 0);
		return 0;
	}
	if (!bytes && bpf_core_enum_value_exists(enum req_flag_bits, __REQ_PREFLUSH) &&
	    flags & 1U << bpf_core_enum_value(enum req_flag_bits, __REQ_PREFLUSH))
		op = FLUSH;
	/* The drivers advance the bio: its size must be kept. */
	put_own(store, bio, bpf_ktime_get_ns(), (u64)bytes << REQ_OP_BITS | op);
	return 0;
}

SEC("tp_btf/block_bio_queue")
int on_bio_queue(u64 *ctx)
{
	return queue_bio(TABLE, ctx, false);
}

SEC("tp_btf/block_bio_queue")
int on_bio_queue_hash(u64 *ctx)
{
	return queue_bio(HASH, ctx, false);
}

/* To find requests by their bios: what a task queues for a disk with requests is marked. */
SEC("tp_btf/block_bio_queue")
int on_bio_queue_marked(u64 *ctx)
{
	return queue_bio(TABLE, ctx, true);
}

SEC("tp_btf/block_bio_queue")
int on_bio_queue_marked_hash(u64 *ctx)
{
	return queue_bio(HASH, ctx, true);
}

static __always_inline int complete_bio(enum inflight_store store, struct bio *bio)
{
	struct inflight *entry = inflight_find(store, bio);
	u64 issued, info, what = inflight_key(bio);
	struct stats *stats;

	if (!entry)
		return 0;
	issued = entry->ts_ns;
	info = entry->info;
	inflight_remove(store, entry);
	/* Only a mark: the completion of its request is counted. */
	if (issued) {
		stats = stats_of(store, bio_disk(bio), info & REQ_OP_MASK, what);
		record(store, stats, info >> REQ_OP_BITS, bio->bi_status,
		       bpf_ktime_get_ns() - issued, NO_QUEUE);
	}
	issuer_forget(what);
	return 0;
}

SEC("tp_btf/block_bio_complete")
int BPF_PROG(on_bio_complete, struct request_queue *queue, struct bio *bio)
{
	return complete_bio(TABLE, bio);
}

SEC("tp_btf/block_bio_complete")
int BPF_PROG(on_bio_complete_hash, struct request_queue *queue, struct bio *bio)
{
	return complete_bio(HASH, bio);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
