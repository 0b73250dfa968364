//! The BPF programs' totals per disk and operation, and what they measured in an interval.

use cli::exit::Result;
use common::bpf::bytes::{chars, text};
use common::bpf::layouts::raw_hist;
use common::bpf::plain::{Plain, length};
use common::measure::per_key::{self, KeyDelta, PerKey, Total, busiest};
use common::owner::{Options, Owner};

use crate::row::{Io, IoStats, OPS};
use crate::skel::types;

/// The slots that the BPF programs have room for.
const MAX_DISKS: usize = length(|of: &types::bss| &of.disk_key);
/// Slots for disks that are added later, if there are few now.
const MIN_SLOTS: usize = 32;
/// Slots for each existing disk: in an emptier table a slot is found sooner.
const SLOTS_PER_DISK: usize = 2;
/// A disk's name.
pub type Name = [i8; length(|of: &types::bss| &of.disk_name[0])];

/// The number of slots for this number of disks: a power of two.
pub fn slot_count(disks: usize) -> u32 {
    (disks * SLOTS_PER_DISK).next_power_of_two().clamp(MIN_SLOTS, MAX_DISKS) as u32
}

/// How many disks there are now.
pub fn present() -> usize {
    std::fs::read_dir("/sys/block").map_or(0, Iterator::count)
}

/// How many entries the map `stats` needs.
pub fn entries(slots: u32, banks: u32) -> u32 {
    per_key::entries(slots * OPS.len() as u32, banks)
}

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for types::stats {}
// SAFETY: as above.
unsafe impl Plain for types::hist {}

impl Total for types::stats {
    /// Bytes, errors, flushes, writes past the cache and the sum of device times.
    type Head = [u64; 5];
}

/// What was measured since the last call: a record per disk and operation with activity, and per
/// owner with --by; else one record of an idle interval. `names` are the BPF programs' `disk_name`.
///
/// # Errors
/// When the kernel refuses the read.
pub fn since_last(
    totals: &mut PerKey<'_, types::stats>,
    names: &[Name],
    options: &Options,
    buckets: bool,
) -> Result<Vec<Io>> {
    let present = names.iter().enumerate().filter(|(_, name)| name[0] != 0);
    let keys = present.flat_map(|(slot, _)| slot * OPS.len()..(slot + 1) * OPS.len());
    let mut deltas = totals.since_last(keys, |sum: &mut IoStats, total| {
        sum.bytes += total.bytes;
        sum.errors += total.errors;
        sum.flushes += total.flushes;
        sum.fua += total.fua;
        sum.device.add_raw(raw_hist(&total.device));
        sum.queue.add_raw(raw_hist(&total.queue));
    })?;
    // When a part of a request has completed, its bytes are counted before the rest. What asks for a
    // flush is counted when it is queued.
    deltas.retain(|KeyDelta { measured, .. }| {
        measured.device.count() + measured.bytes + measured.flushes + measured.fua > 0
    });
    let deltas = busiest(deltas, options, |measured| measured.device.count(), IoStats::add);
    let mut rows: Vec<_> = deltas.into_iter().filter_map(|delta| row(delta, names, buckets)).collect();
    rows.sort_by(|a, b| a.disk.cmp(&b.disk));
    if rows.is_empty() {
        rows.push(Io::idle(Owner::unknown(options.by), buckets));
    }
    Ok(rows)
}

fn row(delta: KeyDelta<IoStats>, names: &[Name], buckets: bool) -> Option<Io> {
    let name = names.get(delta.key / OPS.len())?;
    Some(Io::new(text(chars(name)), OPS[delta.key % OPS.len()], delta.owner, &delta.measured, buckets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_disks_stays_at_most_half_full() {
        assert_eq!([0, 8, 9, 100, 5_000].map(slot_count), [32, 32, 32, 256, 1024]);
        assert_eq!(entries(32, 2), 512);
    }
}
