/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Programs that do nothing, for scripts/bench: the base cost of a program. */
#include "kernel.h"

SEC("fentry/vfs_read")
int fentry_read(void *ctx)
{
	return 0;
}

SEC("fentry/vfs_write")
int fentry_write(void *ctx)
{
	return 0;
}

SEC("fexit/vfs_read")
int fexit_read(void *ctx)
{
	return 0;
}

SEC("fexit/vfs_write")
int fexit_write(void *ctx)
{
	return 0;
}

SEC("kretprobe/vfs_read")
int kretprobe_read(void *ctx)
{
	return 0;
}

SEC("kretprobe/vfs_write")
int kretprobe_write(void *ctx)
{
	return 0;
}

SEC("fentry/lookup_fast")
int walkfentry_lookup(void *ctx)
{
	return 0;
}

SEC("kprobe/lookup_fast")
int walkkprobe_lookup(void *ctx)
{
	return 0;
}

SEC("tp/syscalls/sys_exit_pread64")
int tracepoint_read(void *ctx)
{
	return 0;
}

SEC("tp/syscalls/sys_exit_pwrite64")
int tracepoint_write(void *ctx)
{
	return 0;
}

SEC("tp_btf/block_rq_issue")
int tp_btf_issue(void *ctx)
{
	return 0;
}

SEC("tp_btf/block_rq_complete")
int tp_btf_complete(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
