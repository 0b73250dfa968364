/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* File descriptors: opens, closes, those that come to be and those that are given up otherwise, and
 * how many there are. */
#include "kernel.h"
#include "renames.h"
#include "filter.h"
#include "path.h"

enum counter {
	OPENS,
	OPEN_ERRORS,
	CREATED,
	CLOSES,
	CLOSE_ERRORS,
	DROPPED,
	LOST,
	MAX_COUNTERS,
};

#include "owned_counters.h"
#include "event.h"

/* include/uapi/asm-generic/errno-base.h */
#define EBADF 9
#define EAGAIN 11
/* include/uapi/linux/fcntl.h */
#define AT_FDCWD (-100)

/* --events: send each open and each failing close, too. */
const volatile bool send_events = false;
/* --errors: and of those only the ones that failed. */
const volatile bool only_errors = false;

/* What a thread is at. Opens and closes do not nest. */
enum task { OPENING, CLOSING };

struct start {
	u64 ts_ns;  /* 0: none in progress */
	u64 name;   /* of an open: where the program has the path, or 0 */
	u64 flags;  /* of an open */
	u64 object; /* of a close: its file, once it is flushed; of an open by io_uring: its request
		     */
	s32 fd;     /* of an open: the directory that the path is relative to */
	u32 task;
};

#include "under_way.h"

/* How an event's path is told. */
enum shape {
	NO_PATH,
	AS_WRITTEN, /* a name */
	BELOW,      /* a name below a directory */
	LONG_BELOW, /* the same, with more room for the name */
	LONG_AS_WRITTEN,
	OF_FILE, /* a file */
};

struct event {
	u64 ts_ns;
	u64 duration_ns;
	u64 flags;
	s32 ret; /* the descriptor; or the negative errno, which is 0 if it is not known */
	s32 fd;  /* of a close */
	u32 pid;
	u32 kind; /* OPENS, OPEN_ERRORS or CLOSE_ERRORS */
	u32 shape;
	u32 unused;
	char comm[TASK_COMM_LEN];
};

/* Most names fit into this; none is longer than PATH_MAX. */
#define NAME_SHORT 256
#define NAME_LONG 4096

struct named_event {
	struct event event;
	char name[NAME_SHORT];
};

struct below_event {
	struct event event;
	struct path_names directory;
	char name[NAME_SHORT];
};

struct long_event {
	struct event event;
	struct path_names directory;
	char name[NAME_LONG];
};

struct file_event {
	struct event event;
	struct path_names file;
};

const struct named_event *unused_named_event __attribute__((unused));
const struct below_event *unused_below_event __attribute__((unused));
const struct long_event *unused_long_event __attribute__((unused));
const struct file_event *unused_file_event __attribute__((unused));
const enum shape skeleton_shape = NO_PATH;

#include "fdstat/events.h"
#include "fdstat/opens.h"
#include "fdstat/closes.h"
#include "fdstat/table.h"
#include "fdstat/fentry.h"
#include "fdstat/kprobe.h"
#include "fdstat/syscalls.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
