/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * For the tests: makes the soft interrupt that takes in a task's packets last long, and the timer
 * interrupts that come meanwhile, and says how long both did.
 */
#include "kernel.h"

/* So many looks at the clock are enough for the times that are asked for, and not too many for the
 * verifier. */
#define MAX_LOOKS 50000

/* Whose packets. */
const volatile u32 thread = 0;
/* How long a packet shall take, and a timer that interrupts it. */
const volatile u64 packet_ns = 0;
const volatile u64 timer_ns = 0;

/* What came of it: all packets, with what interrupted them; and timers within them. */
u64 packets = 0;
u64 packets_ns = 0;
u64 timers = 0;
u64 timers_ns = 0;
/* Whether a packet is under way. */
u32 within = 0;

/* A global function, which the verifier looks at once. Returns the time that went by. */
__noinline u64 spin(u64 ns)
{
	u64 start = bpf_ktime_get_ns(), spent = 0;

	for (u32 i = 0; i < MAX_LOOKS && spent < ns; i++)
		spent = bpf_ktime_get_ns() - start;
	return spent;
}

SEC("tp_btf/netif_receive_skb")
int on_packet(void *ctx)
{
	if ((u32)bpf_get_current_pid_tgid() != thread)
		return 0;
	within = 1;
	packets++;
	packets_ns += spin(packet_ns);
	within = 0;
	return 0;
}

SEC("tp_btf/hrtimer_expire_entry")
int on_timer(void *ctx)
{
	if ((u32)bpf_get_current_pid_tgid() != thread || !within)
		return 0;
	timers++;
	timers_ns += spin(timer_ns);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
