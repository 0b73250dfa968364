//! The BPF programs' totals per disk and operation, and what they measured in an interval.

use std::ffi::CStr;

use cli::exit::Result;
use common::bpf::plain::Plain;
use common::measure::per_key::{self, KeyDelta, PerKey, Total, busiest};
use common::owner::{Options, Owner};
use record::histogram::RawHist;

use crate::row::{Io, IoStats, OPS};

/// `MAX_DISKS` in `bpf/biolat/disks.h`.
const MAX_DISKS: usize = 1024;
/// Slots for disks that are added later, if there are few now.
const MIN_SLOTS: usize = 32;
/// Slots for each existing disk: in an emptier table a slot is found sooner.
const SLOTS_PER_DISK: usize = 2;
const NAME_LEN: usize = 32;

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

/// `struct stats` in `bpf/biolat.bpf.c`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Stats {
    bytes: u64,
    errors: u64,
    device: RawHist,
    queue: RawHist,
}

// SAFETY: integers and arrays of them, in the layout of the C struct.
unsafe impl Plain for Stats {}

impl Total for Stats {
    const EMPTY: &'static Self = &Self { bytes: 0, errors: 0, device: RawHist::EMPTY, queue: RawHist::EMPTY };

    /// Bytes, errors and the sum of device times.
    type Head = [u64; 3];

    fn head(&self) -> [u64; 3] {
        [self.bytes, self.errors, self.device.sum_ns]
    }
}

/// What was measured since the last call: a record per disk and operation with activity, and per
/// owner with --by; else one record of an idle interval. `names` are the BPF programs' `disk_name`.
///
/// # Errors
/// When the kernel refuses the read.
pub fn since_last(
    totals: &mut PerKey<'_, Stats>,
    names: &[[i8; NAME_LEN]],
    options: &Options,
    buckets: bool,
) -> Result<Vec<Io>> {
    let present = names.iter().enumerate().filter(|(_, name)| name[0] != 0);
    let keys = present.flat_map(|(slot, _)| slot * OPS.len()..(slot + 1) * OPS.len());
    let mut deltas = totals.since_last(keys, |sum: &mut IoStats, total| {
        sum.bytes += total.bytes;
        sum.errors += total.errors;
        sum.device.add_raw(&total.device);
        sum.queue.add_raw(&total.queue);
    })?;
    // When a part of a request has completed, its bytes are counted before the rest.
    deltas.retain(|delta| delta.measured.device.count() > 0 || delta.measured.bytes > 0);
    let deltas = busiest(deltas, options, |measured| measured.device.count(), IoStats::add);
    let mut rows: Vec<_> = deltas.into_iter().filter_map(|delta| row(delta, names, buckets)).collect();
    rows.sort_by(|a, b| a.disk.cmp(&b.disk));
    if rows.is_empty() {
        rows.push(Io::idle(Owner::unknown(options.by), buckets));
    }
    Ok(rows)
}

fn row(delta: KeyDelta<IoStats>, names: &[[i8; NAME_LEN]], buckets: bool) -> Option<Io> {
    let name = names.get(delta.key / OPS.len())?;
    Some(Io::new(text(name), OPS[delta.key % OPS.len()], delta.owner, &delta.measured, buckets))
}

fn text(name: &[i8; NAME_LEN]) -> String {
    let bytes = name.map(|byte| byte as u8);
    CStr::from_bytes_until_nul(&bytes).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
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
