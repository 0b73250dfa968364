/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The calls that tasks make to the file systems: reads, writes, opens, and changes of
 * directories. */
#include "kernel.h"
#include "renames.h"
#include "filter.h"
#include "path.h"

/* For each operation: calls, failed ones, and what else is counted. */
enum counter {
	READS,
	READ_ERRORS,
	READ_BYTES,
	READVS,
	WRITES,
	WRITE_ERRORS,
	WRITE_BYTES,
	WRITEVS,
	OPENS,
	OPEN_ERRORS,
	CREATES,
	CREATE_ERRORS,
	UNLINKS,
	UNLINK_ERRORS,
	MKDIRS,
	MKDIR_ERRORS,
	RMDIRS,
	RMDIR_ERRORS,
	RENAMES,
	RENAME_ERRORS,
	FSYNCS,
	FSYNC_ERRORS,
	SYNCED_WRITES,
	LOST,
	MAX_COUNTERS,
};

#include "owned_counters.h"

/* include/linux/fs.h */
#define FMODE_CREATED 0x100000
#define S_SYNC 1
/* include/uapi/linux/mount.h */
#define MS_SYNCHRONOUS 16
/* include/uapi/linux/fs.h */
#define RWF_DSYNC 0x2
#define RWF_SYNC 0x4
/* include/uapi/asm-generic/fcntl.h */
#define O_CREAT 00000100
#define O_DSYNC 00010000 /* O_SYNC has it, too */
#define __O_TMPFILE 020000000
/* include/uapi/linux/fcntl.h */
#define AT_REMOVEDIR 0x200

/* One bank, or one owner, looked up once for all that an event counts. NULL if the call is not to
 * be counted. */
static __always_inline struct counters *counters_of_call(void)
{
	return filter_current() ? owned_counters() : NULL;
}

static __always_inline int counted(u32 calls, long ret)
{
	struct counters *bank = counters_of_call();

	if (!bank)
		return 0;
	add(bank, calls, 1);
	if (ret < 0)
		add(bank, calls + 1, 1);
	return 0;
}

/* Reads and writes: calls, errors, bytes, and the calls with a vector. */
static __always_inline void add_moved(struct counters *bank, u32 calls, long ret, bool vector)
{
	add(bank, calls, 1);
	if (ret < 0)
		add(bank, calls + 1, 1);
	else
		add(bank, calls + 2, ret);
	if (vector)
		add(bank, calls + 3, 1);
}

static __always_inline int moved(u32 calls, long ret, bool vector)
{
	struct counters *bank = counters_of_call();

	if (bank)
		add_moved(bank, calls, ret, vector);
	return 0;
}

/* Whether a write returns only when its data is on the disk, as iocb_is_dsync() of
 * include/linux/fs.h has it. */
static __always_inline bool is_synced(struct file *file, u32 flags)
{
	struct inode *inode;

	if (file->f_flags & O_DSYNC || flags & (RWF_DSYNC | RWF_SYNC))
		return true;
	inode = file->f_mapping->host;
	return inode->i_flags & S_SYNC || inode->i_sb->s_flags & MS_SYNCHRONOUS;
}

/* A write whose file and flags are known. */
static __always_inline int written(struct file *file, u32 flags, long ret, bool vector)
{
	struct counters *bank = counters_of_call();

	if (!bank)
		return 0;
	add_moved(bank, WRITES, ret, vector);
	if (is_synced(file, flags))
		add(bank, SYNCED_WRITES, 1);
	return 0;
}

/* Whether the file that the running task has just opened under this descriptor was created by that
 * open: with a name, or without (a file keeps O_TMPFILE in its flags). */
static __always_inline bool is_created(long fd)
{
	struct file *file = current_file(fd);

	return BPF_CORE_READ(file, f_mode) & FMODE_CREATED ||
	       BPF_CORE_READ(file, f_flags) & __O_TMPFILE;
}

static __always_inline int opened(long ret, bool asked_to_create)
{
	struct counters *bank = counters_of_call();

	if (!bank)
		return 0;
	add(bank, OPENS, 1);
	if (ret < 0) {
		add(bank, OPEN_ERRORS, 1);
		if (asked_to_create) {
			add(bank, CREATES, 1);
			add(bank, CREATE_ERRORS, 1);
		}
	} else if (is_created(ret)) {
		add(bank, CREATES, 1);
	}
	return 0;
}

#include "vfsstat/fentry.h"
#include "vfsstat/kprobe.h"
#include "vfsstat/syscalls.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
