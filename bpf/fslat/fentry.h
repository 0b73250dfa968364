/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The programs of fslat on entries and exits of functions. A file system keeps the addresses of
 * these functions in tables, so no compiler can inline them there. */

/* ext4 */

SEC("fentry/ext4_file_read_iter")
int BPF_PROG(ext4_read_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(EXT4, READ), iocb, iter);
}

SEC("fexit/ext4_file_read_iter")
int BPF_PROG(ext4_read_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(EXT4, READ), ret);
}

SEC("fentry/ext4_file_write_iter")
int BPF_PROG(ext4_write_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(EXT4, WRITE), iocb, iter);
}

SEC("fexit/ext4_file_write_iter")
int BPF_PROG(ext4_write_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(EXT4, WRITE), ret);
}

SEC("fentry/ext4_file_open")
int BPF_PROG(ext4_open_f, u64 inode, struct file *file)
{
	return file_enter(KEY(EXT4, OPEN), file);
}

SEC("fexit/ext4_file_open")
int BPF_PROG(ext4_open_fx, u64 inode, u64 file, long ret)
{
	return leave(KEY(EXT4, OPEN), (int)ret);
}

SEC("fentry/ext4_sync_file")
int BPF_PROG(ext4_sync_f, struct file *file)
{
	return file_enter(KEY(EXT4, SYNC), file);
}

SEC("fexit/ext4_sync_file")
int BPF_PROG(ext4_sync_fx, u64 file, u64 start, u64 end, u64 datasync, long ret)
{
	return leave(KEY(EXT4, SYNC), (int)ret);
}

/* xfs */

SEC("fentry/xfs_file_read_iter")
int BPF_PROG(xfs_read_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(XFS, READ), iocb, iter);
}

SEC("fexit/xfs_file_read_iter")
int BPF_PROG(xfs_read_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(XFS, READ), ret);
}

SEC("fentry/xfs_file_write_iter")
int BPF_PROG(xfs_write_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(XFS, WRITE), iocb, iter);
}

SEC("fexit/xfs_file_write_iter")
int BPF_PROG(xfs_write_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(XFS, WRITE), ret);
}

/* Called for directories as well, by some kernels. */

SEC("fentry/xfs_file_open")
int BPF_PROG(xfs_open_f, struct inode *inode, struct file *file)
{
	if (is_directory(inode->i_mode))
		return 0;
	return file_enter(KEY(XFS, OPEN), file);
}

SEC("fexit/xfs_file_open")
int BPF_PROG(xfs_open_fx, u64 inode, u64 file, long ret)
{
	return leave(KEY(XFS, OPEN), (int)ret);
}

SEC("fentry/xfs_file_fsync")
int BPF_PROG(xfs_sync_f, struct file *file)
{
	return file_enter(KEY(XFS, SYNC), file);
}

SEC("fexit/xfs_file_fsync")
int BPF_PROG(xfs_sync_fx, u64 file, u64 start, u64 end, u64 datasync, long ret)
{
	return leave(KEY(XFS, SYNC), (int)ret);
}

SEC("fentry/xfs_dir_fsync")
int BPF_PROG(xfs_sync_dir_f, struct file *file)
{
	return file_enter(KEY(XFS, SYNC), file);
}

SEC("fexit/xfs_dir_fsync")
int BPF_PROG(xfs_sync_dir_fx, u64 file, u64 start, u64 end, u64 datasync, long ret)
{
	return leave(KEY(XFS, SYNC), (int)ret);
}

/* btrfs */

SEC("fentry/btrfs_file_read_iter")
int BPF_PROG(btrfs_read_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(BTRFS, READ), iocb, iter);
}

SEC("fexit/btrfs_file_read_iter")
int BPF_PROG(btrfs_read_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(BTRFS, READ), ret);
}

SEC("fentry/btrfs_file_write_iter")
int BPF_PROG(btrfs_write_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(BTRFS, WRITE), iocb, iter);
}

SEC("fexit/btrfs_file_write_iter")
int BPF_PROG(btrfs_write_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(BTRFS, WRITE), ret);
}

SEC("fentry/btrfs_file_open")
int BPF_PROG(btrfs_open_f, u64 inode, struct file *file)
{
	return file_enter(KEY(BTRFS, OPEN), file);
}

