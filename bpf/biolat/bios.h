/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* What is known of a bio in flight, and of the request that is made of it. */
#ifndef EF_BIOLAT_BIOS_H
#define EF_BIOLAT_BIOS_H

#include "bio.h"
#include "inflight.h"

/*
 * What is kept of a bio of a disk made of bios, whose driver may advance it and move it to another
 * disk: its operation, its size, and its disk's slot.
 */
static __always_inline u64 bio_info(u32 slot, u32 bytes, u32 op)
{
	return (u64)slot << 40 | (u64)bytes << REQ_OP_BITS | op;
}

static __always_inline u32 slot_in(u64 bio_info)
{
	return bio_info >> 40;
}

/*
 * Whether a bio or request is at one of the paths of a disk: NVMe's multipath driver moves a bio
 * from the disk that it was queued on to the hidden disk of a path, and marks it so (REQ_NVME_MPATH
 * of drivers/nvme/host/nvme.h). The disk's statistics are those of the requests of its paths
 * (nvme_mpath_end_request of drivers/nvme/host/multipath.c).
 */
static __always_inline bool is_at_path(u32 flags)
{
	return bpf_core_enum_value_exists(enum req_flag_bits, __REQ_DRV) &&
	       flags & 1U << bpf_core_enum_value(enum req_flag_bits, __REQ_DRV);
}

/*
 * The key of the bio that a request was made of; 0 if it is not in flight. The bio of a part that
 * was split off was never queued, but refers to the bio it was split from (bio_chain of
 * block/bio.c).
 */
static __always_inline u64 bio_key(enum inflight_store store, struct request *rq)
{
	struct bio *bio = rq->bio;
	u64 key;

	if (!bio)
		return 0;
	key = inflight_key(bio);
	if (inflight_find_key(store, key))
		return key;
	/* Read as numbers, not as pointers, which cannot be added: the parent's key is that of the
	 * bio, as far away as the two numbers are. */
	key += (u64)BPF_CORE_READ(bio, bi_private) - (u64)BPF_CORE_READ(rq, bio);
	return inflight_find_key(store, key) ? key : 0;
}

/* What is kept of a request: the slot of the disk that it is at a path of, plus one; else 0. */
static __always_inline u64 request_info(enum inflight_store store, struct request *rq)
{
	struct inflight *bio;
	u64 key;

	if (!is_at_path(rq->cmd_flags))
		return 0;
	key = bio_key(store, rq);
	bio = key ? inflight_find_key(store, key) : NULL;
	return bio && bio->ts_ns ? slot_in(bio->info) + 1 : 0;
}

#endif
