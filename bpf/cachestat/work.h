/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * What a task is at: what was fetched while it runs and for whom it is not known yet, until the
 * read or fault that it was for claims it.
 */
#ifndef EF_CACHESTAT_WORK_H
#define EF_CACHESTAT_WORK_H

/* Stretches of a file, with others between them that were there already, that are kept apart. */
#define MAX_STRETCHES 32
/* Tasks whose work is kept where the kernel cannot keep it with the task itself. */
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

#endif