SEC("fexit/btrfs_file_open")
int BPF_PROG(btrfs_open_fx, u64 inode, u64 file, long ret)
{
	return leave(KEY(BTRFS, OPEN), (int)ret);
}

SEC("fentry/btrfs_sync_file")
int BPF_PROG(btrfs_sync_f, struct file *file)
{
	return file_enter(KEY(BTRFS, SYNC), file);
}

SEC("fexit/btrfs_sync_file")
int BPF_PROG(btrfs_sync_fx, u64 file, u64 start, u64 end, u64 datasync, long ret)
{
	return leave(KEY(BTRFS, SYNC), (int)ret);
}

/* nfs */

SEC("fentry/nfs_file_read")
int BPF_PROG(nfs_read_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(NFS, READ), iocb, iter);
}

SEC("fexit/nfs_file_read")
int BPF_PROG(nfs_read_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(NFS, READ), ret);
}

SEC("fentry/nfs_file_write")
int BPF_PROG(nfs_write_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(NFS, WRITE), iocb, iter);
}

SEC("fexit/nfs_file_write")
int BPF_PROG(nfs_write_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(NFS, WRITE), ret);
}

SEC("fentry/nfs_file_open")
int BPF_PROG(nfs_open_f, u64 inode, struct file *file)
{
	return file_enter(KEY(NFS, OPEN), file);
}

SEC("fexit/nfs_file_open")
int BPF_PROG(nfs_open_fx, u64 inode, u64 file, long ret)
{
	return leave(KEY(NFS, OPEN), (int)ret);
}

SEC("fentry/nfs4_file_open")
int BPF_PROG(nfs4_open_f, u64 inode, struct file *file)
{
	return file_enter(KEY(NFS, OPEN), file);
}

SEC("fexit/nfs4_file_open")
int BPF_PROG(nfs4_open_fx, u64 inode, u64 file, long ret)
{
	return leave(KEY(NFS, OPEN), (int)ret);
}

SEC("fentry/nfs_file_fsync")
int BPF_PROG(nfs_sync_f, struct file *file)
{
	return file_enter(KEY(NFS, SYNC), file);
}

SEC("fexit/nfs_file_fsync")
int BPF_PROG(nfs_sync_fx, u64 file, u64 start, u64 end, u64 datasync, long ret)
{
	return leave(KEY(NFS, SYNC), (int)ret);
}

/* NFSv4 looks up and opens a file in one step, unless it has looked it up before. If it leaves the
 * opening to nfs4_file_open(), the file is not open yet. */

SEC("fentry/nfs_atomic_open")
int BPF_PROG(nfs_open_new_f, u64 dir, u64 dentry, struct file *file)
{
	return file_enter(KEY(NFS, OPEN), file);
}

SEC("fexit/nfs_atomic_open")
int BPF_PROG(nfs_open_new_fx, u64 dir, u64 dentry, u64 file, u64 flags, u64 mode, long ret)
{
	return leave_opened(KEY(NFS, OPEN), (int)ret);
}

SEC("fentry/nfs_getattr")
int BPF_PROG(nfs_getattr_f, void *first, void *second)
{
	return enter(KEY(NFS, GETATTR), getattr_path(first, second), NULL);
}

SEC("fexit/nfs_getattr")
int BPF_PROG(nfs_getattr_fx, u64 idmap, u64 path, u64 stat, u64 mask, u64 flags, long ret)
{
	return leave(KEY(NFS, GETATTR), (int)ret);
}

/* overlay */

SEC("fentry/ovl_read_iter")
int BPF_PROG(overlay_read_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(OVERLAY, READ), iocb, iter);
}

SEC("fexit/ovl_read_iter")
int BPF_PROG(overlay_read_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(OVERLAY, READ), ret);
}

SEC("fentry/ovl_write_iter")
int BPF_PROG(overlay_write_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(OVERLAY, WRITE), iocb, iter);
}

SEC("fexit/ovl_write_iter")
int BPF_PROG(overlay_write_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(OVERLAY, WRITE), ret);
}

SEC("fentry/ovl_open")
int BPF_PROG(overlay_open_f, u64 inode, struct file *file)
{
	return file_enter(KEY(OVERLAY, OPEN), file);
}

SEC("fexit/ovl_open")
int BPF_PROG(overlay_open_fx, u64 inode, u64 file, long ret)
{
	return leave(KEY(OVERLAY, OPEN), (int)ret);
}

