/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* For the tests of mapstat: a program for each kind of section that an object of a stranger may
 * have. */
#include "../contrib/mapstat/mapstat.bpf.h"

/* The loader sets it. */
const volatile u64 kaddr_vfs_read = 0;

/* Other processes do the same: these are told apart. */
struct key {
	u32 probe;
	u32 pid;
	u64 cgroup;
};

COUNTS(probes_total, LRU_HASH, struct key, 65536);
COUNTS(probes_addresses, HASH, u64, 64);
COUNTS(probes_ticks, PERCPU_ARRAY, u32, 1);
COUNTS(probes_packets, ARRAY, u32, 1);

enum probe {
	UPROBE,
	URETPROBE,
	KSYSCALL,
	TRACEPOINT,
	MARK,
};

static __always_inline int seen(u32 probe)
{
	struct key key = {.probe = probe, .pid = bpf_get_current_pid_tgid() >> 32};

	key.cgroup = bpf_get_current_cgroup_id();
	add_to(&probes_total, &key, 1);
	return 0;
}

/* What bash calls for the command `:`. */
SEC("uprobe/bash:colon_builtin")
int on_colon(void *ctx)
{
	u64 address = kaddr_vfs_read;

	add_to(&probes_addresses, &address, 1);
	return seen(UPROBE);
}

SEC("uretprobe/bash:colon_builtin")
int on_colon_done(void *ctx)
{
	return seen(URETPROBE);
}

SEC("ksyscall/getpriority")
int on_getpriority(void *ctx)
{
	return seen(KSYSCALL);
}

SEC("tp/syscalls/sys_enter_getpriority")
int on_getpriority_traced(void *ctx)
{
	return seen(TRACEPOINT);
}

SEC("uprobe//proc/self/exe:post_attach_mark")
int on_mark(void *ctx)
{
	return seen(MARK);
}

SEC("perf_event/type=1,config=0,frequency=99")
int on_tick(void *ctx)
{
	u32 zero = 0;
	u64 *count = bpf_map_lookup_elem(&probes_ticks, &zero);

	if (count)
		*count += 1;
	return 0;
}

/* include/uapi/linux/bpf.h */
#define XDP_PASS 2

struct xdp_md {
	u32 data;
	u32 data_end;
};

/* Headers of Ethernet, IPv4 and UDP, and what the test sends: nothing else has that size. */
#define DATAGRAM (14 + 20 + 8 + 1337)

SEC("xdp/lo")
int on_packet(struct xdp_md *ctx)
{
	u32 zero = 0;

	if (ctx->data_end - ctx->data == DATAGRAM)
		add_to(&probes_packets, &zero, 1);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
