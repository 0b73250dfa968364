/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The registers with the first three arguments of a function, for BPF_KPROBE. */
#ifndef MAPSTAT_PROBE_BPF_H
#define MAPSTAT_PROBE_BPF_H

#include "mapstat.bpf.h"

#if defined(__TARGET_ARCH_arm64)
struct pt_regs;

struct user_pt_regs {
	u64 regs[31];
} __attribute__((preserve_access_index));
#else
struct pt_regs {
	unsigned long di;
	unsigned long si;
	unsigned long dx;
} __attribute__((preserve_access_index));
#endif

#endif
