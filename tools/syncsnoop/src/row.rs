//! The records of syncsnoop.

use common::measure::latency::{self, CallStats};
use common::measure::per_key::KeyDelta;
use common::output::{Distribution, Row, or_null};
use common::owner::{By, Owner};
use record::histogram::Hist;
use record::statistics::Latency;
use schemars::JsonSchema;
use serde::Serialize;

pub use crate::skel::names::CALL as CALLS;

/// How often a call was made in an interval, and how long it took: those that returned in it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Calls {
    /// sync, syncfs, fsync, fdatasync, msync or sync_file_range; null in the record of an interval without any call.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15, "enum" = or_null(CALLS)))]
    pub call: Option<&'static str>,
    /// The owner of the calls, with --by.
    #[serde(flatten)]
    pub owner: Owner,
    /// From the call's entry to its exit.
    #[serde(flatten)]
    pub duration: Latency,
    /// Calls that failed. They count in the latencies too.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-alarm" = true))]
    pub errors: u64,
    #[serde(flatten)]
    pub distribution: Distribution,
}

impl Calls {
    /// The records of an interval: one per call that was made, and per owner with --by; else one of
    /// an idle interval.
    pub fn of(deltas: Vec<KeyDelta<CallStats>>, by: By, buckets: bool) -> Vec<Self> {
        latency::rows(deltas, |delta| Self::new(delta, buckets), || Self::idle(Owner::unknown(by), buckets))
    }

    fn new(delta: KeyDelta<CallStats>, buckets: bool) -> Option<Self> {
        let KeyDelta { owner, key, measured } = delta;
        Some(Self {
            call: Some(*CALLS.get(key)?),
            owner,
            duration: measured.duration.summary().into(),
            errors: measured.errors,
            distribution: Distribution::of(&measured.duration, buckets),
        })
    }

    /// The record of an interval without any call: the tool is idle, not dead.
    fn idle(owner: Owner, buckets: bool) -> Self {
        Self { owner, distribution: Distribution::of(&Hist::default(), buckets), ..Self::default() }
    }
}

impl Row for Calls {
    fn distribution(&self) -> Option<&Distribution> {
        Some(&self.distribution)
    }
}

/// One call, at the time of its return (`--events`).
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Event {
    /// The process.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7))]
    pub pid: u32,
    /// The thread; equal to pid for a process's first thread.
    #[schemars(extend("x-kind" = "key"))]
    pub tid: u32,
    /// The thread's command name, at most 15 bytes.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub comm: String,
    /// sync, syncfs, fsync, fdatasync, msync or sync_file_range.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15, "enum" = CALLS))]
    pub call: &'static str,
    /// The descriptor that it was given; null for sync and msync, which take none.
    #[schemars(extend("x-kind" = "value", "x-rank" = 3))]
    pub fd: Option<i32>,
    /// The file behind the descriptor; null if there is none, or if it was closed during the call.
    #[schemars(extend("x-kind" = "text", "x-rank" = 1, "x-cut" = "middle"))]
    pub path: Option<String>,
    /// From the call's entry to its exit, in microseconds.
    #[schemars(extend("x-kind" = "value", "x-rank" = 1, "x-unit" = "microseconds"))]
    pub duration_us: f64,
    /// What it returned: 0, or the negative number of the error.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2))]
    pub ret: i64,
}

impl Row for Event {
    const EVENT: bool = true;
}

#[cfg(test)]
mod tests {
    use record::histogram::RawHist;

    use super::*;

    fn measured(calls: u32, errors: u64) -> CallStats {
        let mut now = RawHist { sum_ns: 100_000 * u64::from(calls), ..RawHist::EMPTY };
        // 2^16 ns, and its upper half: from 98 304 to 102 400 ns.
        now.buckets[(12 << 4) + 24] = calls;
        let mut duration = Hist::default();
        duration.add_raw(&now);
        CallStats { errors, duration }
    }

    #[test]
    fn a_call_has_a_record_where_it_was_made() {
        let delta = |key, measured| KeyDelta { owner: Owner::default(), key, measured };
        let rows = Calls::of(vec![delta(2, measured(3, 1)), delta(0, measured(0, 1))], By::System, true);
        let [fsync, sync] = &rows[..] else { panic!("{rows:?}") };
        let of = |call: &Calls| call.duration.get().map(|of| (of.count, of.mean));
        assert_eq!((fsync.call, of(fsync), fsync.errors), (Some("fsync"), Some((3, Some(100.0))), 1));
        assert_eq!(fsync.distribution.buckets, Some(vec![(102.4, 3)]));
        assert_eq!((sync.call, of(sync), sync.errors), (Some("sync"), Some((0, None)), 1));
    }

    #[test]
    fn an_idle_interval_names_no_call() {
        let row = Calls::idle(Owner::default(), true);
        assert!(row.duration.get().is_none());
        assert_eq!((row.call, row.errors, row.distribution.buckets), (None, 0, Some(vec![])));
    }
}
