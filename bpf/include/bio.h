/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Bios as the block layer's tracepoints pass them, and their flags. */
#ifndef EF_BIO_H
#define EF_BIO_H

#include "kernel.h"
#include "renames.h"

/* include/linux/blk_types.h */
#define REQ_OP_BITS 8
#define REQ_OP_MASK ((1 << REQ_OP_BITS) - 1)
#define REQ_OP_READ 0
#define REQ_OP_WRITE 1
#define REQ_OP_FLUSH 2
#define REQ_OP_DISCARD 3
/* From here on a request carries a driver's own command, no file system's data. */
#define REQ_OP_DRIVER 32
/* Flush the disk's cache first; do not end before the data is past it. */
#define REQ_PREFLUSH (1U << bpf_core_enum_value(enum req_flag_bits, __REQ_PREFLUSH))
#define REQ_FUA (1U << bpf_core_enum_value(enum req_flag_bits, __REQ_FUA))
/* Written to swap. */
#define REQ_SWAP (1U << bpf_core_enum_value(enum req_flag_bits, __REQ_SWAP))

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

static __always_inline struct bio *bio_of(u64 *ctx)
{
	return argument(ctx, bio_is_second_argument());
}

#endif
