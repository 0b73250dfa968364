/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * How many packets did each processor drop because its backlog was full, and how often did it stop
 * although more were waiting? The kernel counts both (/proc/net/softnet_stat, columns 2 and 3);
 * they are looked at whenever a processor has received packets.
 */
#include "mapstat.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct softnet_data {
	unsigned int dropped;
	unsigned int time_squeeze;
};

/* From Linux 6.10 on. */
typedef struct {
	int counter;
} atomic_t;

struct softnet_data___atomic {
	atomic_t dropped;
};

/* From Linux 6.18 on: one for processors of even memory nodes, one for odd ones. */
struct numa_drop_counters {
	atomic_t drops0;
	atomic_t drops1;
};

struct softnet_data___numa {
	struct numa_drop_counters drop_counters;
};

#pragma clang attribute pop

/* The loader sets both (kaddrs): where the first processor has its data, and how far the others are
 * from there. */
const volatile u64 kaddr_softnet_data = 0;
const volatile u64 kaddr___per_cpu_offset = 0;

/* include/linux/interrupt.h */
#define NET_RX_SOFTIRQ 3

COUNTS(softnet_dropped_total, PERCPU_ARRAY, u32, 1);
COUNTS(softnet_squeezed_total, PERCPU_ARRAY, u32, 1);

struct seen {
	u32 dropped;
	u32 squeezed;
	/* Whether there is anything to compare with. */
	u64 before;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct seen);
} seen SEC(".maps");

static __always_inline struct softnet_data *its_data(void)
{
	u64 offset = kaddr___per_cpu_offset + sizeof(u64) * bpf_get_smp_processor_id();

	bpf_probe_read_kernel(&offset, sizeof(offset), (void *)offset);
	return (struct softnet_data *)(kaddr_softnet_data + offset);
}

static __always_inline u32 dropped_by(struct softnet_data *data)
{
	struct softnet_data___atomic *newer = (void *)data;
	struct softnet_data___numa *newest = (void *)data;

	if (bpf_core_field_exists(newest->drop_counters))
		return BPF_CORE_READ(newest, drop_counters.drops0.counter) +
		       BPF_CORE_READ(newest, drop_counters.drops1.counter);
	if (bpf_core_field_exists(newer->dropped.counter))
		return BPF_CORE_READ(newer, dropped.counter);
	return BPF_CORE_READ(data, dropped);
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(received, unsigned int vector)
{
	struct softnet_data *data = its_data();
	struct seen now, *last;
	u32 zero = 0;
	u64 *count;

	last = vector == NET_RX_SOFTIRQ ? bpf_map_lookup_elem(&seen, &zero) : 0;
	if (!last)
		return 0;
	now.dropped = dropped_by(data);
	now.squeezed = BPF_CORE_READ(data, time_squeeze);
	now.before = 1;
	if (last->before) {
		count = bpf_map_lookup_elem(&softnet_dropped_total, &zero);
		if (count)
			*count += now.dropped - last->dropped;
		count = bpf_map_lookup_elem(&softnet_squeezed_total, &zero);
		if (count)
			*count += now.squeezed - last->squeezed;
	}
	*last = now;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
