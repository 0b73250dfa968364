/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The programs of cachestat on page faults. */

/* include/linux/mm_types.h: a fault ended with its page locked, not to be tried again. */
#define VM_FAULT_LOCKED 0x200

/* Faults: the pages that they map, and those that they fetch, by the ends of the faults that need
 * more than what is in the cache. */

static __always_inline int mapped(u64 pages)
{
	struct counters *bank = owned_counters();

	if (bank)
		add(bank, FAULTS, pages);
	return 0;
}

/* Pages of a mapping at the second level of page tables: as many as a page table has entries of 8
 * bytes. */
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
	claim_if_any(bank, (u64)mapping, fault->pgoff, fault->pgoff + 1, true);
	/* The first write to a page of a private mapping: it is copied, not mapped. */
	if (fault->cow_page && (u32)ret & VM_FAULT_LOCKED)
		add(bank, FAULTS, 1);
	return 0;
}

/* Memory compaction maps other tasks' pages anew, which is not a fault. */
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
 * Faults, by tracepoints. If the page is found: the pages around it that the kernel scanned to map
 * what is present. Otherwise: the page alone. Pages already counted for the last fault, or found
 * not to be present, are subtracted: see fetched_for_fault().
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
	/* Counted with the pages around it, or tried again. */
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
	u64 counted = 0;

	if (!filter_current() || !caches(mapping))
		return 0;
	bank = owned_counters();
	work = work_entered();
	if (!bank || !work)
		return 0;
	file_end = pages_of_file(mapping);
	end = last + 1 < file_end ? last + 1 : file_end;
	/* The same fault again, after its page was fetched: of the pages around it only those
	 * fetched with it are present. */
	if (is_faulting(work, (u64)mapping) && work->fault_page >= first &&
	    work->fault_page < end && work->fetched.first <= work->fault_page &&
	    work->fault_page < work->fetched.end) {
		first = work->fetched.first > first ? work->fetched.first : first;
		end = work->fetched.end < end ? work->fetched.end : end;
	}
	if (work->mapped == (u64)mapping)
		counted = common(&work->around, first, end);
	work->credit = length(first, end) - counted;
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
	/* Tried again, after the page was fetched. */
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
