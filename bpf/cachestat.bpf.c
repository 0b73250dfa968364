/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Does the page cache serve the reads? Counts pages: those that reads and page faults were given,
 * those fetched for them or ahead of them, those that writes added, those dirtied. All of regular
 * files; by the task that runs.
 *
 * Whom a page is fetched for shows only when the read or fault ends, where ends can be watched:
 * until then it is kept with the task ("pending"), which costs nothing where nothing is fetched.
 * Where only begins can be watched, they are kept with the task.
 */
#include "kernel.h"
#include "renames.h"
#include "filter.h"

/* In the order of tools/cachestat/src/row.rs. */
enum counter {
	READS,
	FAULTS,
	/*
	 * Into the cache, not by writes: all; of these, how many there are now of which it is not
	 * known yet whom for; for faults; asked for before they were fetched. User space reads them
	 * in this order, and they are added to in such a one that it never sees a page fetched and
	 * nothing of what it was for.
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

/* Stretches of a file, with others between them that were there already, that are kept apart. */
#define MAX_STRETCHES 32
/* Tasks whose work is kept where the kernel cannot keep it with the task itself. */
#define MAX_TASKS 4096
/* include/linux/mm_types.h: a fault ended with its page locked, not to be tried again. */
#define VM_FAULT_LOCKED 0x200

/* log2 of the size of a page. */
const volatile u32 page_shift = 12;

/* Pages [first, end) of a file. */
struct stretch {
	u64 first;
	u64 end;
};

static __always_inline u64 length(u64 first, u64 end)
{
	return end > first ? end - first : 0;
}

static __always_inline u64 common(struct stretch *a, u64 first, u64 end)
{
	return length(a->first > first ? a->first : first, a->end < end ? a->end : end);
}

/* What a task is at. Files are told by their mapping, which is only compared. */
struct work {
	/* Pages fetched from this file, it is not known yet whom for; the last stretches apart,
	 * what was before in one. */
	u64 pending;
	u64 pending_pages;
	u32 stretches;
	struct stretch stretch[MAX_STRETCHES];
	struct stretch early;
	u64 early_pages;

	/* The read that began, where its end cannot be watched; by get_pages: that was seen. */
	u64 reading;
	struct stretch asked;
	u64 calls;

	/* The fault that began, where its end cannot be watched, and what was fetched for it. */
	u64 faulting;
	u64 fault_page;
	struct stretch fetched;
	bool of_user;

	/* Pages that count as mapped by the last faults: the last `credit` of them on the
	 * assumption that all around the fault were in the cache. */
	u64 mapped;
	struct stretch around;
	u64 credit;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct work);
} works SEC(".maps");

/* For kernels without storage with the task: by thread. One that is forgotten costs little: see
 * claim(). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_TASKS);
	__type(key, u32);
	__type(value, struct work);
} works_by_thread SEC(".maps");

/* How a new entry begins. */
struct work no_work = {};

/* Tasks with something pending: while there are none, nobody looks. */
u64 pending_tasks = 0;

/* Whether tracepoints tell the last page of a read rather than the one behind it: see get_pages().
 */
bool tells_last_page = false;

/* Mirrored by tools/cachestat/src/main.rs, which creates one of the two maps. */
static __always_inline bool has_task_storage(void)
{
	return bpf_core_enum_value_exists(enum bpf_map_type, BPF_MAP_TYPE_TASK_STORAGE);
}

/* What the running task is at; NULL where there is nothing. */
static __always_inline struct work *work_known(void)
{
	u32 tid;

	if (has_task_storage())
		return bpf_task_storage_get(&works, bpf_get_current_task_btf(), NULL, 0);
	tid = bpf_get_current_pid_tgid();
	return bpf_map_lookup_elem(&works_by_thread, &tid);
}

