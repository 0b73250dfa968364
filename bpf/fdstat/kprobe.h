/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The same functions by kprobes: what the exit needs of the entry is kept in between. */

SEC("kprobe/do_sys_openat2")
int BPF_KPROBE(open_k, u64 dfd, u64 name, struct open_how *how)
{
	return open_begins(dfd, name, BPF_CORE_READ(how, flags), NULL);
}

SEC("kretprobe/do_sys_openat2")
int BPF_KRETPROBE(open_kx, long ret)
{
	return opened((int)ret);
}

SEC("kprobe/do_handle_open")
int BPF_KPROBE(handle_k, u64 mount_fd, u64 handle, u64 flags)
{
	return open_begins(mount_fd, 0, (u32)flags, NULL);
}

SEC("kretprobe/do_handle_open")
int BPF_KRETPROBE(handle_kx, long ret)
{
	return opened_by_handle((int)ret);
}

SEC("kprobe/io_openat2")
int BPF_KPROBE(uring_open_k, struct io_kiocb *req)
{
	return uring_open_begins(req);
}

SEC("kretprobe/io_openat2")
int BPF_KRETPROBE(uring_open_kx, long ret)
{
	return uring_open_ends((int)ret);
}

SEC("kprobe/fd_install")
int BPF_KPROBE(install_k, u64 fd, u64 file)
{
	return created();
}

SEC("kprobe/file_close_fd")
int BPF_KPROBE(taken_k, u64 fd)
{
	return close_begins(fd);
}

SEC("kretprobe/file_close_fd")
int BPF_KRETPROBE(taken_kx, void *file)
{
	return file ? 0 : end_close_of_none();
}

SEC("kprobe/close_fd_get_file")
int BPF_KPROBE(taken_k6, u64 fd)
{
	return close_begins(fd);
}

SEC("kretprobe/close_fd_get_file")
int BPF_KRETPROBE(taken_k6x, void *file)
{
	return file ? 0 : end_close_of_none();
}

SEC("kprobe/filp_flush")
int BPF_KPROBE(flush_k, struct file *file)
{
	return flush_begins(file);
}

SEC("kretprobe/filp_flush")
int BPF_KRETPROBE(flush_kx, long ret)
{
	return flush_ends((int)ret);
}

SEC("kprobe/close_fd")
int BPF_KPROBE(close_k, u64 fd)
{
	return close_begins(fd);
}

SEC("kretprobe/close_fd")
int BPF_KRETPROBE(close_kx, long ret)
{
	return end_close_of_none();
}

SEC("kprobe/filp_close")
int BPF_KPROBE(filp_close_k, struct file *file)
{
	return flush_begins(file);
}

SEC("kretprobe/filp_close")
int BPF_KRETPROBE(filp_close_kx, long ret)
{
	return flush_ends((int)ret);
}

SEC("kprobe/io_close")
int BPF_KPROBE(uring_close_k, struct io_kiocb *req)
{
	return uring_close_begins(req);
}

SEC("kretprobe/io_close")
int BPF_KRETPROBE(uring_close_kx, long ret)
{
	return uring_close_ends((int)ret);
}

SEC("kprobe/__close_fd_get_file")
int BPF_KPROBE(uring_taken_k5, u64 fd)
{
	return close_begins(fd);
}

SEC("kretprobe/__close_fd_get_file")
int BPF_KRETPROBE(uring_taken_k5x, long ret)
{
	return (int)ret ? end_close_of_none() : 0;
}
