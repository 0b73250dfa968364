//! The kernel side's totals per file system and operation, and what came to them in an interval.

use common::banks::Plain;
use common::hist::RawHist;
use common::totals::{Total, Totals};

use crate::row::{FILE_SYSTEMS, Measured, OPS, Ops};

/// How many entries the map `stats` needs.
pub fn entries(banks: u32) -> u32 {
    (FILE_SYSTEMS.len() * OPS.len()) as u32 * banks
}

/// `struct stats` in `bpf/fslat.bpf.c`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Stats {
    errors: u64,
    duration: RawHist,
}

// SAFETY: integers and arrays of them, in the layout of the C struct.
unsafe impl Plain for Stats {}

impl Total for Stats {
    const EMPTY: &'static Self = &Self { errors: 0, duration: RawHist::EMPTY };

    /// Errors and the sum of durations.
    type Head = [u64; 2];

    fn head(&self) -> [u64; 2] {
        [self.errors, self.duration.sum_ns]
    }
}

/// What came since the last look: a record per file system and operation that was done, else one that says that none
/// was.
pub fn since_last(totals: &mut Totals<Stats>, buckets: bool) -> Vec<Ops> {
    let mut rows = Vec::new();
    for (index, fs) in FILE_SYSTEMS.into_iter().enumerate() {
        for (op_index, op) in OPS.into_iter().enumerate() {
            let mut measured = Measured::default();
            totals.since_last(index * OPS.len() + op_index, |now, before| {
                measured.errors += now.errors.wrapping_sub(before.errors);
                measured.duration.add_difference(&now.duration, &before.duration);
            });
            rows.extend(Ops::new(fs, op, &measured, buckets));
        }
    }
    if rows.is_empty() {
        rows.push(Ops::idle(buckets));
    }
    rows
}