/* The same, entered where there is nothing; NULL where there is no room, which is counted. */
static __always_inline struct work *work_entered(void)
{
	struct work *work;
	u32 tid;

	if (has_task_storage()) {
		work = bpf_task_storage_get(&works, bpf_get_current_task_btf(), NULL,
					    BPF_LOCAL_STORAGE_GET_F_CREATE);
	} else {
		tid = bpf_get_current_pid_tgid();
		work = bpf_map_lookup_elem(&works_by_thread, &tid);
		if (!work) {
			bpf_map_update_elem(&works_by_thread, &tid, &no_work, BPF_NOEXIST);
			work = bpf_map_lookup_elem(&works_by_thread, &tid);
		}
	}
	if (!work)
		count(LOST, 1);
	return work;
}

/* Regular files whose pages are a cache of something: what tmpfs and hugetlbfs hold is memory. */
static __always_inline bool is_cached(u16 mode, u64 magic)
{
	return (mode & S_IFMT) == S_IFREG && magic != TMPFS_MAGIC && magic != HUGETLBFS_MAGIC;
}

/* Not every page that is mapped has a file: what a driver maps has none. To follow a pointer that
 * is NULL does no harm where processors or verifiers catch it; Linux 5.10 without SMAP takes it for
 * a page fault and waits for the memory's lock, which who maps a page holds itself. */
static __always_inline bool caches(struct address_space *mapping)
{
	struct inode *inode = mapping ? mapping->host : NULL;

	return inode && is_cached(inode->i_mode, inode->i_sb->s_magic);
}

/* The same by helpers, for probes. */
static __always_inline bool caches_k(struct inode *inode)
{
	return is_cached(BPF_CORE_READ(inode, i_mode), BPF_CORE_READ(inode, i_sb, s_magic));
}

/* There is no room: reads go upwards, so that what was fetched first was asked for, or none of it
 * was. */
static __always_inline void fold(struct work *work)
{
	if (!work->early_pages)
		work->early.first = work->stretch[0].first;
	work->early.end = work->stretch[MAX_STRETCHES - 1].end;
	for (u32 i = 0; i < MAX_STRETCHES; i++)
		work->early_pages += work->stretch[i].end - work->stretch[i].first;
}

/* Keeps that these pages were fetched. */
static __always_inline void pend(struct counters *bank, struct work *work, u64 mapping, u64 first,
				 u64 pages)
{
	u32 stretches = work->stretches, last;

	if (!work->pending_pages)
		__sync_fetch_and_add(&pending_tasks, 1);
	if (work->pending != mapping) {
		/* The other file's stay what they count as: fetched ahead, for reads. */
		add(bank, PENDING, -work->pending_pages);
		work->pending = mapping;
		work->pending_pages = 0;
		work->early_pages = 0;
		stretches = 0;
	}
	work->pending_pages += pages;
	add(bank, PENDING, pages);
	/* Always within; older verifiers forget it on the way. */
	last = (stretches - 1) & (MAX_STRETCHES - 1);
	if (stretches && work->stretch[last].end == first) {
		work->stretch[last].end = first + pages;
		return;
	}
	if (stretches >= MAX_STRETCHES) {
		fold(work);
		stretches = 0;
	}
	last = stretches;
	barrier_var(last);
	last &= MAX_STRETCHES - 1;
	work->stretch[last].first = first;
	work->stretch[last].end = first + pages;
	work->stretches = stretches + 1;
}

/*
 * A read or fault of these pages has ended: what is pending of the file was fetched for it. What
 * nobody claims so, by readahead(2) say, counts as fetched ahead, and for reads.
 */
static __always_inline void claim(struct counters *bank, struct work *work, u64 mapping, u64 first,
				  u64 end, bool fault)
{
	u64 asked = 0;

	if (work->pending != mapping || !work->pending_pages)
		return;
	if (work->early_pages) {
		asked = common(&work->early, first, end);
		asked = asked < work->early_pages ? asked : work->early_pages;
	}
	for (u32 i = 0; i < MAX_STRETCHES && i < work->stretches; i++)
		asked += common(&work->stretch[i], first, end);
	if (asked)
		add(bank, FETCHED_ON_DEMAND, asked);
	if (fault)
		add(bank, FETCHED_FOR_FAULTS, work->pending_pages);
	add(bank, PENDING, -work->pending_pages);
	work->pending = 0;
	work->pending_pages = 0;
	work->early_pages = 0;
	work->stretches = 0;
	__sync_fetch_and_sub(&pending_tasks, 1);
}

