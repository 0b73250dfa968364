/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The pages of a process by kind, exact to the page. For speed, kernels keep a part of these
 * counters separately: before 6.2 per thread, later per processor. The kernel's own message about a
 * kill omits that part. Kernel commit f1a7941243c1 ("mm: convert mm's rss stats into
 * percpu_counter").
 */
#ifndef EF_RSS_H
#define EF_RSS_H

#include "kernel.h"

/* include/linux/mm_types_task.h */
enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES, NR_MM_COUNTERS };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct mm_rss_stat {
	atomic_long_t count[NR_MM_COUNTERS];
};

struct mm_struct___plain {
	struct mm_rss_stat rss_stat;
};

struct task_rss_stat {
	int count[NR_MM_COUNTERS];
};

struct task_struct___cached {
	struct task_rss_stat rss_stat;
};

struct percpu_counter {
	s64 count;
	s32 *counters;
};

struct mm_struct___percpu {
	struct percpu_counter rss_stat[NR_MM_COUNTERS];
};

/* kernel/bpf/arraymap.c */
struct bpf_array {
	void *pptrs[1];
};

#pragma clang attribute pop

enum bpf_func_id___rss {
	BPF_FUNC_map_lookup_percpu_elem___rss = 195,
};

/* A per-processor variable, to find the distance between the processors' per-CPU areas. Any other
 * would do, but kernels do not expose all of their offsets. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} apart SEC(".maps");

/* More processors are ignored: their share is small. */
#define RSS_MAX_CPUS 512
/* A processor's own part is at most max(32, 2 * CPUs) pages (lib/percpu_counter.c); if there is no
 * such processor the value read is garbage. */
#define RSS_MAX_PART 16384

struct rss {
	s64 file;
	s64 anon;
	s64 shmem;
};

/* The sum in progress: interrupts are off while it is computed. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct rss);
} rss_sum SEC(".maps");

static __always_inline s64 rss_part(u64 at)
{
	s32 part = 0;

	bpf_probe_read_kernel(&part, sizeof(part), (void *)at);
	return part > -RSS_MAX_PART && part < RSS_MAX_PART ? part : 0;
}

/* A pointer as a number for arithmetic: the verifier does not track what is copied. */
static __always_inline u64 rss_number(void *pointer)
{
	u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &pointer);
	return number;
}

/*
 * Adds a processor's own part of three counters; 0 if there is no such processor. A global
 * function: the verifier checks it once, not for each processor.
 */
__noinline int rss_add_cpu(u64 file, u64 anon, u64 shmem, u32 cpu)
{
	u64 common = 0, distance;
	void *own = NULL;
	struct rss *sum;
	u32 zero = 0;

	if (!bpf_core_enum_value_exists(enum bpf_func_id___rss,
					BPF_FUNC_map_lookup_percpu_elem___rss))
		return 0;
	own = bpf_map_lookup_percpu_elem(&apart, &zero, cpu);
	sum = bpf_map_lookup_elem(&rss_sum, &zero);
	if (!own || !sum)
		return 0;
	bpf_probe_read_kernel(
	    &common, sizeof(common),
	    (void *)(rss_number(&apart) + bpf_core_field_offset(struct bpf_array, pptrs)));
	distance = rss_number(own) - common;
	sum->file += rss_part(file + distance);
	sum->anon += rss_part(anon + distance);
	sum->shmem += rss_part(shmem + distance);
	return 1;
}

/* Adds up the counters of this thread's process. Interrupts must be off. */
static __always_inline void rss_read(struct rss *rss, struct task_struct *task,
				     struct mm_struct *mm)
{
	u32 zero = 0;
	struct rss *sum = bpf_map_lookup_elem(&rss_sum, &zero);
	struct task_struct___cached *cached = (void *)task;
	struct mm_struct___percpu *percpu = (void *)mm;
	struct mm_struct___plain *plain = (void *)mm;
	u64 file, anon, shmem;

	if (bpf_core_type_exists(struct mm_rss_stat)) {
		rss->file = BPF_CORE_READ(plain, rss_stat.count[MM_FILEPAGES].counter);
		rss->anon = BPF_CORE_READ(plain, rss_stat.count[MM_ANONPAGES].counter);
		rss->shmem = BPF_CORE_READ(plain, rss_stat.count[MM_SHMEMPAGES].counter);
		if (bpf_core_field_exists(cached->rss_stat)) {
			rss->file += BPF_CORE_READ(cached, rss_stat.count[MM_FILEPAGES]);
			rss->anon += BPF_CORE_READ(cached, rss_stat.count[MM_ANONPAGES]);
			rss->shmem += BPF_CORE_READ(cached, rss_stat.count[MM_SHMEMPAGES]);
		}
		return;
	}
	if (!sum)
		return;
	sum->file = BPF_CORE_READ(percpu, rss_stat[MM_FILEPAGES].count);
	sum->anon = BPF_CORE_READ(percpu, rss_stat[MM_ANONPAGES].count);
	sum->shmem = BPF_CORE_READ(percpu, rss_stat[MM_SHMEMPAGES].count);
	file = (u64)BPF_CORE_READ(percpu, rss_stat[MM_FILEPAGES].counters);
	anon = (u64)BPF_CORE_READ(percpu, rss_stat[MM_ANONPAGES].counters);
	shmem = (u64)BPF_CORE_READ(percpu, rss_stat[MM_SHMEMPAGES].counters);
	for (u32 cpu = 0; cpu < RSS_MAX_CPUS; cpu++)
		if (!rss_add_cpu(file, anon, shmem, cpu))
			break;
	*rss = *sum;
}

#endif
