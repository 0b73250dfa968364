//! The kernel side's totals per call, and what came to them in an interval.

use common::banks::Plain;
use common::hist::RawHist;
use common::totals::{Total, Totals};

use crate::row::{CALLS, Calls, Measured};

/// How many entries the map `stats` needs.
pub fn entries(banks: u32) -> u32 {
    CALLS.len() as u32 * banks
}

/// `struct stats` in `bpf/syncsnoop.bpf.c`.
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

/// What came since the last look: a record per call that was made, else one that says that none was.
pub fn since_last(totals: &mut Totals<Stats>, buckets: bool) -> Vec<Calls> {
    let mut rows = Vec::new();
    for (key, call) in CALLS.into_iter().enumerate() {
        let mut measured = Measured::default();
        totals.since_last(key, |now, before| {
            measured.errors += now.errors.wrapping_sub(before.errors);
            measured.duration.add_difference(&now.duration, &before.duration);
        });
        rows.extend(Calls::new(call, &measured, buckets));
    }
    if rows.is_empty() {
        rows.push(Calls::idle(buckets));
    }
    rows
}
