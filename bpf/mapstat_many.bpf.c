/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * For the tests of mapstat: a map of many keys. prctl(MANY, key, 1) counts for a key, and
 * prctl(MANY, key, 0) removes it, where nothing else uses that number.
 */
#include "mapstat/prctl.h"

#define MANY 0x6d617077

COUNTS(many_total, HASH, u64, 131072);

SEC("tp_btf/sys_enter")
int BPF_PROG(on_call, struct pt_regs *registers, long call)
{
	u64 key;

	if (call != PRCTL || (u32)ARGUMENT(registers, 0) != MANY)
		return 0;
	key = ARGUMENT(registers, 1);
	if (ARGUMENT(registers, 2))
		add_to(&many_total, &key, 1);
	else
		bpf_map_delete_elem(&many_total, &key);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
