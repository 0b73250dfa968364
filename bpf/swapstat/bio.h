/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Pages swapped by bios, on all kernels. */

/*
 * Bits of bi_flags: whether the pages of a bio were handed on with another bio, as a driver does
 * that sends it to another disk (BIO_CLONED; before 6.5 also BIO_NO_PAGE_REF, for a file's direct
 * I/O), or are a program's own buffer (BIO_PAGE_PINNED from 6.5 on). Their enum has no name to look
 * them up by; they are the first two on all kernels (include/linux/blk_types.h).
 */
#define BIO_NOT_OF_SWAP 3

/* Whether a bio is one of the kernel's swapping: a write that says so, or a read into a page that
 * has no file and is locked until it is read. */
static __always_inline bool is_of_swap(struct page *page, u32 op)
{
	u64 flags = page_flags(page, true);

	if (!HAS_PAGE_FLAG(flags, PG_swapbacked))
		return false;
	return op == REQ_OP_WRITE || HAS_PAGE_FLAG(flags, PG_locked);
}

SEC("tp_btf/block_bio_queue")
int bio_b(u64 *ctx)
{
	struct bio *bio = bio_of(ctx);
	u32 flags = bio->bi_opf, op = flags & REQ_OP_MASK, bytes = bio->bi_iter.bi_size;
	struct page *page;

	if (op != REQ_OP_READ && (op != REQ_OP_WRITE || !(flags & REQ_SWAP)))
		return 0;
	if (!bytes || bio->bi_flags & BIO_NOT_OF_SWAP)
		return 0;
	page = bio->bi_io_vec->bv_page;
	if (!is_of_swap(page, op) || !filter_current())
		return 0;
	return swapped(page, op == REQ_OP_READ, bytes >> page_shift);
}
