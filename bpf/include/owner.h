/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Whose work it was (--by): totals per process, command or cgroup. Owners come and go, so that
 * there are two banks: programs fill one while user space, which flips them at each interval, reads
 * and empties the other (common/src/owners.rs). Where there is no room for another owner, that is
 * counted.
 *
 * A tool defines OWNED, the struct of what is kept of each, and a counter LOST before including
 * this.
 */
#ifndef EF_OWNER_H
#define EF_OWNER_H

#include "counters.h"

/* Mirrored by common/src/owner.rs. */
enum by { BY_SYSTEM, BY_PROCESS, BY_COMM, BY_CGROUP };

const volatile u32 by = BY_SYSTEM;

/* The bank that is filled now. User space writes it. */
u32 owned_bank = 0;

/* Mirrored by common/src/owners.rs, as is the next. */
struct owner {
	/* A process: its id. A cgroup: its id. A command: its name, which fills both. */
	u64 id[2];
	/* What the owner did: the tool's own number for it. */
	u64 key;
};

struct owned {
	OWNED total;
	/* Of a process. Taken when it is first seen: it may be gone when it is told of. */
	char comm[TASK_COMM_LEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	/* Set before loading, to --map-size. */
	__uint(max_entries, 1);
	__type(key, struct owner);
	__type(value, struct owned);
} owned_0 SEC(".maps"), owned_1 SEC(".maps");

/* What a new owner begins with. */
const struct owned owned_nothing = {};

enum bpf_func_id___owner {
	BPF_FUNC_get_current_task_btf___owner = 158,
};

/* The name of the running task's process, which its first thread bears. */
static __always_inline void process_name(char *name)
{
	struct task_struct *task;

	/* Read directly where the kernel can (5.11): a locked down one reads nothing else. */
	if (bpf_core_enum_value_exists(enum bpf_func_id___owner,
				       BPF_FUNC_get_current_task_btf___owner)) {
		task = bpf_get_current_task_btf();
		task = task->group_leader;
		for (int i = 0; i < TASK_COMM_LEN; i++)
			name[i] = task->comm[i];
	} else {
		task = (void *)bpf_get_current_task();
		task = BPF_CORE_READ(task, group_leader);
		bpf_core_read(name, TASK_COMM_LEN, &task->comm);
	}
}

/* The total of an owner in a bank; NULL where there is no room. */
static __always_inline OWNED *owned_in(void *bank, struct owner *owner)
{
	struct owned *found = bpf_map_lookup_elem(bank, owner);

	if (!found) {
		/* Another processor may be quicker: then it is there all the same. */
		bpf_map_update_elem(bank, owner, &owned_nothing, BPF_NOEXIST);
		found = bpf_map_lookup_elem(bank, owner);
	}
	if (!found) {
		count(LOST, 1);
		return NULL;
	}
	if (by == BY_PROCESS && !found->comm[0])
		process_name(found->comm);
	return &found->total;
}

/* What is kept of the running task's process, command or cgroup under this key. Not to be called
 * BY_SYSTEM. */
static __always_inline OWNED *owned_by_current(u64 key)
{
	struct owner owner = {.key = key};

	if (by == BY_PROCESS)
		owner.id[0] = bpf_get_current_pid_tgid() >> 32;
	else if (by == BY_COMM)
		bpf_get_current_comm(&owner.id, sizeof(owner.id));
	else
		owner.id[0] = bpf_get_current_cgroup_id();
	if (*(volatile u32 *)&owned_bank)
		return owned_in(&owned_1, &owner);
	return owned_in(&owned_0, &owner);
}

#endif
