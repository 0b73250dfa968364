/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * For the tests of mapstat: calls of umask(2) by their argument, in cgroups that the map of
 * cgroup_id_map has, and in all.
 */
#include "../contrib/mapstat/mapstat.bpf.h"

struct key {
	u64 cgroup;
	u64 mask;
};

COUNTS(cgroups_all, HASH, struct key, 1024);
COUNTS(cgroups_wanted, HASH, struct key, 1024);

#ifdef STORAGE

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct cgroup;

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	struct css_set *cgroups;
};

#pragma clang attribute pop

struct {
	__uint(type, 32 /* BPF_MAP_TYPE_CGRP_STORAGE, from Linux 6.2 on */);
	__uint(map_flags, 1 /* BPF_F_NO_PREALLOC */);
	__type(key, int);
	__type(value, u64);
} cgroups_known SEC(".maps");

static __always_inline bool is_wanted(u64 id)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return bpf_cgrp_storage_get(&cgroups_known, task->cgroups->dfl_cgrp, 0, 0);
}

#else

COUNTS(cgroups_known, HASH, u64, 64);

static __always_inline bool is_wanted(u64 id)
{
	return bpf_map_lookup_elem(&cgroups_known, &id);
}

#endif

#if defined(__TARGET_ARCH_arm64)
#define UMASK 166
#else
#define UMASK 95
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	u64 regs[31];
};
#define FIRST(registers) (((struct user_pt_regs *)(registers))->regs[0])
#else
struct pt_regs {
	unsigned long di;
};
#define FIRST(registers) ((registers)->di)
#endif

#pragma clang attribute pop

SEC("tp_btf/sys_enter")
int BPF_PROG(on_call, struct pt_regs *registers, long call)
{
	struct key key = {};

	if (call != UMASK)
		return 0;
	key.cgroup = bpf_get_current_cgroup_id();
	key.mask = FIRST(registers);
	add_to(&cgroups_all, &key, 1);
	if (is_wanted(key.cgroup))
		add_to(&cgroups_wanted, &key, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
