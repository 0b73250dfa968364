/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Pages swapped without a bio: until 6.2 disks in memory (zram, brd, pmem) take single pages. If
 * they refuse one, a bio follows. File systems read and write pages in this way, too.
 */

static __always_inline int rw_page_f(struct page *page, bool in, int error)
{
	if (error || !HAS_PAGE_FLAG(page_flags(page, true), PG_swapbacked) || !filter_current())
		return 0;
	return swapped(page, in, 1);
}

SEC("fexit/bdev_read_page")
int BPF_PROG(rw_read_f, struct block_device *bdev, u64 sector, struct page *page, int ret)
{
	return rw_page_f(page, true, ret);
}

SEC("fexit/bdev_write_page")
int BPF_PROG(rw_write_f, struct block_device *bdev, u64 sector, struct page *page, void *wbc,
	     int ret)
{
	return rw_page_f(page, false, ret);
}

/* At its entry: whether a page will be taken, unless there is an error. None takes several. */
static __always_inline int rw_page_k(struct block_device *bdev, struct page *page, bool in)
{
	u64 flags;

	if (!takes_pages(bdev))
		return 0;
	flags = page_flags(page, false);
	if (!HAS_PAGE_FLAG(flags, PG_swapbacked) || HAS_PAGE_FLAG(flags, PG_head) ||
	    !filter_current())
		return 0;
	return swapped(page, in, 1);
}

SEC("kprobe/bdev_read_page")
int BPF_KPROBE(rw_read_k, struct block_device *bdev, u64 sector, struct page *page)
{
	return rw_page_k(bdev, page, true);
}

SEC("kprobe/bdev_write_page")
int BPF_KPROBE(rw_write_k, struct block_device *bdev, u64 sector, struct page *page)
{
	return rw_page_k(bdev, page, false);
}
