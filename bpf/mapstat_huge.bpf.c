/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* For the tests of mapstat: a map of more keys than any kernel has room for. */
#include "../contrib/mapstat/mapstat.bpf.h"

COUNTS(huge, HASH, u32, 0xf0000000);

SEC("tp_btf/sys_enter")
int BPF_PROG(on_call)
{
	u32 zero = 0;

	add_to(&huge, &zero, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
