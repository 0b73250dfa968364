/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Whether names that tasks look up are in the directory cache. A path is walked component by
 * component (fs/namei.c):
 *
 * - lookup_fast() is called for each, mostly without a lock; if it finds nothing,
 * - __lookup_slow() takes the directory's lock, looks once more, and then calls the file system
 *   (d_alloc_parallel() has given it a new entry). The last component of an open is looked up by
 *   lookup_open(), which calls d_lookup() and then does the same.
 * - A name that is to be created, removed or renamed is looked up under the directory's lock at
 *   once: __lookup_hash(), since 6.1 lookup_one_qstr_excl(), which calls the file system after
 *   d_alloc().
 *
 * A file system's own look-ups pass some of these functions, too. A name belongs to a path walked
 * by a task if it is the one in the task's nameidata.
 */
#include "kernel.h"
#include "renames.h"
#include "filter.h"

enum counter { REFERENCES, SLOW, MISSES, LOST, MAX_COUNTERS };

#include "owned_counters.h"

/*
 * What an open requests for the last component, in nameidata's flags (include/linux/namei.h). 6.15
 * gave these other bits, which no type shows: kernel commit "VFS: repack LOOKUP_ bit flags". Each
 * is twice the one before.
 */
#define LOOKUP_OPEN_OLD 0x100
#define LOOKUP_OPEN_NEW 0x10000

/*
 * What the programs find out about the kernel in the self-test, before anything is counted. User
 * space passes it on to the object that counts.
 */
struct learnt {
	u32 lookup_open;     /* the kernel's own LOOKUP_OPEN; 0: not known yet */
	u32 creates_by_fast; /* 6.12: an open that may create asks lookup_fast(), but for O_EXCL */
} __attribute__((aligned(8)));

struct learnt learnt = {};
/* Set by user space when there is nothing more to find out. */
u32 all_learnt = 0;

/* The outcome of a look-up. */
static __always_inline int looked_up(bool reference, bool slow, bool miss)
{
	struct counters *bank;

	if (!filter_current())
		return 0;
	bank = owned_counters();
	if (!bank)
		return 0;
	if (reference)
		add(bank, REFERENCES, 1);
	if (slow)
		add(bank, SLOW, 1);
	if (miss)
		add(bank, MISSES, 1);
	return 0;
}

/* lookup_fast() was called, in a walk with these flags. */
static __always_inline void learn(u32 flags)
{
	if (flags & learnt.lookup_open << 1)
		learnt.creates_by_fast = 1;
}

/* The running task's walk, if it is at this name. */
static __always_inline struct nameidata *walk_at(u64 name)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct nameidata *nd = BPF_CORE_READ(task, nameidata);

	return nd && name == (u64)&nd->last ? nd : NULL;
}

/*
 * d_lookup() of the name that a walk is at: lookup_open(), where LOOKUP_OPEN is always set. In new
 * kernels 0x100 is never set here: it is LOOKUP_RCU, which ends before.
 */
static __always_inline int opening(u64 name)
{
	struct nameidata *nd = walk_at(name);
	u32 flags, open;
	bool counted;

	if (!nd)
		return 0;
	flags = BPF_CORE_READ(nd, flags);
	open = flags & LOOKUP_OPEN_OLD ? LOOKUP_OPEN_OLD : LOOKUP_OPEN_NEW;
	if (learnt.lookup_open != open)
		learnt.lookup_open = open;
	/* Whether lookup_fast() was called before. */
	counted = !(flags & open << 1) || (learnt.creates_by_fast && !(flags & open << 2));
	return looked_up(!counted, true, false);
}

/* d_alloc_parallel() of the name that a walk is at: by lookup_open(), which has been counted, or by
 * __lookup_slow(). */
static __always_inline int searched(u64 name, bool miss)
{
	struct nameidata *nd = walk_at(name);

	if (!nd)
		return 0;
	return looked_up(false, !(BPF_CORE_READ(nd, flags) & learnt.lookup_open), miss);
}

