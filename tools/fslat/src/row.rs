//! The records of fslat.

use common::measure::latency::{self, CallStats};
use common::measure::per_key::KeyDelta;
use common::output::{Distribution, Row, or_null};
use common::owner::{By, Owner};
use record::histogram::Hist;
use record::statistics::Latency;
use schemars::JsonSchema;
use serde::Serialize;

pub use crate::skel::names::{FS as FILE_SYSTEMS, OP as OPS};

/// How often an operation was asked of a file system in an interval, and how long it took: those that ended in it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Ops {
    /// ext4, xfs, btrfs, nfs, overlay, tmpfs or zfs; null in the record of an interval without any operation.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7, "enum" = or_null(FILE_SYSTEMS)))]
    pub fs: Option<&'static str>,
    /// read, write, open, sync (fsync and fdatasync), and of nfs getattr; null as fs is.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7, "enum" = or_null(OPS)))]
    pub op: Option<&'static str>,
    /// The owner of the operations, with --by.
    #[serde(flatten)]
    pub owner: Owner,
    /// From the entry of the file system's function to its return, or of the system call's.
    #[serde(flatten)]
    pub duration: Latency,
    /// Operations that failed. They count in the latencies too.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-alarm" = true))]
    pub errors: u64,
    #[serde(flatten)]
    pub distribution: Distribution,
}

impl Ops {
    /// The records of an interval: one per file system and operation with activity, and per owner
    /// with --by; else one of an idle interval.
    pub fn of(deltas: Vec<KeyDelta<CallStats>>, by: By, buckets: bool) -> Vec<Self> {
        latency::rows(deltas, |delta| Self::new(delta, buckets), || Self::idle(Owner::unknown(by), buckets))
    }

    fn new(delta: KeyDelta<CallStats>, buckets: bool) -> Option<Self> {
        let KeyDelta { owner, key, measured } = delta;
        Some(Self {
            fs: Some(*FILE_SYSTEMS.get(key / OPS.len())?),
            op: Some(OPS[key % OPS.len()]),
            owner,
            duration: measured.duration.summary().into(),
            errors: measured.errors,
            distribution: Distribution::of(&measured.duration, buckets),
        })
    }

    /// The record of an interval without any operation: the tool is idle, not dead.
    fn idle(owner: Owner, buckets: bool) -> Self {
        Self { owner, distribution: Distribution::of(&Hist::default(), buckets), ..Self::default() }
    }
}

impl Row for Ops {
    fn distribution(&self) -> Option<&Distribution> {
        Some(&self.distribution)
    }
}

/// One operation, at the time of its return (`--events`).
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
    /// ext4, xfs, btrfs, nfs, overlay, tmpfs or zfs.
    #[schemars(extend("x-kind" = "key", "x-rank" = 2, "x-width" = 7, "enum" = FILE_SYSTEMS))]
    pub fs: &'static str,
    /// read, write, open, sync or getattr.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7, "enum" = OPS))]
    pub op: &'static str,
    /// The file; null if its descriptor was closed during the call.
    #[schemars(extend("x-kind" = "text", "x-rank" = 1, "x-cut" = "middle"))]
    pub path: Option<String>,
    /// Bytes read or written; null of other operations, and of those that failed or have only begun.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-unit" = "bytes"))]
    pub bytes: Option<u64>,
    /// Where in the file, in bytes; null of other operations, and of those that have only begun.
    #[schemars(extend("x-kind" = "value", "x-rank" = 4, "x-unit" = "bytes"))]
    pub offset: Option<u64>,
    /// From the entry to the return, in microseconds.
    #[schemars(extend("x-kind" = "value", "x-rank" = 1, "x-unit" = "microseconds"))]
    pub duration_us: f64,
    /// What it returned: a count of bytes, 0, of a system call that opens the descriptor, or the negative number of the
    /// error; -529 (EIOCBQUEUED) of an asynchronous request, which has only begun.
    #[schemars(extend("x-kind" = "value", "x-rank" = 3))]
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
    fn an_operation_has_a_record_where_it_was_done() {
        let delta = KeyDelta { owner: Owner::default(), key: OPS.len(), measured: measured(3, 1) };
        let row = &Ops::of(vec![delta], By::System, true)[0];
        let duration = row.duration.get().unwrap();
        assert_eq!((row.fs, row.op, duration.count, row.errors), (Some("xfs"), Some("read"), 3, 1));
        assert_eq!((duration.mean, row.distribution.buckets.clone()), (Some(100.0), Some(vec![(102.4, 3)])));
    }

    #[test]
    fn an_idle_interval_names_nothing() {
        let row = &Ops::of(vec![], By::System, true)[0];
        assert_eq!(
            (row.fs, row.op, row.errors, row.distribution.buckets.clone()),
            (None, None, 0, Some(vec![]))
        );
        assert!(row.duration.get().is_none());
    }
}
