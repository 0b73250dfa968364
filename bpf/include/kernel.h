/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The kernel's types that the programs read, and nothing more: each struct holds only the fields in
 * use, and preserve_access_index lets the loader find them in the running kernel's own layout
 * (CO-RE). Written by hand rather than generated, so that it is the same on every architecture and
 * shows what matters.
 *
 * Names of programs end with how they attach: _b a tracepoint with typed arguments (tp_btf), _f the
 * entry or exit of a function (fentry, fexit), _k the same by a breakpoint (kprobe, kretprobe), _t
 * a tracepoint. An x after it is the exit, if the entry has a program, too. A number is the
 * kernel's major version whose form of the function it is written for: _f7, _k5.
 */
#ifndef EF_KERNEL_H
#define EF_KERNEL_H

typedef unsigned char __u8;
typedef signed short __s16;
typedef unsigned short __u16;
typedef signed int __s32;
typedef unsigned int __u32;
typedef signed long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;

#define bool _Bool
#define true 1
#define false 0
#define NULL ((void *)0)

/* include/uapi/linux/bpf.h: the values in use */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_CGROUP_ARRAY = 8,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_F_NO_PREALLOC = 1,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
	BPF_F_MMAPABLE = 1024,
};

/* Registers by the kernel's own names, which the loader relocates. */
#define __VMLINUX_H__
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/* include/uapi/asm-generic/errno-base.h */
#define EEXIST 17
/* include/uapi/asm-generic/signal.h */
#define SIGKILL 9

