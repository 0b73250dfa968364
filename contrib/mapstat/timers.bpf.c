/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Which timers does the kernel start, by the function that they call when they expire, and for
 * which commands? High-resolution timers (hrtimer) are others. */
#include "mapstat.bpf.h"

struct timer_list {
	void *function;
} __attribute__((preserve_access_index));

struct key {
	u64 function;
	char command[COMM_LEN];
};

COUNTS(timer_starts_total, HASH, struct key, 16384);

SEC("tp_btf/timer_start")
int BPF_PROG(started, struct timer_list *timer)
{
	struct key key = {.function = (u64)timer->function};

	/* The one that runs here: of timers that interrupts start it is by chance. */
	bpf_get_current_comm(key.command, sizeof(key.command));
	add_to(&timer_starts_total, &key, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
