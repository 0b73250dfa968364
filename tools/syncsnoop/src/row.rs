//! The records of syncsnoop.

use common::hist::{Hist, Latency};
use common::output::Row;
use common::owner::Owner;
use schemars::JsonSchema;
use serde::Serialize;

/// The calls, in the order of `enum call` in `bpf/syncsnoop.bpf.c`.
pub const CALLS: [&str; 6] = ["sync", "syncfs", "fsync", "fdatasync", "msync", "sync_file_range"];
/// Letters of the longest call's name, and of the longest command's.
const LONGEST: usize = 15;
/// Columns of the small picture: factors of four from 1 µs to 4 s and more.
const SKETCH: usize = 12;

/// How often a call was made in an interval, and how long it took: those that returned in it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Calls {
    /// sync, syncfs, fsync, fdatasync, msync or sync_file_range; null in the record of an interval without any call.
    pub call: Option<&'static str>,
    /// Whose calls they were, with --by.
    #[serde(flatten)]
    pub owner: Owner,
    /// From the call's entry to its exit.
    #[serde(flatten)]
    pub duration: Latency,
    /// Calls that failed. They count in the latencies too.
    pub errors: u64,
    /// With --buckets: the histogram, as [upper bound in microseconds, count].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Vec<(f64, u64)>>,
    #[serde(skip)]
    sketch: Option<Vec<u64>>,
}

/// What came to the totals of a call.
#[derive(Default)]
pub struct Measured {
    pub errors: u64,
    pub duration: Hist,
}

impl Calls {
    /// The record of a call; nothing where it was not made.
    pub fn new(call: &'static str, owner: Owner, measured: &Measured, buckets: bool) -> Option<Self> {
        let duration: Latency = measured.duration.summary().into();
        (duration.count > 0 || measured.errors > 0).then(|| Self {
            call: Some(call),
            owner,
            duration,
            errors: measured.errors,
            buckets: buckets.then(|| measured.duration.non_empty()),
            sketch: Some(measured.duration.coarse(SKETCH)),
        })
    }

    /// The record of an interval without any call: idle, not dead.
    pub fn idle(owner: Owner, buckets: bool) -> Self {
        Self { owner, buckets: buckets.then(Vec::new), sketch: Some(vec![0; SKETCH]), ..Self::default() }
    }
}

impl Row for Calls {
    const TABLE: &'static [&'static str] =
        &["call", "pid", "comm", "cgroup", "count", "mean_us", "p50_us", "p99_us", "max_us", "errors"];
    const WIDTHS: &'static [(&'static str, usize)] = &[("call", LONGEST), Owner::WIDTHS[0], Owner::WIDTHS[1]];

    fn sketch(&self) -> Option<Vec<u64>> {
        self.sketch.clone()
    }

    fn drawn(&self) -> Vec<(&'static str, &[(f64, u64)])> {
        self.buckets.iter().map(|buckets| ("us", buckets.as_slice())).collect()
    }
}

/// One call, at the time of its return (`--events`).
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Event {
    /// The process.
    pub pid: u32,
    /// The thread; equal to pid for a process's first thread.
    pub tid: u32,
    /// The thread's command name, at most 15 bytes.
    pub comm: String,
    /// sync, syncfs, fsync, fdatasync, msync or sync_file_range.
    pub call: &'static str,
    /// The descriptor that it was given; null for sync and msync, which take none.
    pub fd: Option<i32>,
    /// The file behind the descriptor; null where there is none, or where it was closed meanwhile.
    pub path: Option<String>,
    /// From the call's entry to its exit, in microseconds.
    pub duration_us: f64,
    /// What it returned: 0, or the negative number of the error.
    pub ret: i64,
}

impl Row for Event {
    const TABLE: &'static [&'static str] = &["pid", "comm", "call", "fd", "duration_us", "ret"];
    const TAIL: Option<&'static str> = Some("path");
    const WIDTHS: &'static [(&'static str, usize)] = &[("comm", LONGEST), ("call", LONGEST)];
}

#[cfg(test)]
mod tests {
    use common::hist::RawHist;

    use super::*;

    fn measured(calls: u32, errors: u64) -> Measured {
        let mut now = RawHist { sum_ns: 100_000 * u64::from(calls), ..RawHist::EMPTY };
        // 2^16 ns, and its upper half: from 98 304 to 102 400 ns.
        now.buckets[(12 << 4) + 24] = calls;
        let mut duration = Hist::default();
        duration.add_difference(&now, &RawHist::EMPTY);
        Measured { errors, duration }
    }

    #[test]
    fn a_call_has_a_record_where_it_was_made() {
        let row = Calls::new("fsync", Owner::default(), &measured(3, 1), true).unwrap();
        assert_eq!((row.call, row.duration.count, row.errors), (Some("fsync"), 3, 1));
        assert_eq!((row.duration.mean_us, row.buckets), (Some(100.0), Some(vec![(102.4, 3)])));
        assert!(Calls::new("fsync", Owner::default(), &measured(0, 0), true).is_none());
    }

    #[test]
    fn an_error_that_is_there_before_its_call_is_not_dropped() {
        let row = Calls::new("sync", Owner::default(), &measured(0, 1), false).unwrap();
        assert_eq!((row.duration.count, row.errors, row.duration.p50_us, row.buckets), (0, 1, None, None));
    }

    #[test]
    fn an_idle_interval_names_no_call() {
        let row = Calls::idle(Owner::default(), true);
        assert_eq!((row.call, row.duration.count, row.errors, row.buckets), (None, 0, 0, Some(vec![])));
    }
}
