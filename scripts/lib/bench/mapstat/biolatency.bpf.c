/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * For scripts/bench: what mapstat costs beside biolat for the same question. As the example
 * biolatency of ebpf_exporter: a histogram of device times by disk and operation in one hash map,
 * and another map for the requests under way. From Linux 5.11 on (arguments of the tracepoints).
 */
#include "../../../../contrib/mapstat/mapstat.bpf.h"

#define MAX_BUCKET 27
/* REQ_OP_MASK of include/linux/blk_types.h */
#define OPERATION 0xff

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct gendisk {
	int major;
	int first_minor;
};

struct request_queue {
	struct gendisk *disk;
};

struct request {
	struct request_queue *q;
	unsigned int cmd_flags;
};

/* Before Linux 5.16: kernel commit f3fa33acca9f ("block: remove the ->rq_disk field in struct
 * request"). */
struct request___old {
	struct gendisk *rq_disk;
};

#pragma clang attribute pop

struct key {
	u32 device;
	u32 operation;
	u64 bucket;
};

COUNTS(bio_latency_seconds, HASH, struct key, 10240);
COUNTS(issued_at, HASH, u64, 10240);

SEC("tp_btf/block_rq_issue")
int BPF_PROG(rq_issued, struct request *request)
{
	u64 key = (u64)request, now = bpf_ktime_get_ns();

	bpf_map_update_elem(&issued_at, &key, &now, BPF_ANY);
	return 0;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(rq_completed, struct request *request)
{
	u64 request_key = (u64)request, *since = bpf_map_lookup_elem(&issued_at, &request_key);
	struct request___old *old = (void *)request;
	struct gendisk *disk;
	struct key key = {};

	if (!since)
		return 0;
	if (bpf_core_field_exists(old->rq_disk))
		disk = BPF_CORE_READ(old, rq_disk);
	else
		disk = BPF_CORE_READ(request, q, disk);
	key.device = BPF_CORE_READ(disk, major) << 20 | BPF_CORE_READ(disk, first_minor);
	key.operation = request->cmd_flags & OPERATION;
	/* In microseconds. */
	observe_exp2(&bio_latency_seconds, &key, (bpf_ktime_get_ns() - *since) / 1000, MAX_BUCKET);
	bpf_map_delete_elem(&issued_at, &request_key);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
