/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * One getter for each thing that changed name or shape between kernels. Types are matched, never
 * versions: distributions backport.
 */
#ifndef EF_RENAMES_H
#define EF_RENAMES_H

#include "kernel.h"

/*
 * Until 5.10.137 and 5.11 the request tracepoints had the queue as first argument.
 * Kernel commit a54895fa057c ("block: remove the request_queue to argument request based
 * tracepoints").
 */
typedef void (*btf_trace_block_rq_issue___queue)(void *, struct request_queue *, struct request *);

static __always_inline bool request_is_second_argument(void)
{
	return bpf_core_type_matches(btf_trace_block_rq_issue___queue);
}

/*
 * Newer kernels pass whether the exiting thread was the last of its group (6.18 does, 6.12 does
 * not). Kernel change "exit: move and extend sched_process_exit() tracepoint".
 */
typedef void (*btf_trace_sched_process_exit___group_dead)(void *, struct task_struct *, bool);

static __always_inline bool exit_tells_group_dead(void)
{
	return bpf_core_type_matches(btf_trace_sched_process_exit___group_dead);
}

/* The tracepoint of queued bios changed along with those of requests: kernel commit e8a676d61c07
 * ("block: simplify and extend the block_bio_merge tracepoint class"). */
typedef void (*btf_trace_block_bio_queue___queue)(void *, struct request_queue *, struct bio *);

static __always_inline bool bio_is_second_argument(void)
{
	return bpf_core_type_matches(btf_trace_block_bio_queue___queue);
}

/* 5.15 moved the disk from the request to its queue. Kernel commit f3fa33acca9f ("block: remove the
 * ->rq_disk field"). */
struct request___disk {
	struct gendisk *rq_disk;
} __attribute__((preserve_access_index));

static __always_inline struct gendisk *request_disk(struct request *rq)
{
	struct request___disk *old = (void *)rq;

	if (bpf_core_field_exists(old->rq_disk))
		return old->rq_disk;
	return rq->q->disk;
}

/* 5.12 moved the disk of a bio behind a block_device. Kernel commit 309dca309fc3 ("block: store a
 * block_device pointer in struct bio"). */
struct bio___disk {
	struct gendisk *bi_disk;
} __attribute__((preserve_access_index));

static __always_inline struct gendisk *bio_disk(struct bio *bio)
{
	struct bio___disk *old = (void *)bio;

	if (bpf_core_field_exists(old->bi_disk))
		return old->bi_disk;
	return bio->bi_bdev->bd_disk;
}

/* 6.1 turned a cgroup's list of ancestor ids into one of pointers. Kernel commit 7f203bc89eb6
 * ("cgroup: Replace cgroup->ancestor_ids[] with ->ancestors[]"). */
struct cgroup___ids {
	u64 ancestor_ids[1];
} __attribute__((preserve_access_index));

static __always_inline u64 cgroup_ancestor_id(struct cgroup *cgroup, u32 level)
{
	struct cgroup___ids *old = (void *)cgroup;
	struct cgroup *ancestor = NULL;
	u64 id = 0;

	if (bpf_core_field_exists(old->ancestor_ids)) {
		bpf_probe_read_kernel(&id, sizeof(id), &old->ancestor_ids[level]);
		return id;
	}
	bpf_probe_read_kernel(&ancestor, sizeof(ancestor), &cgroup->ancestors[level]);
	return BPF_CORE_READ(ancestor, kn, id);
}

/* The flags of a page, or of a folio, bits of enum pageflags: a struct from 6.18 on. `typed`: its
 * pointer may be followed. */
struct page___flags {
	unsigned long flags;
} __attribute__((preserve_access_index));

struct page___memdesc {
	struct {
		unsigned long f;
	} flags;
} __attribute__((preserve_access_index));

static __always_inline u64 page_flags(struct page *page, bool typed)
{
	struct page___memdesc *memdesc = (void *)page;
	struct page___flags *plain = (void *)page;

	if (bpf_core_field_exists(memdesc->flags.f))
		return typed ? memdesc->flags.f : BPF_CORE_READ(memdesc, flags.f);
	return typed ? plain->flags : BPF_CORE_READ(plain, flags);
}

#define HAS_PAGE_FLAG(flags, name) ((flags) >> bpf_core_enum_value(enum pageflags, name) & 1)

