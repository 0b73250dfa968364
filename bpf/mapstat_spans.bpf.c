/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * For the tests of mapstat: spans, a record for each prctl(SPAN, number, start, duration), where
 * nothing else uses that number.
 */
#include "mapstat/prctl.h"

#define SPAN 0x6d617076

/* As struct span_base_t of ebpf_exporter, and what is this program's own. */
struct work {
	u64 trace_hi;
	u64 trace_lo;
	u64 parent;
	u64 id;
	u64 start;
	u64 duration;
	char name[16];
	u32 number;
	u8 state;
	u8 padding[3];
};

/* A record that says neither ids nor times, but when it is to be left out. */
struct step {
	u32 number;
	char name[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} spans_work SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} spans_steps SEC(".maps");

COUNTS(spans_total, ARRAY, u32, 1);

/* In the order of a number's digits. */
static __always_inline u64 big_endian(u64 number)
{
	return __builtin_bswap64(number);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_call, struct pt_regs *registers, long call)
{
	struct work work = {.name = "work"};
	struct step step = {};
	u32 zero = 0, number;

	if (call != PRCTL || (u32)ARGUMENT(registers, 0) != SPAN)
		return 0;
	number = ARGUMENT(registers, 1);
	/* The first has none, which no span may. */
	work.trace_hi = number ? big_endian(0xfeed000000000000) : 0;
	work.trace_lo = big_endian(number);
	work.parent = number % 4 ? big_endian(number - 1) : 0;
	work.id = big_endian(0xbeef000000000000 | number);
	work.start = ARGUMENT(registers, 2);
	work.duration = ARGUMENT(registers, 3);
	work.name[4] = '0' + number % 10;
	work.number = number;
	work.state = number % 3;
	bpf_ringbuf_output(&spans_work, &work, sizeof(work), 0);
	step.number = number;
	step.name[0] = number % 2 ? 'o' : 'e';
	bpf_ringbuf_output(&spans_steps, &step, sizeof(step), 0);
	add_to(&spans_total, &zero, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
