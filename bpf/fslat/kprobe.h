/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The programs of fslat on the same functions (fentry.h), by kprobes. */

/* ext4 */

SEC("kprobe/ext4_file_read_iter")
int BPF_KPROBE(ext4_read_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(EXT4, READ), iocb, iter);
}

SEC("kretprobe/ext4_file_read_iter")
int BPF_KRETPROBE(ext4_read_kx, long ret)
{
	return leave(KEY(EXT4, READ), ret);
}

SEC("kprobe/ext4_file_write_iter")
int BPF_KPROBE(ext4_write_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(EXT4, WRITE), iocb, iter);
}

SEC("kretprobe/ext4_file_write_iter")
int BPF_KRETPROBE(ext4_write_kx, long ret)
{
	return leave(KEY(EXT4, WRITE), ret);
}

SEC("kprobe/ext4_file_open")
int BPF_KPROBE(ext4_open_k, void *inode, struct file *file)
{
	return file_enter(KEY(EXT4, OPEN), file);
}

SEC("kretprobe/ext4_file_open")
int BPF_KRETPROBE(ext4_open_kx, long ret)
{
	return leave(KEY(EXT4, OPEN), (int)ret);
}

SEC("kprobe/ext4_sync_file")
int BPF_KPROBE(ext4_sync_k, struct file *file)
{
	return file_enter(KEY(EXT4, SYNC), file);
}

SEC("kretprobe/ext4_sync_file")
int BPF_KRETPROBE(ext4_sync_kx, long ret)
{
	return leave(KEY(EXT4, SYNC), (int)ret);
}

/* xfs */

SEC("kprobe/xfs_file_read_iter")
int BPF_KPROBE(xfs_read_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(XFS, READ), iocb, iter);
}

SEC("kretprobe/xfs_file_read_iter")
int BPF_KRETPROBE(xfs_read_kx, long ret)
{
	return leave(KEY(XFS, READ), ret);
}

SEC("kprobe/xfs_file_write_iter")
int BPF_KPROBE(xfs_write_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(XFS, WRITE), iocb, iter);
}

SEC("kretprobe/xfs_file_write_iter")
int BPF_KRETPROBE(xfs_write_kx, long ret)
{
	return leave(KEY(XFS, WRITE), ret);
}

SEC("kprobe/xfs_file_open")
int BPF_KPROBE(xfs_open_k, struct inode *inode, struct file *file)
{
	if (is_directory(BPF_CORE_READ(inode, i_mode)))
		return 0;
	return file_enter(KEY(XFS, OPEN), file);
}

SEC("kretprobe/xfs_file_open")
int BPF_KRETPROBE(xfs_open_kx, long ret)
{
	return leave(KEY(XFS, OPEN), (int)ret);
}

SEC("kprobe/xfs_file_fsync")
int BPF_KPROBE(xfs_sync_k, struct file *file)
{
	return file_enter(KEY(XFS, SYNC), file);
}

SEC("kretprobe/xfs_file_fsync")
int BPF_KRETPROBE(xfs_sync_kx, long ret)
{
	return leave(KEY(XFS, SYNC), (int)ret);
}

SEC("kprobe/xfs_dir_fsync")
int BPF_KPROBE(xfs_sync_dir_k, struct file *file)
{
	return file_enter(KEY(XFS, SYNC), file);
}

SEC("kretprobe/xfs_dir_fsync")
int BPF_KRETPROBE(xfs_sync_dir_kx, long ret)
{
	return leave(KEY(XFS, SYNC), (int)ret);
}

/* btrfs */

SEC("kprobe/btrfs_file_read_iter")
int BPF_KPROBE(btrfs_read_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(BTRFS, READ), iocb, iter);
}

SEC("kretprobe/btrfs_file_read_iter")
int BPF_KRETPROBE(btrfs_read_kx, long ret)
{
	return leave(KEY(BTRFS, READ), ret);
}

SEC("kprobe/btrfs_file_write_iter")
int BPF_KPROBE(btrfs_write_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(BTRFS, WRITE), iocb, iter);
}

SEC("kretprobe/btrfs_file_write_iter")
int BPF_KRETPROBE(btrfs_write_kx, long ret)
{
	return leave(KEY(BTRFS, WRITE), ret);
}

SEC("kprobe/btrfs_file_open")
int BPF_KPROBE(btrfs_open_k, void *inode, struct file *file)
{
	return file_enter(KEY(BTRFS, OPEN), file);
}