/*
 * The number of pages of a folio. 5.18 to 6.14 keep it in _folio_nr_pages, later kernels in
 * _nr_pages (64-bit kernels all). Before folios, files had single
 * pages. Kernel memory is read directly: the folio must come from an argument that the kernel
 * passed to the program.
 */
struct folio___folio_nr_pages {
	unsigned int _folio_nr_pages;
} __attribute__((preserve_access_index));

struct folio___nr_pages {
	unsigned int _nr_pages;
} __attribute__((preserve_access_index));

static __always_inline bool has_folios(void)
{
	return bpf_core_type_exists(struct folio);
}

static __always_inline u64 folio_pages(struct folio *folio)
{
	struct folio___folio_nr_pages *old = (void *)folio;
	struct folio___nr_pages *new = (void *)folio;

	if (!has_folios())
		return 1;
	if (!HAS_PAGE_FLAG(page_flags((struct page *)folio, true), PG_head))
		return 1;
	if (bpf_core_field_exists(new->_nr_pages))
		return new->_nr_pages;
	if (bpf_core_field_exists(old->_folio_nr_pages))
		return old->_folio_nr_pages;
	return 1;
}

/*
 * The memory cgroup that a page of a task's memory is charged to. 5.11 turned the pointer into one
 * with flags in its low bits (kernel change "mm: memcontrol: Use helpers to read page's memcg
 * data"). Newer kernels (7.2) charge all memory to an obj_cgroup, which passes to the
 * parent when the cgroup is removed; these also mark that of the root.
 */
struct page___mem_cgroup {
	struct mem_cgroup *mem_cgroup;
} __attribute__((preserve_access_index));

struct page___memcg_data {
	unsigned long memcg_data;
} __attribute__((preserve_access_index));

struct obj_cgroup___root {
	bool is_root;
} __attribute__((preserve_access_index));

#define MEMCG_DATA_FLAGS 7ULL

static __always_inline struct mem_cgroup *page_memcg(struct page *page)
{
	struct page___memcg_data *new = (void *)page;
	struct page___mem_cgroup *old = (void *)page;
	u64 data;

	if (bpf_core_field_exists(old->mem_cgroup))
		return BPF_CORE_READ(old, mem_cgroup);
	if (!bpf_core_field_exists(new->memcg_data))
		return NULL;
	data = BPF_CORE_READ(new, memcg_data) & ~MEMCG_DATA_FLAGS;
	if (data && bpf_core_field_exists(struct obj_cgroup___root, is_root))
		return BPF_CORE_READ((struct obj_cgroup *)data, memcg);
	return (void *)data;
}

/* Until 6.2 disks in memory took a page without a bio. Kernel change "block: remove ->rw_page". */
struct block_device_operations___rw_page {
	void *rw_page;
} __attribute__((preserve_access_index));

static __always_inline bool takes_pages(struct block_device *bdev)
{
	struct block_device_operations___rw_page *ops = (void *)BPF_CORE_READ(bdev, bd_disk, fops);

	return bpf_core_field_exists(ops->rw_page) && BPF_CORE_READ(ops, rw_page);
}

/*
 * Whether the task holds the semaphore for writing. The low bits of the owner are flags, the lowest
 * for readers (kernel/locking/rwsem.c); on real-time kernels the owner is that of a mutex, which
 * readers do not hold (kernel/locking/rwbase_rt.c).
 */
struct rw_semaphore___rt {
	struct {
		struct {
			struct task_struct *owner;
		} rtmutex;
	} rwbase;
} __attribute__((preserve_access_index));

#define RWSEM_OWNER_FLAGS 7ULL
#define RWSEM_READER_OWNED 1

static __always_inline bool holds_for_writing(u64 task, struct rw_semaphore *sem)
{
	struct rw_semaphore___rt *rt = (void *)sem;
	u64 owner;

	if (bpf_core_field_exists(sem->owner)) {
		owner = sem->owner.counter;
		return (owner & ~RWSEM_OWNER_FLAGS) == task && !(owner & RWSEM_READER_OWNED);
	}
	if (!bpf_core_field_exists(rt->rwbase))
		return false;
	owner = (u64)rt->rwbase.rtmutex.owner;
	return owner == task || owner == (task | 1);
}

/* 5.12 puts a user namespace, later an idmap, before the arguments of an inode's operations. Kernel
 * commit 549c7297717c ("fs: make helpers idmap mount aware"). */
struct kstat;
struct inode_operations___path_first {
	int (*getattr)(const struct path *, struct kstat *, u32, unsigned int);
};