static __always_inline void claim_if_any(struct counters *bank, u64 mapping, u64 first, u64 end,
					 bool fault)
{
	struct work *work;

	if (!*(volatile u64 *)&pending_tasks)
		return;
	work = work_known();
	if (work)
		claim(bank, work, mapping, first, end, fault);
}

/* Set while the task serves a fault of its program's, not of the kernel's own; not in every kernel
 * (mem_cgroup_enter_user_fault of the first version of memory cgroups). */
struct task_struct___fault {
	unsigned in_user_fault : 1;
} __attribute__((preserve_access_index));

static __always_inline bool in_user_fault(void)
{
	struct task_struct___fault *task;

	/* The same kernels can name the task. */
	if (!has_task_storage())
		return false;
	task = (void *)bpf_get_current_task_btf();
	return bpf_core_field_exists(task->in_user_fault) &&
	       BPF_CORE_READ_BITFIELD(task, in_user_fault);
}

/* Whether a fault of this file that began may still be under way: what is fetched now is for it. */
static __always_inline bool is_faulting(struct work *work, u64 mapping)
{
	return work->faulting == mapping && (!work->of_user || in_user_fault());
}

/* For a fault that began: that its page was missing shows here. */
static __always_inline void fetched_for_fault(struct counters *bank, struct work *work, u64 first,
					      u64 end)
{
	add(bank, FETCHED_FOR_FAULTS, end - first);
	if (work->fetched.end == first)
		work->fetched.end = end;
	else
		work->fetched = (struct stretch){.first = first, .end = end};
	if (work->fault_page < first || work->fault_page >= end)
		return;
	add(bank, FETCHED_ON_DEMAND, 1);
	/* So not all around it was there: of those the page alone counts. */
	if (work->credit > 1)
		add(bank, FAULTS, 1 - work->credit);
	if (work->credit)
		work->around =
		    (struct stretch){.first = work->fault_page, .end = work->fault_page + 1};
	work->credit = 0;
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
	/* Who reads or maps a file does not lock it against everybody else; who writes or truncates
	 * it does. */
	written = holds_for_writing(bpf_get_current_task(), &inode->i_rwsem);
	/* Linux 5.10 has a read at the end of a file look for the page behind it, and adds an empty
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

/* Reads, by their ends: what was read is known, and what was fetched for it has been. */

static __always_inline int was_read(struct address_space *mapping, u64 start, u64 end)
{
	u64 first = start >> page_shift, last = (end - 1) >> page_shift;
	struct counters *bank;

	if (!caches(mapping))
		return 0;
	bank = owned_counters();
	if (!bank)
		return 0;
	add(bank, READS, last + 1 - first);
	claim_if_any(bank, (u64)mapping, first, last + 1, false);
	return 0;
}

static __always_inline int read_ended(struct kiocb *iocb, s64 before, s64 ret)
{
	u64 end = iocb->ki_pos;

	if (ret <= before || !filter_current())
		return 0;
	return was_read(iocb->ki_filp->f_mapping, end - (ret - before), end);
}

SEC("fexit/filemap_read")
int BPF_PROG(read_f, struct kiocb *iocb, void *iter, s64 before, s64 ret)
{
	return read_ended(iocb, before, ret);
}

SEC("fexit/generic_file_buffered_read")
int BPF_PROG(read_f5, struct kiocb *iocb, void *iter, s64 before, s64 ret)
{
	return read_ended(iocb, before, ret);
}

/* sendfile(2) and splice(2); before 6.5 they pass the functions above. */
SEC("fexit/filemap_splice_read")
int BPF_PROG(splice_f, struct file *file, void *pos, void *pipe, u64 len, u64 flags, s64 ret)
{
	u64 end = file->f_ra.prev_pos;

	if (ret <= 0 || !filter_current())
		return 0;
	return was_read(file->f_mapping, end - ret, end);
}

/* Reads, by the tracepoint that each batch of pages of a read passes, when they are in the cache.
 */

/*
 * Whether this is a further batch of the read whose last one was seen: nearer to the same end, and
 * meanwhile no call that reads has ended.
 */
static __always_inline bool goes_on(struct work *work, u64 mapping, u64 first, u64 end, u64 calls)
{
	return work->reading == mapping && work->asked.end == end && first > work->asked.first &&
	       work->calls == calls;
}

SEC("tp_btf/mm_filemap_get_pages")
int BPF_PROG(read_b, struct address_space *mapping, unsigned long first, unsigned long last)
{
	u64 end, file_end, calls;
	struct counters *bank;
	struct work *work;
	bool further;

	/* Later kernels, of 6.12 too, tell the last page, earlier ones that behind it, which is
	 * never the first. */
	if (!tells_last_page && first == last)
		tells_last_page = true;
	if (!filter_current() || !caches(mapping))
		return 0;
	bank = owned_counters();
	work = work_entered();
	if (!bank || !work)
		return 0;
	end = tells_last_page ? last + 1 : last;
	claim(bank, work, (u64)mapping, first, end, false);
	work->faulting = 0;
	/* Never 0, which is of reads whose begin was seen. */
	calls = bpf_get_current_task_btf()->ioac.syscr + 1;
	further = goes_on(work, (u64)mapping, first, end, calls);
	work->reading = (u64)mapping;
	work->asked.first = first;
	work->asked.end = end;
	work->calls = calls;
	if (further)
		return 0;
	file_end = (mapping->host->i_size + (1ULL << page_shift) - 1) >> page_shift;
	add(bank, READS, length(first, end < file_end ? end : file_end));
	return 0;
}

/* Reads, by their begins, for probes. */

static __always_inline int read_begins(struct address_space *mapping, u64 start, u64 bytes)
{
	struct inode *inode = BPF_CORE_READ(mapping, host);
	u64 size = BPF_CORE_READ(inode, i_size);
	struct counters *bank;
	struct work *work;
	u64 first, end;

	if (!bytes || start >= size || !caches_k(inode))
		return 0;
	end = bytes < size - start ? start + bytes : size;
	first = start >> page_shift;
	end = ((end - 1) >> page_shift) + 1;
	bank = owned_counters();
	work = work_entered();
	if (!bank || !work)
		return 0;
	add(bank, READS, end - first);
	work->faulting = 0;
	work->reading = (u64)mapping;
	work->asked.first = first;
	work->asked.end = end;
	return 0;
}

static __always_inline int iter_begins(struct kiocb *iocb, struct iov_iter *iter)
{
	if (!filter_current())
		return 0;
	return read_begins(BPF_CORE_READ(iocb, ki_filp, f_mapping), BPF_CORE_READ(iocb, ki_pos),
			   BPF_CORE_READ(iter, count));
}

SEC("kprobe/filemap_read")
int BPF_KPROBE(read_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return iter_begins(iocb, iter);
}

SEC("kprobe/generic_file_buffered_read")
int BPF_KPROBE(read_k5, struct kiocb *iocb, struct iov_iter *iter)
{
	return iter_begins(iocb, iter);
}

SEC("kprobe/filemap_splice_read")
int BPF_KPROBE(splice_k, struct file *file, s64 *pos, struct pipe_inode_info *pipe, u64 len)
{
	u32 used = BPF_CORE_READ(pipe, head) - BPF_CORE_READ(pipe, tail),
	    max = BPF_CORE_READ(pipe, max_usage);
	u64 room = (u64)(used < max ? max - used : 0) << page_shift;
	s64 start = 0;

	if (!filter_current())
		return 0;
	bpf_probe_read_kernel(&start, sizeof(start), pos);
	return read_begins(BPF_CORE_READ(file, f_mapping), start, len < room ? len : room);
}

/* Faults: the pages that they map, and what they fetch, by the ends of those that need more than
 * what is there. */

static __always_inline int mapped(u64 pages)
{
	struct counters *bank = owned_counters();

	if (bank)
		add(bank, FAULTS, pages);
	return 0;
}

/* Of a page that page tables of the second level map: as many as these have entries of 8 bytes. */
static __always_inline u64 pages_mapped(bool huge)
{
	return huge ? 1ULL << (page_shift - 3) : 1;
}

SEC("fexit/filemap_fault")
int BPF_PROG(fault_f, struct vm_fault *fault, u64 ret)
{
	struct address_space *mapping = fault->vma->vm_file->f_mapping;
	struct counters *bank;

	if (!filter_current() || !caches(mapping))
		return 0;
	bank = owned_counters();
	if (!bank)
		return 0;
	/* The first write to a page of a private mapping: it is copied, not mapped. */
	if (fault->cow_page && (u32)ret & VM_FAULT_LOCKED)
		add(bank, FAULTS, 1);
	claim_if_any(bank, (u64)mapping, fault->pgoff, fault->pgoff + 1, true);
	return 0;
}

/* Other tasks' pages are mapped anew where memory is compacted: not for a fault. */
static __always_inline bool faults_on(struct vm_area_struct *vma)
{
	struct file *file = vma->vm_file;

	if (!has_task_storage())
		return false;
	return filter_current() && file && vma->vm_mm == bpf_get_current_task_btf()->mm &&
	       caches(file->f_mapping);
}

SEC("fentry/folio_add_file_rmap_ptes")
int BPF_PROG(map_f, struct folio *folio, void *page, int pages, struct vm_area_struct *vma)
{
	return faults_on(vma) ? mapped(pages) : 0;
}

SEC("fentry/folio_add_file_rmap_pmd")
int BPF_PROG(map_huge_f, struct folio *folio, void *page, struct vm_area_struct *vma)
{
	return faults_on(vma) ? mapped(pages_mapped(true)) : 0;
}

/* 6.6 and 6.7. */
SEC("fentry/folio_add_file_rmap_range")
int BPF_PROG(map_range_f, struct folio *folio, void *page, unsigned int pages,
	     struct vm_area_struct *vma)
{
	return faults_on(vma) ? mapped(pages) : 0;
}

/* Before 6.6: from 5.18 on, when there were folios, the page's place is the second argument. */
SEC("fentry/page_add_file_rmap")
int map_page_f(unsigned long long *ctx)
{
	struct page *page = (void *)ctx[0];
	unsigned long long huge;

	if (has_folios()) {
		huge = *(volatile unsigned long long *)&ctx[2];
		return faults_on((void *)ctx[1]) ? mapped(pages_mapped((u8)huge)) : 0;
	}
	huge = *(volatile unsigned long long *)&ctx[1];
	return filter_current() && caches(page->mapping) ? mapped(pages_mapped((u8)huge)) : 0;
}

/*
 * Faults, by tracepoints: of those that find their page, the pages around that the kernel looked
 * through to map what is there; of the others the page. What was told before of the same pages, or
 * turns out not to have been there, is taken out: see fetched_for_fault().
 */

static __always_inline bool is_around(struct work *work, u64 mapping, u64 page)
{
	return work->mapped == mapping && work->around.first <= page && page < work->around.end;
}

SEC("tp_btf/mm_filemap_fault")
int BPF_PROG(fault_b, struct address_space *mapping, unsigned long page)
{
	struct counters *bank;
	struct work *work;

	if (!filter_current() || !caches(mapping))
		return 0;
	bank = owned_counters();
	work = work_entered();
	if (!bank || !work)
		return 0;
	if (work->faulting != (u64)mapping || work->fault_page != page)
		work->fetched = (struct stretch){};
	work->faulting = (u64)mapping;
	work->fault_page = page;
	work->of_user = in_user_fault();
	/* Told when the pages around it were, or tried again. */
	if (is_around(work, (u64)mapping, page))
		return 0;
	add(bank, FAULTS, 1);
	work->mapped = (u64)mapping;
	work->around = (struct stretch){.first = page, .end = page + 1};
	work->credit = 0;
	return 0;
}

SEC("tp_btf/mm_filemap_map_pages")
int BPF_PROG(around_b, struct address_space *mapping, unsigned long first, unsigned long last)
{
	struct counters *bank;
	struct work *work;
	u64 file_end, end;
	u64 told = 0;

	if (!filter_current() || !caches(mapping))
		return 0;
	bank = owned_counters();
	work = work_entered();
	if (!bank || !work)
		return 0;
	file_end = (mapping->host->i_size + (1ULL << page_shift) - 1) >> page_shift;
	end = last + 1 < file_end ? last + 1 : file_end;
	/* The fault again, once its page was fetched: of the others only those are there that came
	 * with it. */
	if (is_faulting(work, (u64)mapping) && work->fault_page >= first &&
	    work->fault_page < end && work->fetched.first <= work->fault_page &&
	    work->fault_page < work->fetched.end) {
		first = work->fetched.first > first ? work->fetched.first : first;
		end = work->fetched.end < end ? work->fetched.end : end;
	}
	if (work->mapped == (u64)mapping)
		told = common(&work->around, first, end);
	work->credit = length(first, end) - told;
	add(bank, FAULTS, work->credit);
	work->mapped = (u64)mapping;
	work->around = (struct stretch){.first = first, .end = end};
	return 0;
}

/* Faults, by probes. */

SEC("kprobe/filemap_fault")
int BPF_KPROBE(fault_k, struct vm_fault *fault)
{
	struct address_space *mapping;
	struct work *work;
	u64 page;
	bool again;

	if (!filter_current())
		return 0;
	mapping = BPF_CORE_READ(fault, vma, vm_file, f_mapping);
	if (!caches_k(BPF_CORE_READ(mapping, host)))
		return 0;
	work = work_entered();
	if (!work)
		return 0;
	page = BPF_CORE_READ(fault, pgoff);
	/* Tried again, once the page was fetched. */
	again = work->faulting == (u64)mapping && work->fault_page == page;
	work->faulting = (u64)mapping;
	work->fault_page = page;
	/* The first write to a page of a private mapping: it is copied, not mapped. */
	if (!again && BPF_CORE_READ(fault, cow_page))
		mapped(1);
	return 0;
}

static __always_inline int mapped_k(struct vm_area_struct *vma, u64 pages)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (!filter_current() || BPF_CORE_READ(vma, vm_mm) != BPF_CORE_READ(task, mm) ||
	    !caches_k(BPF_CORE_READ(vma, vm_file, f_mapping, host)))
		return 0;
	return mapped(pages);
}

SEC("kprobe/folio_add_file_rmap_ptes")
int BPF_KPROBE(map_k, void *folio, void *page, int pages, struct vm_area_struct *vma)
{
	return mapped_k(vma, pages);
}

SEC("kprobe/folio_add_file_rmap_pmd")
int BPF_KPROBE(map_huge_k, void *folio, void *page, struct vm_area_struct *vma)
{
	return mapped_k(vma, pages_mapped(true));
}

SEC("kprobe/folio_add_file_rmap_range")
int BPF_KPROBE(map_range_k, void *folio, void *page, unsigned int pages, struct vm_area_struct *vma)
{
	return mapped_k(vma, pages);
}

SEC("kprobe/page_add_file_rmap")
int BPF_KPROBE(map_page_k, struct page *page, u64 second, u64 third)
{
	if (has_folios())
		return mapped_k((void *)second, pages_mapped((u8)third));
	if (!filter_current() || !caches_k(BPF_CORE_READ(page, mapping, host)))
		return 0;
	return mapped(pages_mapped((u8)second));
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
