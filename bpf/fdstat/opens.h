/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* How opens, and descriptors that come to be, are counted. */

static __always_inline int created(void)
{
	if (filter_current())
		count_owned(CREATED, 1);
	return 0;
}

/* Where an open begins matters only to events. */

static __always_inline int open_begins(s32 directory, u64 name, u64 flags, struct io_kiocb *req)
{
	struct start start = {
	    .name = name,
	    .flags = flags,
	    .object = (u64)req,
	    .fd = directory,
	    .task = OPENING,
	};

	if (!filter_current())
		return 0;
	if (!keep_start(&start))
		count(LOST, 1);
	return 0;
}

static __always_inline void count_open(bool failed)
{
	struct counters *bank = owned_counters();

	if (!bank)
		return;
	add(bank, OPENS, 1);
	if (failed)
		add(bank, OPEN_ERRORS, 1);
}

/* An open has returned. `ret` is for events, as in struct event. `named`: with a path, which takes
 * the verifier longer than all else. */
static __always_inline int open_ends(s32 ret, bool failed, bool named)
{
	struct start *found, start;

	if (!filter_current())
		return 0;
	count_open(failed);
	if (!send_events)
		return 0;
	found = find_start();
	/* In progress before the start, or its beginning was not seen. */
	if (!found || !found->ts_ns || found->task != OPENING)
		return 0;
	start = *found;
	end_start(found);
	if (only_errors && !failed)
		return 0;
	if (named)
		send_open(&start, bpf_ktime_get_ns(), ret, failed);
	else
		send_pathless(&start, bpf_ktime_get_ns(), failed ? OPEN_ERRORS : OPENS, ret);
	return 0;
}

static __always_inline int opened(long ret)
{
	return open_ends(ret, ret < 0, true);
}

static __always_inline int opened_by_handle(long ret)
{
	return open_ends(ret, ret < 0, false);
}

/* io_uring tries without waiting first, and comes again. An open into its own table makes no
 * descriptor. */
static __always_inline int uring_opened(struct io_kiocb *req, long ret)
{
	struct io_open *open = (void *)req;
	bool failed, known = uring_keeps_result();

	if (ret == -EAGAIN)
		return 0;
	failed = uring_failed(req);
	if (!known)
		return open_ends(failed ? 0 : -1, failed, true);
	ret = BPF_CORE_READ(req, cqe.res);
	if (!failed && bpf_core_field_exists(open->file_slot) && BPF_CORE_READ(open, file_slot))
		ret = -1;
	return open_ends(ret, failed, true);
}

static __always_inline int uring_open_begins(struct io_kiocb *req)
{
	struct io_open *open = (void *)req;
	struct filename *name = NULL;
	u64 at = 0;

	if (bpf_core_field_exists(name->uptr))
		at = (u64)BPF_CORE_READ(open, filename, uptr);
	return open_begins(BPF_CORE_READ(open, dfd), at, BPF_CORE_READ(open, how.flags), req);
}

static __always_inline int uring_open_ends(long ret)
{
	struct start *found = find_start();

	if (!found || !found->ts_ns || found->task != OPENING)
		return 0;
	uring_opened((void *)found->object, ret);
	return 0;
}
