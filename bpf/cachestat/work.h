/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The current access of a task: pages fetched while it runs are pending until the read or fault
 * that they were fetched for claims them.
 */
#ifndef EF_CACHESTAT_WORK_H
#define EF_CACHESTAT_WORK_H

/* Ranges of a file that are tracked separately, with pages between them that were already
 * cached. */
#define MAX_STRETCHES 32
/* Tasks tracked if the kernel has no task storage. */
#define MAX_TASKS 4096

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

/* The current access of a task. Files are identified by their mapping, which is only compared. */
struct work {
	/* Pages fetched from this file whose access is not known yet. The last ranges are tracked
	 * separately, the earlier ones as one. */
	u64 pending;
	u64 pending_pages;
	u32 stretches;
	struct stretch stretch[MAX_STRETCHES];
	struct stretch early;
	u64 early_pages;

	/* The read that began, if its end cannot be watched; for get_pages: the batch that was
	 * seen. */
	u64 reading;
	struct stretch asked;
	u64 calls;

	/* The fault that began, if its end cannot be watched, and what was fetched for it. */
	u64 faulting;
	u64 fault_page;
	struct stretch fetched;
	bool of_user;

	/* Pages counted as mapped by the last faults: the last `credit` of them on the assumption
	 * that all pages around the fault were in the cache. */
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

/* For kernels without task storage: by thread. An evicted entry costs little: see claim(). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_TASKS);
	__type(key, u32);
	__type(value, struct work);
} works_by_thread SEC(".maps");

/* The initial value of an entry. */
struct work no_work = {};

/* Tasks with pending pages: while there are none, the look-up is skipped. */
u64 pending_tasks = 0;

/* Whether the tracepoint passes the last page of a read rather than the one after it: see
 * get_pages(). */
bool passes_last_page = false;

/* Mirrored by tools/cachestat/src/main.rs, which creates one of the two maps. */
static __always_inline bool has_task_storage(void)
{
	return bpf_core_enum_value_exists(enum bpf_map_type, BPF_MAP_TYPE_TASK_STORAGE);
}

/* The current access of the running task; NULL if there is none. */
static __always_inline struct work *work_known(void)
{
	u32 tid;

	if (has_task_storage())
		return bpf_task_storage_get(&works, bpf_get_current_task_btf(), NULL, 0);
	tid = bpf_get_current_pid_tgid();
	return bpf_map_lookup_elem(&works_by_thread, &tid);
}

/* The same, created if there is none; NULL if there is no room, which is counted. */
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

/* There is no room. Reads go upwards, so either the pages fetched first were requested, or none of
 * them were. */
static __always_inline void fold(struct work *work)
{
	if (!work->early_pages)
		work->early.first = work->stretch[0].first;
	work->early.end = work->stretch[MAX_STRETCHES - 1].end;
	for (u32 i = 0; i < MAX_STRETCHES; i++)
		work->early_pages += work->stretch[i].end - work->stretch[i].first;
}

/* Records that these pages were fetched. */
static __always_inline void pend(struct counters *bank, struct work *work, u64 mapping, u64 first,
				 u64 pages)
{
	u32 stretches = work->stretches, last;

	if (!work->pending_pages)
		__sync_fetch_and_add(&pending_tasks, 1);
	if (work->pending != mapping) {
		/* The other file's pages remain counted as fetched ahead, for reads. */
		add(bank, PENDING, -work->pending_pages);
		work->pending = mapping;
		work->pending_pages = 0;
		work->early_pages = 0;
		stretches = 0;
	}
	work->pending_pages += pages;
	add(bank, PENDING, pages);
	/* Always within bounds; older verifiers lose track of it on the way. */
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
 * A read or fault of these pages has ended: the pending pages of the file were fetched for it.
 * Pages that no access claims, for example those of readahead(2), count as fetched ahead, for
 * reads.
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

/* Set while the task serves a fault of its program, not of the kernel itself. Not in every kernel
 * (mem_cgroup_enter_user_fault of the first version of memory cgroups). */
struct task_struct___fault {
	unsigned in_user_fault : 1;
} __attribute__((preserve_access_index));

static __always_inline bool in_user_fault(void)
{
	struct task_struct___fault *task;

	/* The same kernels have a typed pointer to the task. */
	if (!has_task_storage())
		return false;
	task = (void *)bpf_get_current_task_btf();
	return bpf_core_field_exists(task->in_user_fault) &&
	       BPF_CORE_READ_BITFIELD(task, in_user_fault);
}

/* Whether a fault of this file that began may still be in progress: pages fetched now are for
 * it. */
static __always_inline bool is_faulting(struct work *work, u64 mapping)
{
	return work->faulting == mapping && (!work->of_user || in_user_fault());
}

/* For a fault that began: shows that its page was missing. */
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
	/* So not all pages around it were present: only the page itself counts. */
	if (work->credit > 1)
		add(bank, FAULTS, 1 - work->credit);
	if (work->credit)
		work->around =
		    (struct stretch){.first = work->fault_page, .end = work->fault_page + 1};
	work->credit = 0;
}

#endif