static __always_inline bool getattr_has_path_first(void)
{
	return bpf_core_type_matches(struct inode_operations___path_first);
}

/* 6.15 renamed a node's parent. Kernel commit 633488947ef6 ("kernfs: Use RCU to access
 * kernfs_node::parent."). */
struct kernfs_node___plain {
	struct kernfs_node *parent;
} __attribute__((preserve_access_index));

struct kernfs_node___rcu {
	struct kernfs_node *__parent;
} __attribute__((preserve_access_index));

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___plain *old = (void *)node;
	struct kernfs_node___rcu *new = (void *)node;

	if (bpf_core_field_exists(old->parent))
		return BPF_CORE_READ(old, parent);
	return BPF_CORE_READ(new, __parent);
}

/*
 * What a request of io_uring returned, once its function has. 5.19 keeps it there; before, only
 * whether it failed is known of all: kernel commit cef216fc32d7 ("io_uring: explicitly keep a CQE
 * in io_kiocb"). REQ_F_FAIL has no name in the types; 5.15, whose io_uring later 5.10 have, too, is
 * recognized by a field.
 */
struct io_kiocb___flags {
	unsigned int flags;
} __attribute__((preserve_access_index));

#define REQ_F_FAIL (1 << 8)

static __always_inline bool uring_keeps_result(void)
{
	struct io_kiocb *req = NULL;

	return bpf_core_field_exists(req->cqe.res);
}

static __always_inline bool uring_failed(struct io_kiocb *req)
{
	struct io_kiocb___flags *old = (void *)req;
	struct io_open *open = NULL;

	if (uring_keeps_result())
		return BPF_CORE_READ(req, cqe.res) < 0;
	return bpf_core_field_exists(open->file_slot) && BPF_CORE_READ(old, flags) & REQ_F_FAIL;
}

/* 6.8 renamed the number of a namespace's mounts. Kernel commit 2eea9ce4310d ("mounts: keep list of
 * mounts in an rbtree"). */
struct mnt_namespace___mounts {
	unsigned int mounts;
} __attribute__((preserve_access_index));

static __always_inline u32 namespace_mounts(struct mnt_namespace *ns)
{
	struct mnt_namespace___mounts *old = (void *)ns;

	if (bpf_core_field_exists(ns->nr_mounts))
		return BPF_CORE_READ(ns, nr_mounts);
	if (bpf_core_type_matches(struct mnt_namespace___mounts))
		return BPF_CORE_READ(old, mounts);
	return 0;
}

/* 6.8 passes the victim as its task rather than as its pid; distributions backported that. Kernel
 * commit 72ba14deb40a ("mm: update mark_victim tracepoints fields"). */
typedef void (*btf_trace_mark_victim___pid)(void *, int);

static __always_inline bool victim_passed_as_pid(void)
{
	return bpf_core_type_matches(btf_trace_mark_victim___pid);
}

/*
 * 5.14 made the kind of a call's memory a field of its own; before, it is a bit beside two others.
 * Kernel commit 8cd54c1c8480 ("iov_iter: separate direction from flavour").
 */
struct iov_iter___bits {
	unsigned int type;
} __attribute__((preserve_access_index));

#define ITER_OTHER_BITS 3

static __always_inline u32 iter_type(struct iov_iter *iter)
{
	struct iov_iter___bits *old = (void *)iter;

	if (bpf_core_field_exists(old->type))
		return BPF_CORE_READ(old, type) & ~ITER_OTHER_BITS;
	return BPF_CORE_READ(iter, iter_type);
}

/* 6.0 made a kind of its own of what is one part. Kernel commit fcb14cb1bdac ("new iov_iter flavour
 * - ITER_UBUF"). */
static __always_inline bool iter_is_ubuf(struct iov_iter *iter)
{
	return bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	       iter_type(iter) == bpf_core_enum_value(enum iter_type, ITER_UBUF);
}

/* 6.4 renamed the field. Kernel commit de4f5fed3f23 ("iov_iter: add iter_iovec() helper"). */
struct iov_iter___iov {
	const struct iovec *iov;
} __attribute__((preserve_access_index));

static __always_inline const struct iovec *iter_iovec(struct iov_iter *iter)
{
	struct iov_iter___iov *old = (void *)iter;

	if (bpf_core_field_exists(old->iov))
		return BPF_CORE_READ(old, iov);
	return BPF_CORE_READ(iter, __iov);
}

#endif
