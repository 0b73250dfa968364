/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Does the page cache serve the reads? Counts pages: those given to reads and page faults, those
 * fetched for them or ahead of them, those added by writes, those dirtied. Only regular files; by
 * the task that runs.
 *
 * Which access a page was fetched for is known only when the read or fault ends. If ends can be
 * watched, the fetched pages are kept with the task until then ("pending"), which costs nothing if
 * nothing is fetched. If only begins can be watched, the begins are kept with the task.
 */
#include "kernel.h"
#include "renames.h"
#include "filter.h"

enum counter {
	READS,
	FAULTS,
	/*
	 * Pages fetched into the cache, not by writes: all of them; those whose access is not yet
	 * known, as a gauge; those fetched for faults; those requested before they were fetched.
	 * User space reads the counters in this order. They are updated in an order in which it
	 * never sees a page fetched without what it was fetched for.
	 */
	FETCHED,
	PENDING,
	FETCHED_FOR_FAULTS,
	FETCHED_ON_DEMAND,
	WRITTEN,
	DIRTIED,
	LOST,
	MAX_COUNTERS,
};

#include "owned_counters.h"
#include "cachestat/work.h"

/* Regular files whose pages are a cache: what tmpfs and hugetlbfs hold is memory. */
static __always_inline bool is_cached(u16 mode, u64 magic)
{
	return (mode & S_IFMT) == S_IFREG && magic != TMPFS_MAGIC && magic != HUGETLBFS_MAGIC;
}

/* Not every mapped page has a file: what a driver maps has none. Following a NULL pointer does no
 * harm if the processor or verifier catches it. Linux 5.10 without SMAP treats it as a page fault
 * and waits for the memory's lock, which a task that maps a page already holds. */
static __always_inline bool caches(struct address_space *mapping)
{
	struct inode *inode = mapping ? mapping->host : NULL;

	return inode && is_cached(inode->i_mode, inode->i_sb->s_magic);
}

/* The pages of a file, the last one possibly partial. */
static __always_inline u64 pages_of_file(struct address_space *mapping)
{
	return (mapping->host->i_size + (1ULL << page_shift) - 1) >> page_shift;
}

/* As caches(), by helpers, for probes. */
static __always_inline bool caches_k(struct inode *inode)
{
	return is_cached(BPF_CORE_READ(inode, i_mode), BPF_CORE_READ(inode, i_sb, s_magic));
}

/* The running task has added these pages of a file to the cache. */
static __always_inline int fetched(struct address_space *mapping, u64 first, u64 pages)
{
	struct counters *bank;
	struct inode *inode;
	struct work *work;
	bool written;

	if (!filter_current() || !caches(mapping))
		return 0;
	inode = mapping->host;
	/* A task that reads or maps a file does not lock it exclusively; one that writes or
	 * truncates it does. */
	written = holds_for_writing(bpf_get_current_task(), &inode->i_rwsem);
	/* In Linux 5.10 a read at the end of a file looks for the page after it, and adds an empty
	 * one. */
	if (!written && first << page_shift >= (u64)inode->i_size)
		return 0;
	bank = owned_counters();
	if (!bank)
		return 0;
	if (written) {
		add(bank, WRITTEN, pages);
		return 0;
	}
	work = work_entered();
	if (work && is_faulting(work, (u64)mapping))
		fetched_for_fault(bank, work, first, first + pages);
	else if (work && work->reading == (u64)mapping && !work->calls)
		add(bank, FETCHED_ON_DEMAND, common(&work->asked, first, first + pages));
	else if (work)
		pend(bank, work, (u64)mapping, first, pages);
	add(bank, FETCHED, pages);
	return 0;
}

SEC("tp_btf/mm_filemap_add_to_page_cache")
int BPF_PROG(fetched_b, struct folio *folio)
{
	struct page *page = (void *)folio;

	if (has_folios())
		return fetched(folio->mapping, folio->index, folio_pages(folio));
	return fetched(page->mapping, page->index, 1);
}

static __always_inline int dirtied(struct folio *folio, struct address_space *mapping)
{
	struct counters *bank;

	if (!filter_current() || !caches(mapping))
		return 0;
	bank = owned_counters();
	if (bank)
		add(bank, DIRTIED, folio_pages(folio));
	return 0;
}

SEC("tp_btf/writeback_dirty_folio")
int BPF_PROG(dirtied_b, struct folio *folio, struct address_space *mapping)
{
	return dirtied(folio, mapping);
}

SEC("tp_btf/writeback_dirty_page")
int BPF_PROG(dirtied_b5, struct folio *page, struct address_space *mapping)
{
	return dirtied(page, mapping);
}

#include "cachestat/reads.h"
#include "cachestat/faults.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