#define TASK_COMM_LEN 16
#define DISK_NAME_LEN 32

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct kernfs_node {
	u64 id;
	const char *name;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
	struct cgroup *ancestors[];
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

enum cgroup_subsys_id {
	memory_cgrp_id,
};

struct css_set {
	struct cgroup *dfl_cgrp;
	struct cgroup_subsys_state *subsys[16]; /* by cgroup_subsys_id */
};

typedef struct {
	long counter;
} atomic_long_t;

typedef struct {
	s64 counter;
} atomic64_t;

/* In pages. */
struct page_counter {
	atomic_long_t usage;
	unsigned long max;
	struct page_counter *parent;
};

struct mem_cgroup {
	struct cgroup_subsys_state css;
	struct page_counter memory;
	bool oom_group;
	bool oom_lock;
};

/* Why memory is short, and which tasks may be killed for it (include/linux/oom.h). */
enum oom_constraint {
	CONSTRAINT_NONE,
	CONSTRAINT_CPUSET,
	CONSTRAINT_MEMORY_POLICY,
	CONSTRAINT_MEMCG,
};

struct oom_control {
	struct mem_cgroup *memcg;
	int order;
	enum oom_constraint constraint;
};

struct rw_semaphore {
	atomic_long_t owner;
};

struct super_block {
	unsigned long s_flags;
	unsigned long s_magic;
};

struct inode {
	unsigned long i_ino;
	u16 i_mode;
	unsigned int i_flags;
	s64 i_size;
	struct super_block *i_sb;
	struct rw_semaphore i_rwsem;
};

struct address_space {
	struct inode *host;
};

/* A piece of a file in the page cache: one page or several. */
struct folio {
	struct address_space *mapping;
	unsigned long index;
};

struct page {
	struct address_space *mapping;
	unsigned long index;
};

enum pageflags {
	PG_head,
	PG_locked,
	PG_swapbacked,
	PG_uptodate,
};

/* What memory is charged to that outlives a cgroup. */
struct obj_cgroup {
	struct mem_cgroup *memcg;
};

struct mm_struct {
	atomic_t mm_users;
	unsigned long arg_start;
	unsigned long arg_end;
	atomic_long_t pgtables_bytes;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct ns_common {
	unsigned int inum;
};

struct mount;

/* A mount namespace. */
struct mnt_namespace {
	struct ns_common ns;
	struct mount *root;
	unsigned int nr_mounts;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};

struct file_system_type {
	const char *name;
};

/* What fsopen(2) makes, and what its descriptor stands for. */
struct fs_context {
	struct file_system_type *fs_type;
	const char *source;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file_ra_state {
	s64 prev_pos;
};

struct file {
	unsigned int f_mode;
	unsigned int f_flags;
	struct path f_path;
	struct inode *f_inode;
	s64 f_pos;
	struct address_space *f_mapping;
	void *private_data;
	struct file_ra_state f_ra;
};

struct vm_area_struct {
	struct mm_struct *vm_mm;
	struct file *vm_file;
};

struct vm_fault {
	struct vm_area_struct *vma;
	unsigned long pgoff;
	struct page *cow_page;
};

struct kiocb {
	struct file *ki_filp;
	s64 ki_pos;
	void *ki_complete; /* of an asynchronous caller */
	int ki_flags;
};

/* A part of a program's memory. */
struct iovec {
	void *iov_base;
	u64 iov_len;
};

/* What a call reads or writes. */
enum iter_type {
	ITER_IOVEC,
	ITER_UBUF,
};

struct iov_iter {
	u8 iter_type;
	u64 iov_offset;
	u64 count;
	const struct iovec *__iov;
	void *ubuf;
	u64 nr_segs;
};

struct msghdr {
	void *msg_name; /* of a send, a copy in the kernel */
	struct iov_iter msg_iter;
	unsigned int msg_flags;
};

struct pipe_inode_info {
	unsigned int head;
	unsigned int tail;
	unsigned int max_usage;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
	unsigned long *open_fds; /* a bit for each of max_fds */
};

struct files_struct {
	struct fdtable *fdt;
};

/* Where a task is in the file systems. */
struct fs_struct {
	struct path pwd;
};

struct open_how {
	u64 flags;
};

/* A path that a program passed: a copy, and where the program has it. Linux 7.0 has the latter no
 * more. */
struct filename {
	const char *uptr;
};

/* A request of io_uring, whose first bytes are those of the operation. */
struct io_cqe {
	s32 res;
};

struct io_kiocb {
	struct io_cqe cqe;
};

struct io_open {
	int dfd;
	u32 file_slot;
	struct filename *filename;
	struct open_how how;
};

struct io_close {
	int fd;
	u32 file_slot;
};

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
};

/* A walk along a path: the component that it is at, and what is done with the last one. */
struct nameidata {
	struct qstr last;
	unsigned int flags;
};

struct signal_struct {
	atomic_t live;
	int nr_threads;
	unsigned int flags;
	int group_exit_code;
	u64 sum_sched_runtime;
	struct mm_struct *oom_mm;
	short oom_score_adj;
};

struct kernel_siginfo;

struct task_io_accounting {
	u64 syscr;
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	int exit_state;
	int exit_code;
	u64 start_time;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct css_set *cgroups;
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	const struct cred *real_cred;
	const struct cred *cred;
	struct nameidata *nameidata;
	struct task_io_accounting ioac;
	char comm[TASK_COMM_LEN];
};

struct linux_binprm {
	const char *filename;
};

/* A handler of an interrupt line; a shared line has several. */
struct irqaction {
	const char *name;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

struct sock_common;
struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
	u32 uid;
};

/* include/uapi/linux/in6.h */
struct in6_addr {
	union {
		u32 u6_addr32[4];
	} in6_u;
};

/* A network namespace. */
struct netns_ipv4 {
	u8 sysctl_tcp_fastopen;
};

struct net {
	struct ns_common ns;
	struct netns_ipv4 ipv4;
};

/* include/net/net_namespace.h: without CONFIG_NET_NS it has no field. */
typedef struct {
	struct net *net;
} possible_net_t;

/* System V IPC: the objects of a kind (ipc/util.h). */
struct ipc_ids {
	int in_use;
};

struct ipc_namespace {
	struct ipc_ids ids[3];
};

/* Of semget, msgget and shmget. */
struct ipc_params {
	int key;
	int flg;
	union {
		unsigned long size;
	} u;
};

struct shmid_kernel {
	unsigned long shm_segsz;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	u16 skc_num;
	u16 skc_family;
	u8 skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags;
	int skc_bound_dev_if;
	atomic64_t skc_cookie;
};

struct refcount_struct {
	atomic_t refs;
};

/* Of a socket: whether a task has it, not an interrupt. */
typedef struct {
	int owned;
} socket_lock_t;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	u32 sk_ack_backlog;
	u32 sk_max_ack_backlog;
	unsigned long sk_pacing_rate;
	kuid_t sk_uid;
	struct refcount_struct sk_wmem_alloc;
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
	u16 sk_type;
	u16 sk_protocol;
	u8 sk_shutdown;
	int sk_err;
};

/* Bits of skc_flags. */
enum sock_flags {
	SOCK_DONE,
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct udp_sock {
	int forward_deficit;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
};

struct minmax_sample {
	u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u32 segs_in;
	u32 rcv_nxt;
	u32 copied_seq;
	u32 snd_cwnd;
	u32 mss_cache;
	u32 mdev_us;
	u32 lost;
	struct {
		u32 rtt_us;
	} rcv_rtt_est;
	struct minmax rtt_min;
	u64 bytes_sent;
	u64 bytes_retrans;
	u64 bytes_received;
	u64 bytes_acked;
	u32 snd_una;
	u32 write_seq;
	u32 total_retrans;
	u32 srtt_us;
};

struct socket {
	struct sock *sk;
};

struct net_device {
	int ifindex;
	possible_net_t nd_net;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	char cb[48];
	unsigned int len;
	unsigned int data_len; /* of len, what is not at data */
	__be16 protocol;
	u16 transport_header; /* from head on */
	u16 network_header;
	unsigned char *head;
	unsigned char *data;
};

/* What TCP keeps in cb[] of a packet. */
struct tcp_skb_cb {
	u16 tcp_gso_segs;
};

struct blk_mq_ops;
struct bio;

struct request_queue {
	const struct blk_mq_ops *mq_ops;
	struct gendisk *disk;
};

struct block_device_operations;

struct gendisk {
	int major;
	int first_minor;
	char disk_name[DISK_NAME_LEN];
	const struct block_device_operations *fops;
	struct request_queue *queue;
};

struct request {
	struct request_queue *q;
	unsigned int cmd_flags;
	unsigned int __data_len;
	u64 __sector;
	u64 start_time_ns;
	struct bio *bio;
};

struct block_device {
	struct gendisk *bd_disk;
};

/* A part of the memory that a bio is about. */
struct bio_vec {
	struct page *bv_page;
};

struct bvec_iter {
	u64 bi_sector;
	unsigned int bi_size;
};

enum req_flag_bits {
	__REQ_SYNC,
	__REQ_META,
	__REQ_FUA,
	__REQ_PREFLUSH,
	__REQ_RAHEAD,
	__REQ_SWAP,
	__REQ_DRV,
};

struct bio {
	unsigned int bi_opf;
	unsigned short bi_flags;
	u8 bi_status;
	void *bi_private;
	struct block_device *bi_bdev;
	struct bvec_iter bi_iter;
	struct bio_vec *bi_io_vec;
};

/*
 * The registers of a probed function, from which bpf_tracing.h takes its result, and the prefixes
 * of the names of system call functions.
 */
#if defined(__TARGET_ARCH_x86)
#define SYSCALL_PREFIX "__x64_sys_"
/* A call without arguments has one function; the other names are aliases
 * (arch/x86/include/asm/syscall_wrapper.h). */
#define SYSCALL0_PREFIX "__do_sys_"
struct pt_regs {
	unsigned long ax;
	unsigned long di;
	unsigned long si;
	unsigned long dx;
	unsigned long cx;
	unsigned long r10;
	unsigned long r8;
};
#elif defined(__TARGET_ARCH_arm64)
#define SYSCALL_PREFIX "__arm64_sys_"
#define SYSCALL0_PREFIX SYSCALL_PREFIX
struct user_pt_regs {
	u64 regs[31];
};
#endif

/*
 * 32-bit programs on x86_64: the calls have functions of their own, and their first argument is in
 * another register. Other kernels have no such function, and the programs that use it are never
 * loaded.
 */
#define SYSCALL_IA32_PREFIX "__ia32_sys_"
struct pt_regs___ia32 {
	unsigned long bx;
	unsigned long cx;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
};

#pragma clang attribute pop

/* Records of the system calls' tracepoints: a stable interface that needs no relocation. */
struct sys_enter {
	u64 common;
	long id;
	unsigned long args[6];
};

struct sys_exit {
	u64 common;
	long id;
	long ret;
};

/* include/uapi/linux/stat.h */
#define S_IFMT 00170000
#define S_IFREG 0100000
/* include/uapi/linux/magic.h */
#define TMPFS_MAGIC 0x01021994
#define HUGETLBFS_MAGIC 0x958458f6

/* include/net/tcp_states.h */
enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
};
/* include/uapi/linux/in.h */
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_UDPLITE 136
#define IPPROTO_MPTCP 262
/* include/linux/net.h */
#define SOCK_RAW 3
/* include/net/sock.h */
#define SEND_SHUTDOWN 2

/* include/linux/sched/signal.h */
#define SIGNAL_GROUP_EXIT 0x00000004
/* include/linux/sched.h */
#define EXIT_ZOMBIE 0x00000020
#define PF_KTHREAD 0x00200000

#endif
