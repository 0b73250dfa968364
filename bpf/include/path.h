/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The open files of the running task, and their paths. A path is read from the file upwards, in the
 * order in which the kernel links its names; user space reverses them (common/src/bpf/path.rs).
 */
#ifndef EF_PATH_H
#define EF_PATH_H

#include "kernel.h"

/* Room for names, each with a NUL; a power of two. There is room for one more after it, so that the
 * last name that begins within it fits. */
#define PATH_ROOM 1024
#define PATH_NAME 256
/* Directories and mounts on the way to the root. */
#define PATH_STEPS 64

/* How a path ends, above its last name. */
enum path_end {
	PATH_CUT,     /* there was no more room, or there were too many steps */
	PATH_ROOT,    /* at the root of the mount namespace */
	PATH_NOWHERE, /* the file is in no directory: a memfd, say */
	/* Set in addition to one of these: the file has no name any more. */
	PATH_DELETED = 0x100,
};

struct path_names {
	u32 len;
	u32 end;
	char names[PATH_ROOM + PATH_NAME];
};

/* The file that the running task has under this descriptor; NULL if there is none. */
static __always_inline struct file *current_file(u32 fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct file *file = NULL;

	if (fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), &files[fd]);
	return file;
}

static __always_inline struct mount *mount_of(struct vfsmount *mnt)
{
	return (void *)mnt - bpf_core_field_offset(struct mount, mnt);
}

/* A file's path, as the kernel keeps it. */
static __always_inline struct path *path_of(struct file *file)
{
	return (void *)file + bpf_core_field_offset(struct file, f_path);
}

/* Reads the names of a path, the last first. */
static __always_inline void path_names_read(struct path_names *path, struct path *from)
{
	struct mount *mount = mount_of(BPF_CORE_READ(from, mnt));
	struct dentry *dentry = BPF_CORE_READ(from, dentry);
	struct dentry *root = BPF_CORE_READ(mount, mnt.mnt_root);
	/* As d_unlinked() does it: the root of a file system has no name either. */
	bool deleted =
	    !BPF_CORE_READ(dentry, d_hash.pprev) && BPF_CORE_READ(dentry, d_parent) != dentry;
	u32 end = PATH_CUT;

	/* Stored in the record, whose content the verifier does not track: all paths through a step
	 * look the same to it then, and it follows only one. */
	path->len = 0;
	for (int step = 0; step < PATH_STEPS; step++) {
		u32 len = *(volatile u32 *)&path->len;
		struct dentry *parent;
		long name;

		if (dentry == root) {
			struct mount *above = BPF_CORE_READ(mount, mnt_parent);

			if (above == mount) {
				end = PATH_ROOT;
				break;
			}
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = above;
			root = BPF_CORE_READ(mount, mnt.mnt_root);
			continue;
		}
		if (len >= PATH_ROOM)
			break;
		/* Always true; older verifiers lose track of it on the way. */
		barrier_var(len);
		len &= PATH_ROOM - 1;
		name = bpf_probe_read_kernel_str(&path->names[len], PATH_NAME,
						 BPF_CORE_READ(dentry, d_name.name));
		if (name <= 0)
			break;
		path->len += name;
		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry) {
			end = PATH_NOWHERE;
			break;
		}
		dentry = parent;
	}
	path->end = end | (deleted ? PATH_DELETED : 0);
}

/* Reads the names of a file's path, its own first. */
static __always_inline void path_read(struct path_names *path, struct file *file)
{
	path_names_read(path, path_of(file));
}

#endif
