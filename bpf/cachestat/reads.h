/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The programs of cachestat on reads. */

/* Reads, by their ends: by then it is known what was read, and all that it needed is fetched. */

static __always_inline int was_read(struct address_space *mapping, u64 start, u64 end)
{
	u64 first = start >> page_shift, last = (end - 1) >> page_shift;
	struct counters *bank;

	if (!caches(mapping))
		return 0;
	bank = owned_counters();
	if (!bank)
		return 0;
	/* In this order: user space never sees a page read and not yet what was fetched for it. */
	claim_if_any(bank, (u64)mapping, first, last + 1, false);
	add(bank, READS, last + 1 - first);
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

/* Reads, by the tracepoint that each batch of pages of a read passes, when they are in the
 * cache. */

/*
 * Whether this is a further batch of the read whose last batch was seen: closer to the same end,
 * and no read call has ended in between.
 */
static __always_inline bool is_same_read(struct work *work, u64 mapping, u64 first, u64 end,
					 u64 calls)
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

	/* Later kernels, 6.12 among them, pass the last page. Earlier ones pass the page after it,
	 * which is never equal to the first. */
	if (!passes_last_page && first == last)
		passes_last_page = true;
	if (!filter_current() || !caches(mapping))
		return 0;
	bank = owned_counters();
	work = work_entered();
	if (!bank || !work)
		return 0;
	end = passes_last_page ? last + 1 : last;
	claim(bank, work, (u64)mapping, first, end, false);
	work->faulting = 0;
	/* Never 0, which stands for reads whose begin was seen. */
	calls = bpf_get_current_task_btf()->ioac.syscr + 1;
	further = is_same_read(work, (u64)mapping, first, end, calls);
	work->reading = (u64)mapping;
	work->asked.first = first;
	work->asked.end = end;
	work->calls = calls;
	if (further)
		return 0;
	file_end = pages_of_file(mapping);
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