SEC("fentry/ovl_fsync")
int BPF_PROG(overlay_sync_f, struct file *file)
{
	return file_enter(KEY(OVERLAY, SYNC), file);
}

SEC("fexit/ovl_fsync")
int BPF_PROG(overlay_sync_fx, u64 file, u64 start, u64 end, u64 datasync, long ret)
{
	return leave(KEY(OVERLAY, SYNC), (int)ret);
}

SEC("fentry/ovl_dir_fsync")
int BPF_PROG(overlay_sync_dir_f, struct file *file)
{
	return file_enter(KEY(OVERLAY, SYNC), file);
}

SEC("fexit/ovl_dir_fsync")
int BPF_PROG(overlay_sync_dir_fx, u64 file, u64 start, u64 end, u64 datasync, long ret)
{
	return leave(KEY(OVERLAY, SYNC), (int)ret);
}

/* tmpfs */

SEC("fentry/shmem_file_read_iter")
int BPF_PROG(tmpfs_read_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(TMPFS, READ), iocb, iter);
}

SEC("fexit/shmem_file_read_iter")
int BPF_PROG(tmpfs_read_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(TMPFS, READ), ret);
}

SEC("fentry/shmem_file_write_iter")
int BPF_PROG(tmpfs_write_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(TMPFS, WRITE), iocb, iter);
}

SEC("fexit/shmem_file_write_iter")
int BPF_PROG(tmpfs_write_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(TMPFS, WRITE), ret);
}

SEC("fentry/shmem_file_open")
int BPF_PROG(tmpfs_open_f, u64 inode, struct file *file)
{
	return file_enter(KEY(TMPFS, OPEN), file);
}

SEC("fexit/shmem_file_open")
int BPF_PROG(tmpfs_open_fx, u64 inode, u64 file, long ret)
{
	return leave(KEY(TMPFS, OPEN), (int)ret);
}

/* Before Linux 6.6 shared by many file systems. */

SEC("fentry/generic_file_write_iter")
int BPF_PROG(tmpfs_write_any_f, struct kiocb *iocb, struct iov_iter *iter)
{
	if (!on_tmpfs(iocb->ki_filp))
		return 0;
	return io_enter(KEY(TMPFS, WRITE), iocb, iter);
}

SEC("fexit/generic_file_write_iter")
int BPF_PROG(tmpfs_write_any_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(TMPFS, WRITE), ret);
}

/* Shared by all file systems that store nothing persistently. */

SEC("fentry/noop_fsync")
int BPF_PROG(tmpfs_sync_f, struct file *file)
{
	if (!on_tmpfs(file))
		return 0;
	return file_enter(KEY(TMPFS, SYNC), file);
}

SEC("fexit/noop_fsync")
int BPF_PROG(tmpfs_sync_fx, u64 file, u64 start, u64 end, u64 datasync, long ret)
{
	return leave(KEY(TMPFS, SYNC), (int)ret);
}

/* zfs */

SEC("fentry/zpl_iter_read")
int BPF_PROG(zfs_read_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(ZFS, READ), iocb, iter);
}

SEC("fexit/zpl_iter_read")
int BPF_PROG(zfs_read_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(ZFS, READ), ret);
}

SEC("fentry/zpl_iter_write")
int BPF_PROG(zfs_write_f, struct kiocb *iocb, struct iov_iter *iter)
{
	return io_enter(KEY(ZFS, WRITE), iocb, iter);
}

SEC("fexit/zpl_iter_write")
int BPF_PROG(zfs_write_fx, u64 iocb, u64 iter, long ret)
{
	return leave(KEY(ZFS, WRITE), ret);
}

SEC("fentry/zpl_open")
int BPF_PROG(zfs_open_f, u64 inode, struct file *file)
{
	return file_enter(KEY(ZFS, OPEN), file);
}

SEC("fexit/zpl_open")
int BPF_PROG(zfs_open_fx, u64 inode, u64 file, long ret)
{
	return leave(KEY(ZFS, OPEN), (int)ret);
}

SEC("fentry/zpl_fsync")
int BPF_PROG(zfs_sync_f, struct file *file)
{
	return file_enter(KEY(ZFS, SYNC), file);
}

SEC("fexit/zpl_fsync")
int BPF_PROG(zfs_sync_fx, u64 file, u64 start, u64 end, u64 datasync, long ret)
{
	return leave(KEY(ZFS, SYNC), (int)ret);
}
