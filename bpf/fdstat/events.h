/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The events of fdstat: opens, and closes that failed. */

static __always_inline void describe(struct event *event, struct start *start, u64 now, u32 kind,
				     s32 ret)
{
	event->ts_ns = now;
	event->duration_ns = now - start->ts_ns;
	event->flags = start->flags;
	event->ret = ret;
	event->fd = start->fd;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->kind = kind;
	event->unused = 0;
	bpf_get_current_comm(&event->comm, sizeof(event->comm));
}

static __always_inline void send_pathless(struct start *start, u64 now, u32 kind, s32 ret)
{
	struct event *event = event_reserve(sizeof(*event));

	if (!event)
		return;
	describe(event, start, now, kind, ret);
	event->shape = NO_PATH;
	event_submit(event);
}

/* The directory that a relative path begins at; NULL if it is none. */
static __always_inline struct path *directory_of(s32 fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *file;

	if (fd == AT_FDCWD)
		return (void *)BPF_CORE_READ(task, fs) +
		       bpf_core_field_offset(struct fs_struct, pwd);
	file = current_file(fd);
	return file ? path_of(file) : NULL;
}

/* Whether the whole name was read: its length tells the NUL, too. */
static __always_inline bool name_read(char *name, u32 room, u64 from)
{
	long len = bpf_probe_read_user_str(name, room, (void *)from);

	return len > 0 && (len < room || room == NAME_LONG);
}

/* In the place of an event that has too little room for the name, which is discarded: NULL if the
 * name is below no directory. The directory's names are copied: the verifier would follow a second
 * walk to the root as long as the first. */
static __always_inline void send_long(struct start *start, u64 now, u32 kind, s32 ret,
				      struct below_event *below)
{
	struct long_event *event = event_reserve(sizeof(*event));

	if (below) {
		if (event)
			bpf_probe_read_kernel(&event->directory, sizeof(event->directory),
					      &below->directory);
		bpf_ringbuf_discard(below, BPF_RB_NO_WAKEUP);
	}
	if (!event)
		return;
	describe(&event->event, start, now, kind, ret);
	event->event.shape = below ? LONG_BELOW : LONG_AS_WRITTEN;
	if (!name_read(event->name, NAME_LONG, start->name))
		event->event.shape = NO_PATH;
	event_submit(event);
}

/* An open that has returned. The path is read from the program's memory, where the kernel has read
 * it just before. */
static __always_inline void send_open(struct start *start, u64 now, s32 ret, bool failed)
{
	u32 kind = failed ? OPEN_ERRORS : OPENS;
	struct path *directory = NULL;
	struct named_event *named;
	struct below_event *below;
	char first;

	if (!start->name || bpf_probe_read_user(&first, sizeof(first), (void *)start->name)) {
		send_pathless(start, now, kind, ret);
		return;
	}
	if (first != '/')
		directory = directory_of(start->fd);
	if (directory) {
		below = event_reserve(sizeof(*below));
		if (!below)
			return;
		path_names_read(&below->directory, directory);
		if (name_read(below->name, NAME_SHORT, start->name)) {
			describe(&below->event, start, now, kind, ret);
			below->event.shape = BELOW;
			event_submit(below);
			return;
		}
		send_long(start, now, kind, ret, below);
	} else {
		named = event_reserve(sizeof(*named));
		if (!named)
			return;
		if (name_read(named->name, NAME_SHORT, start->name)) {
			describe(&named->event, start, now, kind, ret);
			named->event.shape = AS_WRITTEN;
			event_submit(named);
			return;
		}
		bpf_ringbuf_discard(named, BPF_RB_NO_WAKEUP);
		send_long(start, now, kind, ret, NULL);
	}
}

/* A close that has failed, and its file, if there was one. */
static __always_inline void send_close(struct start *start, struct file *file, s32 ret)
{
	u64 now = bpf_ktime_get_ns();
	struct file_event *event;

	if (!file) {
		send_pathless(start, now, CLOSE_ERRORS, ret);
		return;
	}
	event = event_reserve(sizeof(*event));
	if (!event)
		return;
	describe(&event->event, start, now, CLOSE_ERRORS, ret);
	event->event.shape = OF_FILE;
	path_read(&event->file, file);
	event_submit(event);
}
