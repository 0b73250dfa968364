/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * How closes are counted. All that gives a descriptor up passes the flush of its file: a close, and
 * whatever else does so (exit, exec, dup2, close_range). What is a close is known before: then the
 * thread is marked as at one. So each descriptor that is given up is counted once, and at once.
 */

static __always_inline int close_begins(s32 fd)
{
	struct start start = {.fd = fd, .task = CLOSING};

	if (!filter_current())
		return 0;
	if (!keep_start(&start))
		count(LOST, 1);
	return 0;
}

static __always_inline struct start *closing(void)
{
	struct start *found = find_start();

	return found && found->ts_ns && found->task == CLOSING ? found : NULL;
}

/* A close has ended: with its file, if the descriptor was open. */
static __always_inline int closed(struct start *start, struct file *file, s32 ret)
{
	struct counters *bank = owned_counters();

	if (bank) {
		add(bank, CLOSES, 1);
		if (ret < 0)
			add(bank, CLOSE_ERRORS, 1);
	}
	if (send_events && ret < 0)
		send_close(start, file, ret);
	return 0;
}

/* Ends the close in progress, if there is one. */
static __always_inline int end_close(struct file *file, s32 ret)
{
	struct start *found = closing(), start;

	if (!found)
		return 0;
	start = *found;
	end_start(found);
	return closed(&start, file, ret);
}

/* The close in progress, if there is still one, flushed no file: there was none. */
static __always_inline int end_close_of_none(void)
{
	return end_close(NULL, -EBADF);
}

/* The file of a descriptor was looked up to close it; NULL if there is none. */
static __always_inline int taken_to_close(s32 fd, struct file *file)
{
	struct start start = {.fd = fd};

	if (file)
		return close_begins(fd);
	if (!filter_current())
		return 0;
	start.ts_ns = bpf_ktime_get_ns();
	return closed(&start, NULL, -EBADF);
}

/* A file was flushed: its descriptor is gone. */
static __always_inline int flushed(struct file *file, s32 ret)
{
	if (!filter_current())
		return 0;
	if (closing())
		return end_close(file, ret);
	count_owned(DROPPED, 1);
	return 0;
}

/* The same by two programs: only the first knows the file, only the second the result. */
static __always_inline int flush_begins(struct file *file)
{
	struct start *start;

	if (!filter_current())
		return 0;
	start = closing();
	if (start)
		start->object = (u64)file;
	else
		count_owned(DROPPED, 1);
	return 0;
}

static __always_inline int flush_ends(s32 ret)
{
	struct start *start = closing();

	return start && start->object ? end_close((void *)start->object, ret) : 0;
}

/* What is in io_uring's own table is no descriptor. */
static __always_inline int uring_close_begins(struct io_kiocb *req)
{
	struct io_close *close = (void *)req;

	if (bpf_core_field_exists(close->file_slot) && BPF_CORE_READ(close, file_slot))
		return 0;
	return close_begins(BPF_CORE_READ(close, fd));
}

static __always_inline int uring_close_ends(s32 ret)
{
	struct start *start = closing();

	if (!start)
		return 0;
	if (ret != -EAGAIN)
		return end_close_of_none();
	/* It comes again, where it may wait. */
	end_start(start);
	return 0;
}