/* Whether this entry is new, to be filled in by the file system: existing entries are hashed. */
static __always_inline bool is_new(struct dentry *dentry)
{
	return (u64)dentry < (u64)-4095 && !dentry->d_hash.pprev;
}

/*
 * The name being looked up under the directory's lock, from there to d_alloc() some instructions
 * later. To miss one of two misses, two tasks whose ids are the same modulo this would have to be
 * between these points at the same time. This is cheaper than a hash map, and than watching the
 * ends of calls.
 */
#define LOCKED_BITS 12

struct locked {
	u64 task;
	u64 name;
	u64 base;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << LOCKED_BITS);
	__type(key, u32);
	__type(value, struct locked);
} locked SEC(".maps");

static __always_inline struct locked *locked_of(u64 task)
{
	u32 slot = task & ((1 << LOCKED_BITS) - 1);

	return bpf_map_lookup_elem(&locked, &slot);
}

/* A name that is to be created, removed or renamed. */
static __always_inline int changing(u64 name, u64 base)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 id = bpf_get_current_pid_tgid();
	struct locked *entry;

	/* An overlay looks up in its layers with the credentials of the task that mounted it. */
	if (BPF_CORE_READ(task, cred) != BPF_CORE_READ(task, real_cred))
		return 0;
	entry = locked_of(id);
	if (entry) {
		entry->task = id;
		entry->name = name;
		entry->base = base;
	}
	return looked_up(true, true, false);
}

/* d_alloc() of such a name: the file system will be called. */
static __always_inline int allocated(u64 base, u64 name)
{
	u64 id = bpf_get_current_pid_tgid();
	struct locked *entry = locked_of(id);

	if (!entry || entry->task != id || entry->name != name || entry->base != base)
		return 0;
	entry->task = 0;
	return looked_up(false, false, true);
}

SEC("fentry/lookup_fast")
int BPF_PROG(walk_f, struct nameidata *nd)
{
	if (!all_learnt)
		learn(nd->flags);
	return looked_up(true, false, false);
}

SEC("fentry/d_lookup")
int BPF_PROG(open_f, u64 parent, u64 name)
{
	return opening(name);
}

SEC("fexit/d_alloc_parallel")
int BPF_PROG(search_f, u64 parent, u64 name, u64 wq, struct dentry *dentry)
{
	return searched(name, is_new(dentry));
}

/* In 7.2 the wait queue is no longer an argument. */
SEC("fexit/d_alloc_parallel")
int BPF_PROG(search_f7, u64 parent, u64 name, struct dentry *dentry)
{
	return searched(name, is_new(dentry));
}

SEC("fentry/lookup_one_qstr_excl")
int BPF_PROG(change_f, u64 name, u64 base)
{
	return changing(name, base);
}

SEC("fentry/__lookup_hash")
int BPF_PROG(change_f5, u64 name, u64 base)
{
	return changing(name, base);
}

SEC("fentry/d_alloc")
int BPF_PROG(alloc_f, u64 base, u64 name)
{
	return allocated(base, name);
}

SEC("kprobe/lookup_fast")
int BPF_KPROBE(walk_k, struct nameidata *nd)
{
	if (!all_learnt)
		learn(BPF_CORE_READ(nd, flags));
	return looked_up(true, false, false);
}

SEC("kprobe/d_lookup")
int BPF_KPROBE(open_k, u64 parent, u64 name)
{
	return opening(name);
}

SEC("kprobe/d_alloc_parallel")
int BPF_KPROBE(search_k, u64 parent, u64 name)
{
	return searched(name, true);
}

SEC("kprobe/lookup_one_qstr_excl")
int BPF_KPROBE(change_k, u64 name, u64 base)
{
	return changing(name, base);
}

SEC("kprobe/__lookup_hash")
int BPF_KPROBE(change_k5, u64 name, u64 base)
{
	return changing(name, base);
}

SEC("kprobe/d_alloc")
int BPF_KPROBE(alloc_k, u64 base, u64 name)
{
	return allocated(base, name);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
