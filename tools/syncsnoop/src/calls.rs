//! The kernel side's totals per call, and what came to them in an interval.

use std::cmp::Reverse;

use common::banks::Plain;
use common::exit::Result;
use common::hist::RawHist;
use common::owner::{By, Owner};
use common::totals::{Kept, Total};

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

/// What came since the last look: a record per call that was made, and per owner where they are kept apart; else one
/// that says that none was.
///
/// # Errors
/// When the kernel does not let it be read.
pub fn since_last(kept: &mut Kept<'_, Stats>, by: By, buckets: bool) -> Result<Vec<Calls>> {
    let mut came = kept.since_last(CALLS.len(), |sum: &mut Measured, now, before| {
        sum.errors += now.errors.wrapping_sub(before.errors);
        sum.duration.add_difference(&now.duration, &before.duration);
    })?;
    came.sort_by_cached_key(|came| (came.key, Reverse(came.measured.duration.count())));
    let rows = came.into_iter();
    let mut rows: Vec<_> = rows
        .filter_map(|came| Calls::new(CALLS.get(came.key)?, came.owner, &came.measured, buckets))
        .collect();
    if rows.is_empty() {
        rows.push(Calls::idle(Owner::nobody(by), buckets));
    }
    Ok(rows)
}
