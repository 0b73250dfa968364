/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * For the tests: makes the soft interrupt that receives a processor's packets of the loopback
 * device take long, as well as the timer interrupts that occur during it, and reports how long both
 * took.
 */
#include "kernel.h"

/* Enough reads of the clock for the times that are needed, and not too many for the verifier. */
#define MAX_LOOKS 50000

#define LOOPBACK 1

/* The processor. */
const volatile u32 cpu = 0;
/* How long a packet must take, and a timer that interrupts it. */
const volatile u64 packet_ns = 0;
const volatile u64 timer_ns = 0;

/* The result: all packets, with what interrupted them; of that, the time in which the task that
 * processed a packet did not run, which happens on real-time kernels only; and timers within them.
 */
u64 packets = 0;
u64 packets_ns = 0;
u64 paused_ns = 0;
u64 timers = 0;
u64 timers_ns = 0;
/* Whether a packet is being processed; in which task, and since when that does not run. */
u32 within = 0;
u64 receiver = 0;
u64 since_ns = 0;

/* A global function: the verifier checks it once. Returns the time that has passed. */
__noinline u64 spin(u64 ns)
{
	u64 start = bpf_ktime_get_ns(), spent = 0;

	for (u32 i = 0; i < MAX_LOOKS && spent < ns; i++)
		spent = bpf_ktime_get_ns() - start;
	return spent;
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(on_packet, struct sk_buff *skb)
{
	if (bpf_get_smp_processor_id() != cpu || skb->dev->ifindex != LOOPBACK)
		return 0;
	receiver = bpf_get_current_task();
	within = 1;
	packets++;
	packets_ns += spin(packet_ns);
	within = 0;
	return 0;
}

SEC("tp_btf/hrtimer_expire_entry")
int on_timer(void *ctx)
{
	/* A real-time kernel runs most timers in another task. */
	if (bpf_get_smp_processor_id() != cpu || !within || bpf_get_current_task() != receiver)
		return 0;
	timers++;
	timers_ns += spin(timer_ns);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempted, struct task_struct *before, struct task_struct *after)
{
	if (bpf_get_smp_processor_id() != cpu || !within)
		return 0;
	if ((u64)before == receiver)
		since_ns = bpf_ktime_get_ns();
	else if ((u64)after == receiver)
		paused_ns += bpf_ktime_get_ns() - since_ns;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
