/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The programs of fdstat on entries and exits of functions. */

/* All opens but the next two pass here, of programs of any word size. */

SEC("fentry/do_sys_openat2")
int BPF_PROG(open_f, u64 dfd, u64 name, struct open_how *how)
{
	return open_begins(dfd, name, how->flags, NULL);
}

SEC("fexit/do_sys_openat2")
int BPF_PROG(open_fx, u64 dfd, u64 name, u64 how, long ret)
{
	return opened((int)ret);
}

SEC("fentry/do_handle_open")
int BPF_PROG(handle_f, u64 mount_fd, u64 handle, u64 flags)
{
	return open_begins(mount_fd, 0, (u32)flags, NULL);
}

SEC("fexit/do_handle_open")
int BPF_PROG(handle_fx, u64 mount_fd, u64 handle, u64 flags, long ret)
{
	return opened_by_handle((int)ret);
}

SEC("fentry/io_openat2")
int BPF_PROG(uring_open_f, struct io_kiocb *req)
{
	return uring_open_begins(req);
}

SEC("fexit/io_openat2")
int BPF_PROG(uring_open_fx, struct io_kiocb *req, u64 issue_flags, long ret)
{
	return uring_opened(req, (int)ret);
}

/* A descriptor of any kind that has come to be; dup2(2) replaces one without it. */

SEC("fentry/fd_install")
int BPF_PROG(install_f, u64 fd, u64 file)
{
	return created();
}

/* close(2): since 6.6 it takes the file out of the table first, and flushes it then. */

SEC("fexit/file_close_fd")
int BPF_PROG(taken_f, u64 fd, struct file *file)
{
	return taken_to_close(fd, file);
}

/* Its name in 6.6 and 6.7; before, a function with this name was not called by close(2). */
SEC("fexit/close_fd_get_file")
int BPF_PROG(taken_f6, u64 fd, struct file *file)
{
	return taken_to_close(fd, file);
}

SEC("fexit/filp_flush")
int BPF_PROG(flush_f, struct file *file, u64 id, long ret)
{
	return flushed(file, (int)ret);
}

/* Before, one function did all. It is still there, and close(2) does not call it. */

SEC("fentry/close_fd")
int BPF_PROG(close_f, u64 fd)
{
	return close_begins(fd);
}

SEC("fexit/close_fd")
int BPF_PROG(close_fx, u64 fd, long ret)
{
	return end_close_of_none();
}

SEC("fexit/filp_close")
int BPF_PROG(filp_close_f, struct file *file, u64 id, long ret)
{
	return flushed(file, (int)ret);
}

SEC("fentry/io_close")
int BPF_PROG(uring_close_f, struct io_kiocb *req)
{
	return uring_close_begins(req);
}

SEC("fexit/io_close")
int BPF_PROG(uring_close_fx, u64 req, u64 issue_flags, long ret)
{
	return uring_close_ends((int)ret);
}

/* Where that is inlined (5.10): the function that takes the file of the descriptor. */
SEC("fexit/__close_fd_get_file")
int BPF_PROG(uring_taken_f5, u64 fd, u64 file, long ret)
{
	return (int)ret ? 0 : close_begins(fd);
}
