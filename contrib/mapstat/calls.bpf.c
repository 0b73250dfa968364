/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Which system calls are made, by which commands, and how do they end? */
#include "mapstat.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
#if defined(__TARGET_ARCH_arm64)
	int syscallno;
#else
	unsigned long orig_ax;
#endif
};

#pragma clang attribute pop

struct key {
	char command[COMM_LEN];
	u32 call;
	u32 error;
};

COUNTS(system_calls_total, HASH, struct key, 65536);

/* The last number of an error (MAX_ERRNO of include/linux/err.h). */
#define LAST_ERROR 4095

SEC("tp_btf/sys_exit")
int BPF_PROG(ended, struct pt_regs *regs, long result)
{
	struct key key = {};

#if defined(__TARGET_ARCH_arm64)
	key.call = regs->syscallno;
#else
	key.call = regs->orig_ax;
#endif
	if (result < 0 && result >= -LAST_ERROR)
		key.error = -result;
	bpf_get_current_comm(key.command, sizeof(key.command));
	add_to(&system_calls_total, &key, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
