/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * For the tests of mapstat: a map of each type that it reads, filled by calls of prctl(2) with a
 * number that no program uses otherwise. prctl(MARK, number, value) counts in all of them.
 */
#include "mapstat/prctl.h"

#define MARK 0x6d617073
/* The same with another number: a key comes, or goes. */
#define COME_AND_GO 0x6d617074

struct three {
	u32 number;
	char text[5];
	u8 padding[7];
	u64 half;
};

struct bucket {
	u32 parity;
	u32 bucket;
};

COUNTS(kinds_array, ARRAY, u32, 4);
COUNTS(kinds_array_of_one, ARRAY, u32, 1);
COUNTS(kinds_level, ARRAY, u32, 1);
COUNTS(kinds_hash, HASH, struct three, 64);
COUNTS(kinds_lru_hash, LRU_HASH, u32, 4096);
COUNTS(kinds_percpu_array, PERCPU_ARRAY, u32, 4);
COUNTS(kinds_percpu_array_of_one, PERCPU_ARRAY, u32, 1);
COUNTS(kinds_percpu_hash, PERCPU_HASH, u32, 64);
COUNTS(kinds_percpu_hash_by_cpu, PERCPU_HASH, u32, 64);
COUNTS(kinds_lru_percpu_hash, LRU_PERCPU_HASH, u32, 4096);
COUNTS(kinds_some, HASH, u32, 64);
COUNTS(kinds_odd, HASH, u32, 64);
COUNTS(kinds_exp2, HASH, struct bucket, 1024);
COUNTS(kinds_exp2zero, HASH, struct bucket, 1024);
COUNTS(kinds_linear, HASH, u32, 1024);
COUNTS(kinds_fixed, HASH, u32, 1024);
COUNTS(kinds_per_cpu, PERCPU_HASH, u32, 1024);
COUNTS(kinds_coming, HASH, u64, 1024);

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, u32);
	__type(value, u32);
} kinds_perf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} kinds_ring SEC(".maps");

static __always_inline void count_per_cpu(void *map, const void *key)
{
	u64 one = 1, *count = bpf_map_lookup_elem(map, key);

	if (count)
		*count += 1;
	else
		bpf_map_update_elem(map, key, &one, BPF_ANY);
}

static __always_inline void histograms(u64 value)
{
	struct bucket key = {.parity = value & 1};
	u32 bucket, sum;

	observe_exp2(&kinds_exp2, &key, value, 20);
	/* The first bucket is of 0, the others are one further. */
	key.bucket = value ? exp2_bucket(value) + 1 : 0;
	if (key.bucket > 21)
		key.bucket = 21;
	add_to(&kinds_exp2zero, &key, 1);
	key.bucket = 22;
	add_to(&kinds_exp2zero, &key, value);
	/* Up to 10 tens: what is above is in none. */
	bucket = value / 10;
	add_to(&kinds_linear, &bucket, 1);
	bucket = value <= 1 ? 1 : value <= 100 ? 100 : 1000;
	sum = 1001;
	add_to(&kinds_fixed, &bucket, 1);
	add_to(&kinds_fixed, &sum, value);
	bucket = value < 4 ? value : 4;
	count_per_cpu(&kinds_per_cpu, &bucket);
}

static __always_inline int come_or_go(u64 key, u64 comes)
{
	if (comes)
		add_to(&kinds_coming, &key, 1);
	else
		bpf_map_delete_elem(&kinds_coming, &key);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_call, struct pt_regs *registers, long call)
{
	struct three three = {.text = "ab\0!"};
	u32 zero = 0, number;
	u64 all, value, *level;

	if (call != PRCTL)
		return 0;
	all = ARGUMENT(registers, 1);
	value = ARGUMENT(registers, 2);
	if ((u32)ARGUMENT(registers, 0) == COME_AND_GO)
		return come_or_go(all, value);
	if ((u32)ARGUMENT(registers, 0) != MARK)
		return 0;
	number = all & 3;
	three.number = number;
	three.half = all & 1;
	add_to(&kinds_array, &number, 1);
	add_to(&kinds_array_of_one, &zero, 1);
	level = bpf_map_lookup_elem(&kinds_level, &zero);
	if (level)
		*level = value;
	add_to(&kinds_hash, &three, 1);
	add_to(&kinds_lru_hash, &number, 1);
	count_per_cpu(&kinds_percpu_array, &number);
	count_per_cpu(&kinds_percpu_array_of_one, &zero);
	count_per_cpu(&kinds_percpu_hash, &number);
	count_per_cpu(&kinds_percpu_hash_by_cpu, &number);
	count_per_cpu(&kinds_lru_percpu_hash, &number);
	add_to(&kinds_some, &number, 1);
	add_to(&kinds_odd, &number, 1);
	histograms(value);
	bpf_perf_event_output(ctx, &kinds_perf, BPF_F_CURRENT_CPU, &number, sizeof(number));
	bpf_ringbuf_output(&kinds_ring, &number, sizeof(number), 0);
	return 0;
}

/* It has no target on any kernel. */
SEC("tp_btf/no_such_tracepoint")
int BPF_PROG(never)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
