/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Pages that zswap keeps compressed in memory: they make no bio. For the system the kernel counts
 * them itself. */

SEC("fexit/zswap_store")
int BPF_PROG(zswap_store_f, struct folio *folio, u8 stored)
{
	struct stats *stats;

	if (!stored || !filter_current())
		return 0;
	stats = stats_of((struct page *)folio);
	if (stats)
		__sync_fetch_and_add(&stats->zswap_out_pages, folio_pages(folio));
	return 0;
}

/* What it returns has changed: 6.12 whether zswap has the page, 7.2 an error. A page that was read
 * is up to date. */
SEC("fexit/zswap_load")
int BPF_PROG(zswap_load_f, struct folio *folio)
{
	struct page *page = (struct page *)folio;
	struct stats *stats;

	if (!HAS_PAGE_FLAG(page_flags(page, true), PG_uptodate) || !filter_current())
		return 0;
	stats = stats_of(page);
	if (stats)
		__sync_fetch_and_add(&stats->zswap_in_pages, folio_pages(folio));
	return 0;
}