SEC("kretprobe/btrfs_file_open")
int BPF_KRETPROBE(btrfs_open_kx, long ret)
{
	return leave(KEY(BTRFS, OPEN), (int)ret);
}

SEC("kprobe/btrfs_sync_file")
int BPF_KPROBE(btrfs_sync_k, struct file *file)
{
	return file_enter(KEY(BTRFS, SYNC), file);
}

SEC("kretprobe/btrfs_sync_file")
int BPF_KRETPROBE(btrfs_sync_kx, long ret)
{
	return leave(KEY(BTRFS, SYNC), (int)ret);
}

/* nfs */

SEC("kprobe/nfs_file_read")
int BPF_KPROBE(nfs_read_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(NFS, READ), iocb, iter);
}

SEC("kretprobe/nfs_file_read")
int BPF_KRETPROBE(nfs_read_kx, long ret)
{
	return leave(KEY(NFS, READ), ret);
}

SEC("kprobe/nfs_file_write")
int BPF_KPROBE(nfs_write_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(NFS, WRITE), iocb, iter);
}

SEC("kretprobe/nfs_file_write")
int BPF_KRETPROBE(nfs_write_kx, long ret)
{
	return leave(KEY(NFS, WRITE), ret);
}

SEC("kprobe/nfs_file_open")
int BPF_KPROBE(nfs_open_k, void *inode, struct file *file)
{
	return file_enter(KEY(NFS, OPEN), file);
}

SEC("kretprobe/nfs_file_open")
int BPF_KRETPROBE(nfs_open_kx, long ret)
{
	return leave(KEY(NFS, OPEN), (int)ret);
}

SEC("kprobe/nfs4_file_open")
int BPF_KPROBE(nfs4_open_k, void *inode, struct file *file)
{
	return file_enter(KEY(NFS, OPEN), file);
}

SEC("kretprobe/nfs4_file_open")
int BPF_KRETPROBE(nfs4_open_kx, long ret)
{
	return leave(KEY(NFS, OPEN), (int)ret);
}

SEC("kprobe/nfs_file_fsync")
int BPF_KPROBE(nfs_sync_k, struct file *file)
{
	return file_enter(KEY(NFS, SYNC), file);
}

SEC("kretprobe/nfs_file_fsync")
int BPF_KRETPROBE(nfs_sync_kx, long ret)
{
	return leave(KEY(NFS, SYNC), (int)ret);
}

SEC("kprobe/nfs_atomic_open")
int BPF_KPROBE(nfs_open_new_k, void *dir, void *dentry, struct file *file)
{
	return file_enter(KEY(NFS, OPEN), file);
}

SEC("kretprobe/nfs_atomic_open")
int BPF_KRETPROBE(nfs_open_new_kx, long ret)
{
	return leave_opened(KEY(NFS, OPEN), (int)ret);
}

SEC("kprobe/nfs_getattr")
int BPF_KPROBE(nfs_getattr_k, void *first, void *second)
{
	return enter(KEY(NFS, GETATTR), getattr_path(first, second), NULL);
}

SEC("kretprobe/nfs_getattr")
int BPF_KRETPROBE(nfs_getattr_kx, long ret)
{
	return leave(KEY(NFS, GETATTR), (int)ret);
}

/* overlay */

SEC("kprobe/ovl_read_iter")
int BPF_KPROBE(overlay_read_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(OVERLAY, READ), iocb, iter);
}

SEC("kretprobe/ovl_read_iter")
int BPF_KRETPROBE(overlay_read_kx, long ret)
{
	return leave(KEY(OVERLAY, READ), ret);
}

SEC("kprobe/ovl_write_iter")
int BPF_KPROBE(overlay_write_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(OVERLAY, WRITE), iocb, iter);
}

SEC("kretprobe/ovl_write_iter")
int BPF_KRETPROBE(overlay_write_kx, long ret)
{
	return leave(KEY(OVERLAY, WRITE), ret);
}

SEC("kprobe/ovl_open")
int BPF_KPROBE(overlay_open_k, void *inode, struct file *file)
{
	return file_enter(KEY(OVERLAY, OPEN), file);
}

SEC("kretprobe/ovl_open")
int BPF_KRETPROBE(overlay_open_kx, long ret)
{
	return leave(KEY(OVERLAY, OPEN), (int)ret);
}

