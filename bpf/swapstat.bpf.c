/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* How much is swapped in and out, for whom, and how long tasks wait for it. */
#include "kernel.h"
#include "bio.h"
#include "filter.h"
#include "hist.h"
#include "memcg.h"

enum counter { LOST, MAX_COUNTERS };

/* Any event changes one of the first seven. */
struct stats {
	u64 in_pages;
	u64 in_requests;
	u64 out_pages;
	u64 out_requests;
	u64 zswap_in_pages;
	u64 zswap_out_pages;
	struct hist fault;
};

#define OWNED struct stats

#include "owner.h"
#include "totals.h"

const volatile u32 page_shift = 12;

/* The only key: what is swapped has no kinds. */
#define ALL 0

/* The stats under which what happens to a page is counted: the system's, those of the cgroup whose
 * memory it is, or those of the running task's owner. NULL, counted as lost, if there is no room.
 */
static __always_inline struct stats *stats_of(struct page *page)
{
	if (by == BY_SYSTEM)
		return total_of(ALL);
	if (by == BY_OWNER)
		return owned_by_cgroup(ALL, memcg_id(page_memcg(page)));
	return owned_by_current(ALL);
}

static __always_inline int swapped(struct page *page, bool in, u64 pages)
{
	struct stats *stats = stats_of(page);

	if (!stats)
		return 0;
	__sync_fetch_and_add(in ? &stats->in_pages : &stats->out_pages, pages);
	__sync_fetch_and_add(in ? &stats->in_requests : &stats->out_requests, 1);
	return 0;
}

#include "swapstat/bio.h"
#include "swapstat/rw_page.h"
#include "swapstat/zswap.h"
#include "swapstat/faults.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
