/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The functions of calls.h again, by kprobes: a probe of the return does not have the arguments. */

/* Whether the calls in progress are in task storage (Linux 5.13), else in a hash map. */
const volatile bool task_storage = false;

struct call {
	u64 sk; /* 0: none in progress */
	u32 flags;
	u32 unused;
};

/* The calls in progress of a thread: one of each direction at most. */
enum direction { SEND, RECEIVE, MAX_DIRECTIONS };

struct calls {
	struct call call[MAX_DIRECTIONS];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct calls);
} calls_in_task SEC(".maps");

/* The same by thread and direction. Not an LRU map, which would evict a call that waits long
 * without counting the loss. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct call);
} calls_by_thread SEC(".maps");

static __always_inline u64 call_key(enum direction direction)
{
	return bpf_get_current_pid_tgid() << 32 | direction;
}

static __always_inline int enter(enum direction direction, struct sock *sk, u32 flags)
{
	struct call call = {.sk = (u64)sk, .flags = flags};
	struct calls *calls;
	u64 key;

	if (task_storage) {
		calls = bpf_task_storage_get(&calls_in_task, bpf_get_current_task_btf(), NULL,
					     BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (calls)
			calls->call[direction] = call;
		else
			count(LOST, 1);
		return 0;
	}
	key = call_key(direction);
	if ((int)bpf_map_update_elem(&calls_by_thread, &key, &call, BPF_ANY))
		count(LOST, 1);
	return 0;
}

static __always_inline int enter_socket(enum direction direction, struct socket *sock, u32 flags)
{
	return enter(direction, BPF_CORE_READ(sock, sk), flags);
}

static __always_inline int leave(enum direction direction, int ret)
{
	struct call call, *found;
	struct calls *calls;
	u64 key;

	if (task_storage) {
		calls = bpf_task_storage_get(&calls_in_task, bpf_get_current_task_btf(), NULL, 0);
		if (!calls || !calls->call[direction].sk)
			return 0;
		call = calls->call[direction];
		calls->call[direction].sk = 0;
	} else {
		key = call_key(direction);
		found = bpf_map_lookup_elem(&calls_by_thread, &key);
		if (!found)
			return 0;
		call = *found;
		bpf_map_delete_elem(&calls_by_thread, &key);
	}
	if (direction == SEND)
		return sent((struct sock *)call.sk, ret, false);
	return received((struct sock *)call.sk, ret, call.flags, false);
}

SEC("kprobe/inet_sendmsg")
int BPF_KPROBE(send_k, struct socket *sock)
{
	return enter_socket(SEND, sock, 0);
}

SEC("kretprobe/inet_sendmsg")
int BPF_KRETPROBE(send_kx, long ret)
{
	return leave(SEND, ret);
}

SEC("kprobe/inet6_sendmsg")
int BPF_KPROBE(send6_k, struct socket *sock)
{
	return enter_socket(SEND, sock, 0);
}

SEC("kretprobe/inet6_sendmsg")
int BPF_KRETPROBE(send6_kx, long ret)
{
	return leave(SEND, ret);
}

SEC("kprobe/inet_recvmsg")
int BPF_KPROBE(receive_k, struct socket *sock, void *msg, u64 size, int flags)
{
	return enter_socket(RECEIVE, sock, flags);
}

SEC("kretprobe/inet_recvmsg")
int BPF_KRETPROBE(receive_kx, long ret)
{
	return leave(RECEIVE, ret);
}

SEC("kprobe/inet6_recvmsg")
int BPF_KPROBE(receive6_k, struct socket *sock, void *msg, u64 size, int flags)
{
	return enter_socket(RECEIVE, sock, flags);
}

SEC("kretprobe/inet6_recvmsg")
int BPF_KRETPROBE(receive6_kx, long ret)
{
	return leave(RECEIVE, ret);
}

SEC("kprobe/tcp_sendpage")
int BPF_KPROBE(send_page_k, struct sock *sk)
{
	return enter(SEND, sk, 0);
}

SEC("kretprobe/tcp_sendpage")
int BPF_KRETPROBE(send_page_kx, long ret)
{
	return leave(SEND, ret);
}

SEC("kprobe/tcp_splice_read")
int BPF_KPROBE(splice_k, struct socket *sock)
{
	return enter_socket(RECEIVE, sock, 0);
}

SEC("kretprobe/tcp_splice_read")
int BPF_KRETPROBE(splice_kx, long ret)
{
	return leave(RECEIVE, ret);
}
