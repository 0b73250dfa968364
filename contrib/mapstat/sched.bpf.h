/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Tasks as the scheduler switches between them, for programs on sched_switch. */
#ifndef MAPSTAT_SCHED_BPF_H
#define MAPSTAT_SCHED_BPF_H

#include "mapstat.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
	int pid;
	unsigned int __state;
	char comm[COMM_LEN];
};

/* Before Linux 5.14: kernel commit 2f064a59a11f ("sched: Change task_struct::state"). */
struct task_struct___old {
	long state;
};

#pragma clang attribute pop

/* TASK_DEAD of include/linux/sched.h: it has ended, and never runs again. */
#define TASK_DEAD 0x80

/* Why a task does not run: 0 if it could. */
static __always_inline u64 state_of(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return ((struct task_struct___old *)task)->state;
}

#endif
