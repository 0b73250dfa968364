/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* How long disks take: each request from issue to completion, and its time in the queue before. */
#include "kernel.h"
#include "bio.h"
#include "filter.h"
#include "hist.h"
#include "biolat/inflight.h"

/* Their names are those in records. */
enum op { READ, WRITE, FLUSH, DISCARD, MAX_OPS };

/* Has the names generated for user space, too: skel::names. */
const enum op skeleton_op = READ;

/* No queue time is known. */
#define NO_QUEUE (~0ULL)
enum counter { LOST, MAX_COUNTERS };

/* A key is a disk and an operation. Any event changes one of the first five. */
struct stats {
	u64 bytes;
	u64 errors;
	/* Of bios that were queued. */
	u64 flushes;
	u64 fua;
	struct hist device;
	struct hist queue;
};

#define OWNED struct stats

#include "owner.h"
#include "totals.h"
#include "biolat/issuers.h"
#include "biolat/disks.h"
#include "biolat/bios.h"

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

/* The stats under which a request or bio is counted: the total of a disk, or that of the issuer.
 * NULL, counted as lost, if there is no room or the issuer is no longer known. */
static __always_inline struct stats *stats_of(u32 slot, u32 op, u64 what)
{
	u32 index = (slot & (MAX_DISKS - 1)) * MAX_OPS + op;

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

/* What is reported of a request or bio. */
struct ended {
	u64 bytes;
	u64 device_ns;
	u64 queue_ns;
	s32 status; /* 0: well; an error's number, negative, or from 5.16 on a blk_status_t */
};

static __always_inline void record(enum inflight_store store, struct stats *stats,
				   struct ended *ended)
{
	if (!stats)
		return;
	__sync_fetch_and_add(&stats->bytes, ended->bytes);
	if (ended->status)
		__sync_fetch_and_add(&stats->errors, 1);
	add_time(store, &stats->device, ended->device_ns);
	if (ended->queue_ns != NO_QUEUE)
		add_time(store, &stats->queue, ended->queue_ns);
}

static __always_inline bool put(enum inflight_store store, void *what, u64 ts_ns, u64 info)
{
	if (inflight_put(store, what, ts_ns, info))
		return true;
	count(LOST, 1);
	return false;
}

/* Counts a request or bio under a disk and operation, or sends it. Its flags are the kernel's. */
static __always_inline void report(enum inflight_store store, u32 slot, u32 op, u64 what,
				   struct ended *ended, u32 flags)
{
	if (!send_events)
		record(store, stats_of(slot, op, what), ended);
	else
		send_event(slot * MAX_OPS + op, what, ended->device_ns, ended->queue_ns,
			   ended->status, flags);
}

/* The same for what the running task makes; of a bio with its sector. */
static __always_inline void put_own(enum inflight_store store, void *what, u64 ts_ns, u64 info,
				    u64 sector)
{
	if (keeps_issuers() && !issuer_put(inflight_key(what), sector)) {
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
	return keeps_issuers() && !filter_is_set();
}

static __always_inline struct request *request_of(u64 *ctx)
{
	return argument(ctx, request_is_second_argument());
}

/* Whether its disk is asked for, or may be: that which it is at a path of. */
static __always_inline bool may_count(struct request *rq)
{
	return !disk_filter.disks || is_asked_for(request_disk(rq)) || is_at_path(rq->cmd_flags);
}

static __always_inline int issue(enum inflight_store store, u64 *ctx)
{
	struct request *rq = request_of(ctx);

	if (!is_driver_command(rq) && may_count(rq))
		put(store, rq, bpf_ktime_get_ns(), request_info(store, rq));
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
 * With a filter of tasks a request is entered when a task makes it, because the kernel may issue it
 * later from a kernel thread. A request that was not entered is ignored afterwards.
 */
SEC("tp_btf/block_io_start")
int BPF_PROG(on_start_filtered, struct request *rq)
{
	struct inflight *entry;

	if (may_count(rq) && filter_current()) {
		put_own(TABLE, rq, 0, 0, 0);
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

	if (entry) {
		entry->info = request_info(TABLE, rq);
		entry->ts_ns = bpf_ktime_get_ns();
	} else if (counts_kernel_requests() && !is_driver_command(rq) && may_count(rq)) {
		put_own(TABLE, rq, bpf_ktime_get_ns(), 0, 0);
	}
	return 0;
}

/*
 * Before 6.5 the kernel has no event for the making of a request. It is recognized by the bio that
 * it was made of, which is marked when a task queues it.
 */
static __always_inline int issue_by_bio(enum inflight_store store, u64 *ctx)
{
	struct request *rq = request_of(ctx);
	u64 key = bio_key(store, rq);

	if (!key) {
		if (counts_kernel_requests() && !is_driver_command(rq) && may_count(rq))
			put_own(store, rq, bpf_ktime_get_ns(), 0, 0);
		return 0;
	}
	if (keeps_issuers() && !issuer_move(key, inflight_key(rq)))
		count(LOST, 1);
	else
		put(store, rq, bpf_ktime_get_ns(), request_info(store, rq));
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

/* A disk that a request counts for, in this order: its own, and that which it is at a path of. */
#define DISKS_OF_REQUEST 2

/* The slot of one of them; negative if there is none. */
static __always_inline int slot_of_request(enum inflight_store store, struct request *rq, u64 info,
					   int which)
{
	return which ? (int)info - 1 : slot_of(store, request_disk(rq));
}

static __always_inline int complete(enum inflight_store store, struct request *rq, int status,
				    u32 bytes)
{
	struct inflight *entry = inflight_find(store, rq);
	u64 issued, info, made, what = inflight_key(rq);
	struct ended ended = {.bytes = bytes, .status = status, .queue_ns = NO_QUEUE};
	struct stats *stats;
	bool partly;
	u32 op;

	/* In flight before the start, filtered out, or the end of a flush sequence that was seen
	 * already. */
	if (!entry)
		return 0;
	issued = entry->ts_ns;
	info = entry->info;
	op = op_of(rq->cmd_flags);
	/* The rest completes later. */
	partly = bytes < rq->__data_len;
	if (!partly)
		inflight_remove(store, entry);
	/* Ended before it was issued: the device did nothing. The same holds for an empty write,
	 * the end of a flush sequence: the entry found is that of an earlier request whose end was
	 * not seen. */
	if (!issued || (!partly && !bytes && op == WRITE))
		goto forget;
	ended.device_ns = bpf_ktime_get_ns() - issued;
	/* 0 if the queue keeps no statistics (queue/iostats), and for flushes, which the kernel
	 * makes itself. */
	made = rq->start_time_ns;
	if (made && op != FLUSH)
		ended.queue_ns = issued > made ? issued - made : 0;
	if (send_events)
		part_ends(what, rq->__sector, bytes);
	for (int i = 0; i < DISKS_OF_REQUEST; i++) {
		int slot = slot_of_request(store, rq, info, i);

		if (slot < 0)
			continue;
		if (!partly) {
			report(store, slot, op, what, &ended, rq->cmd_flags);
			continue;
		}
		stats = send_events ? NULL : stats_of(slot, op, what);
		if (stats)
			__sync_fetch_and_add(&stats->bytes, bytes);
	}
forget:
	if (!partly)
		issuer_forget(what);
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

/* A bio of the running task asks for the disk's cache to be flushed before it, or for itself to be
 * past that cache when it ends. The block layer has taken this away where a disk has no cache. */
static __always_inline void count_flush(enum inflight_store store, struct bio *bio, u32 op,
					bool preflush, bool fua)
{
	int slot = slot_of(store, bio_disk(bio));
	struct stats *stats;
	u32 key;

	if (slot < 0 || send_events)
		return;
	key = (slot & (MAX_DISKS - 1)) * MAX_OPS + op;
	stats = by == BY_SYSTEM ? total_of(key) : owned_by_current(key);
	if (!stats)
		return;
	if (preflush)
		__sync_fetch_and_add(&stats->flushes, 1);
	if (fua)
		__sync_fetch_and_add(&stats->fua, 1);
}

/* Disks made of bios (dm, md, zram) have no requests and no queue: all of a bio's time is device
 * time. */
static __always_inline int queue_bio(enum inflight_store store, u64 *ctx, bool marks)
{
	struct bio *bio = bio_of(ctx);
	u32 flags = bio->bi_opf;
	u32 bytes = bio->bi_iter.bi_size;
	u32 op = op_of(flags);
	bool preflush = flags & REQ_PREFLUSH, fua = flags & REQ_FUA;
	bool timed = marks || is_bio_based(bio_disk(bio));
	int slot;

	if ((!timed && !preflush && !fua) || !is_asked_for(bio_disk(bio)) || !filter_current())
		return 0;
	if (!bytes && preflush)
		op = FLUSH;
	if (preflush || fua)
		count_flush(store, bio, op, preflush, fua);
	if (!timed)
		return 0;
	if (marks && !is_bio_based(bio_disk(bio))) {
		put_own(store, bio, 0, 0, 0);
		return 0;
	}
	slot = slot_of(store, bio_disk(bio));
	if (slot >= 0)
		put_own(store, bio, bpf_ktime_get_ns(), bio_info(slot, bytes, op),
			bio->bi_iter.bi_sector);
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

/*
 * The kernel tells the end of a bio that no request ended; NVMe's multipath driver that of the
 * first bio of each request (nvme_trace_bio_complete of drivers/nvme/host/nvme.h).
 */
static __always_inline int complete_bio(enum inflight_store store, struct bio *bio)
{
	struct inflight *entry = inflight_find(store, bio);
	u64 issued, info, what = inflight_key(bio);
	struct ended ended = {.queue_ns = NO_QUEUE};

	if (!entry)
		return 0;
	issued = entry->ts_ns;
	info = entry->info;
	inflight_remove(store, entry);
	/* Only a mark, or at a path: the completion of its requests is counted. */
	if (issued && (!is_at_path(bio->bi_opf) || is_bio_based(bio_disk(bio)))) {
		ended.bytes = (u32)(info >> REQ_OP_BITS);
		ended.status = bio->bi_status;
		ended.device_ns = bpf_ktime_get_ns() - issued;
		if (send_events)
			bio_ends(what, ended.bytes);
		report(store, slot_in(info), info & REQ_OP_MASK, what, &ended, bio->bi_opf);
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