SEC("kprobe/ovl_fsync")
int BPF_KPROBE(overlay_sync_k, struct file *file)
{
	return file_enter(KEY(OVERLAY, SYNC), file);
}

SEC("kretprobe/ovl_fsync")
int BPF_KRETPROBE(overlay_sync_kx, long ret)
{
	return leave(KEY(OVERLAY, SYNC), (int)ret);
}

SEC("kprobe/ovl_dir_fsync")
int BPF_KPROBE(overlay_sync_dir_k, struct file *file)
{
	return file_enter(KEY(OVERLAY, SYNC), file);
}

SEC("kretprobe/ovl_dir_fsync")
int BPF_KRETPROBE(overlay_sync_dir_kx, long ret)
{
	return leave(KEY(OVERLAY, SYNC), (int)ret);
}

/* tmpfs */

SEC("kprobe/shmem_file_read_iter")
int BPF_KPROBE(tmpfs_read_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(TMPFS, READ), iocb, iter);
}

SEC("kretprobe/shmem_file_read_iter")
int BPF_KRETPROBE(tmpfs_read_kx, long ret)
{
	return leave(KEY(TMPFS, READ), ret);
}

SEC("kprobe/shmem_file_write_iter")
int BPF_KPROBE(tmpfs_write_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(TMPFS, WRITE), iocb, iter);
}

SEC("kretprobe/shmem_file_write_iter")
int BPF_KRETPROBE(tmpfs_write_kx, long ret)
{
	return leave(KEY(TMPFS, WRITE), ret);
}

SEC("kprobe/shmem_file_open")
int BPF_KPROBE(tmpfs_open_k, void *inode, struct file *file)
{
	return file_enter(KEY(TMPFS, OPEN), file);
}

SEC("kretprobe/shmem_file_open")
int BPF_KRETPROBE(tmpfs_open_kx, long ret)
{
	return leave(KEY(TMPFS, OPEN), (int)ret);
}

SEC("kprobe/generic_file_write_iter")
int BPF_KPROBE(tmpfs_write_any_k, struct kiocb *iocb, struct iov_iter *iter)
{
	if (!on_tmpfs_probed(BPF_CORE_READ(iocb, ki_filp)))
		return 0;
	return io_probe(KEY(TMPFS, WRITE), iocb, iter);
}

SEC("kretprobe/generic_file_write_iter")
int BPF_KRETPROBE(tmpfs_write_any_kx, long ret)
{
	return leave(KEY(TMPFS, WRITE), ret);
}

SEC("kprobe/noop_fsync")
int BPF_KPROBE(tmpfs_sync_k, struct file *file)
{
	if (!on_tmpfs_probed(file))
		return 0;
	return file_enter(KEY(TMPFS, SYNC), file);
}

SEC("kretprobe/noop_fsync")
int BPF_KRETPROBE(tmpfs_sync_kx, long ret)
{
	return leave(KEY(TMPFS, SYNC), (int)ret);
}

/* zfs */

SEC("kprobe/zpl_iter_read")
int BPF_KPROBE(zfs_read_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(ZFS, READ), iocb, iter);
}

SEC("kretprobe/zpl_iter_read")
int BPF_KRETPROBE(zfs_read_kx, long ret)
{
	return leave(KEY(ZFS, READ), ret);
}

SEC("kprobe/zpl_iter_write")
int BPF_KPROBE(zfs_write_k, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_probe(KEY(ZFS, WRITE), iocb, iter);
}

SEC("kretprobe/zpl_iter_write")
int BPF_KRETPROBE(zfs_write_kx, long ret)
{
	return leave(KEY(ZFS, WRITE), ret);
}

SEC("kprobe/zpl_open")
int BPF_KPROBE(zfs_open_k, void *inode, struct file *file)
{
	return file_enter(KEY(ZFS, OPEN), file);
}

SEC("kretprobe/zpl_open")
int BPF_KRETPROBE(zfs_open_kx, long ret)
{
	return leave(KEY(ZFS, OPEN), (int)ret);
}

SEC("kprobe/zpl_fsync")
int BPF_KPROBE(zfs_sync_k, struct file *file)
{
	return file_enter(KEY(ZFS, SYNC), file);
}

SEC("kretprobe/zpl_fsync")
int BPF_KRETPROBE(zfs_sync_kx, long ret)
{
	return leave(KEY(ZFS, SYNC), (int)ret);
}
