/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* For the tests of mapstat: prctl(2) and its arguments, by the registers of a system call. */
#ifndef MAPSTAT_PRCTL_H
#define MAPSTAT_PRCTL_H

#include "../../contrib/mapstat/mapstat.bpf.h"

#if defined(__TARGET_ARCH_arm64)
#define PRCTL 167
#else
#define PRCTL 157
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	u64 regs[31];
};
#define ARGUMENT(registers, at) (((struct user_pt_regs *)(registers))->regs[at])
#else
struct pt_regs {
	unsigned long r10;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
};
#define ARGUMENT(registers, at)                                                                    \
	((at) == 0   ? (registers)->di                                                             \
	 : (at) == 1 ? (registers)->si                                                             \
	 : (at) == 2 ? (registers)->dx                                                             \
		     : (registers)->r10)
#endif

#pragma clang attribute pop

#endif
