/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The disks that were seen, each in a slot of a table that user space reads. */
#ifndef EF_BIOLAT_DISKS_H
#define EF_BIOLAT_DISKS_H

#include "inflight.h"

#define MAX_DISKS 1024
/* Slots that are probed for one disk: with a table that is half full, one or two suffice. */
#define DISK_PROBES 8

#define MAX_ASKED_DISKS 16

/* --disk. Constant: a filter that is not set costs nothing. */
struct disk_filter {
	u64 key[MAX_ASKED_DISKS];
	u64 disks; /* how many of them are set; 0: any disk */
};

const volatile struct disk_filter disk_filter = {};

/* Slots for disks, a power of two, less one. */
const volatile u32 disk_mask = 0;

/* A disk takes a slot when it is first seen. */
u64 disk_key[MAX_DISKS] = {};
char disk_name[MAX_DISKS][DISK_NAME_LEN] = {};

/* For kernels without compare-and-exchange: which disk has taken a slot. Entering a key that is not
 * there is as atomic, and done once for each disk. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_DISKS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, u64);
} disk_taken SEC(".maps");

/* Fibonacci hashing: minor numbers often come in steps of 16. */
static __always_inline u32 disk_hash(u64 key)
{
	return key * 0x9e3779b97f4a7c15ULL >> 32;
}

/*
 * The slot of a disk, or -1 if the table is full. A free slot is taken: the caller finds its name
 * empty. A global function: the verifier checks it once.
 */
__noinline int disk_slot(u64 key)
{
	u32 slot = disk_hash(key);

	for (u32 i = 0; i < DISK_PROBES; i++, slot++) {
		u64 *at = &disk_key[slot & disk_mask & (MAX_DISKS - 1)];
		u64 found = *at;

		if (!found)
			found = __sync_val_compare_and_swap(at, 0, key);
		if (!found || found == key)
			return slot & disk_mask;
	}
	return -1;
}

/* Takes a slot for a disk, or finds that another processor was quicker: the key that it then has; 0
 * if there is no memory. */
static __always_inline u64 take_slot(u32 slot, u64 key)
{
	u64 *taken;

	bpf_map_update_elem(&disk_taken, &slot, &key, BPF_NOEXIST);
	taken = bpf_map_lookup_elem(&disk_taken, &slot);
	return taken ? *taken : 0;
}

/* The same without compare-and-exchange. */
__noinline int disk_slot_by_map(u64 key)
{
	u32 hash = disk_hash(key);

	for (u32 i = 0; i < DISK_PROBES; i++) {
		u32 slot = (hash + i) & disk_mask & (MAX_DISKS - 1);
		u64 found = disk_key[slot];

		if (!found) {
			found = take_slot(slot, key);
			if (!found)
				return -1;
			/* Two processors write the same. */
			disk_key[slot] = found;
		}
		if (found == key)
			return slot;
	}
	return -1;
}

/* Never 0, which means a free slot. Hidden disks have numbers, too. */
static __always_inline u64 key_of_disk(struct gendisk *disk)
{
	return 1ULL << 63 | (u64)disk->major << 20 | disk->first_minor;
}

static __always_inline bool is_asked_for(struct gendisk *disk)
{
	u64 key;

	if (!disk_filter.disks)
		return true;
	key = key_of_disk(disk);
	for (u32 i = 0; i < MAX_ASKED_DISKS && i < disk_filter.disks; i++)
		if (disk_filter.key[i] == key)
			return true;
	return false;
}

/* The slot of a disk; negative if it is not asked for, or, counted as lost, if there is none. */
static __always_inline int slot_of(enum inflight_store store, struct gendisk *disk)
{
	u64 key = key_of_disk(disk);
	u32 index;
	int slot;

	if (!is_asked_for(disk))
		return -1;
	slot = store == HASH ? disk_slot_by_map(key) : disk_slot(key);
	index = slot;
	if (slot < 0) {
		count(LOST, 1);
		return -1;
	}
	index &= MAX_DISKS - 1;
	/* Two processors may both write the name of a new disk: the same name. */
	if (!disk_name[index][0])
		BPF_CORE_READ_STR_INTO(&disk_name[index], disk, disk_name);
	return index;
}

#endif
