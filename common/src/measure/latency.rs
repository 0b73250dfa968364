//! Timed calls: how long they took and how many failed, for the system or for each owner.

use cli::exit::Result;
use libbpf_rs::Object;
use record::histogram::Hist;

use super::per_key::{self, KeyDelta, PerKey, Total};
use crate::bpf::globals::map;
use crate::bpf::layouts::{raw_hist, stats};
use crate::owner::Options;

impl Total for stats {
    /// Errors and the sum of durations.
    type Head = [u64; 2];
}

/// What was measured under a key.
#[derive(Default)]
pub struct CallStats {
    /// Calls that failed.
    pub errors: u64,
    /// How long all of them took.
    pub duration: Hist,
}

impl CallStats {
    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        // An error may be counted an instant before its call.
        self.errors == 0 && self.duration.count() == 0
    }
}

/// The latencies of a number of keys.
pub struct CallLatencies<'a> {
    totals: PerKey<'a, stats>,
    keys: usize,
    options: &'a Options,
}

impl<'a> CallLatencies<'a> {
    /// The totals of a loaded object, with this many banks to a key.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has none.
    pub fn of(object: &'a Object, keys: usize, banks: u32, options: &'a Options) -> Result<Self> {
        Ok(Self { totals: PerKey::of(object, &map(object, "stats")?, banks, options)?, keys, options })
    }

    /// What was measured since the last call: by key, and under each key the busiest owner first;
    /// with --top, the others last.
    ///
    /// # Errors
    /// When the kernel refuses the read.
    pub fn since_last(&mut self) -> Result<Vec<KeyDelta<CallStats>>> {
        let mut deltas = self.totals.since_last(0..self.keys, |sum: &mut CallStats, total| {
            sum.errors += total.errors;
            sum.duration.add_raw(raw_hist(&total.duration));
        })?;
        deltas.retain(|delta| !delta.measured.is_empty());
        let merge = |sum: &mut CallStats, more: &CallStats| {
            sum.errors += more.errors;
            sum.duration.add(&more.duration);
        };
        Ok(per_key::busiest(deltas, self.options, |measured| measured.duration.count(), merge))
    }
}
