//! The records of biolat.

use common::output::{Row, or_null, sketch};
use common::owner::Owner;
use record::histogram::Hist;
use record::statistics::{Latency, Statistics, Words};
use schemars::JsonSchema;
use serde::Serialize;

pub use crate::skel::names::OP as OPS;

/// What a disk did in an interval, for one kind of operation.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Io {
    /// The disk's name; null in the record of an interval without any I/O.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1))]
    pub disk: Option<String>,
    /// read, write, flush or discard.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "enum" = or_null(OPS)))]
    pub op: Option<&'static str>,
    /// The process, cgroup, … that made the requests, with --by.
    #[serde(flatten)]
    pub owner: Owner,
    /// Device time: from the request's issue to the driver to its completion.
    #[serde(flatten)]
    pub device: Latency,
    /// Time in the queue: from the request's making to its issue.
    #[serde(flatten)]
    pub queue: Statistics<InQueue>,
    /// Bytes that completed.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-unit" = "bytes"))]
    pub bytes: u64,
    /// Requests that completed with an error. They count in the latencies too.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4, "x-alarm" = true))]
    pub errors: u64,
    /// Requests of file systems and programs that asked for the disk's cache to be flushed first, with
    /// data or without, when they were queued. Without data they are of the op flush.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 5))]
    pub flushes: u64,
    /// Writes that asked to be past the disk's cache when they end (forced unit access), when they
    /// were queued.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 5))]
    pub fua: u64,
    /// With --buckets: the histogram of device time, as [upper bound in microseconds, count].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "buckets", "x-unit" = "microseconds"))]
    pub buckets: Option<Vec<(f64, u64)>>,
    /// With --buckets: the histogram of queue time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "buckets", "x-unit" = "microseconds"))]
    pub queue_buckets: Option<Vec<(f64, u64)>>,
    #[serde(skip)]
    sketch: Option<Vec<u64>>,
}

/// Time in the queue. Null for flushes, which the kernel makes at issue, for disks made of bios (dm, md, zram),
/// which have no queue, and for disks that keep no statistics (queue/iostats).
#[derive(Clone, Debug)]
pub struct InQueue;

impl Words for InQueue {
    const PREFIX: &'static str = "queue_";
    const COUNT: &'static str = "How many had a known time in the queue.";
    const OPTIONAL: bool = false;
    const VERB: &'static str = "waited";
    const NONE: &'static str = "";
    const RANKS: &'static [(&'static str, u8)] = &[("p99_us", 3)];
}

/// What was measured in an interval for one disk and operation.
#[derive(Default)]
pub struct IoStats {
    pub bytes: u64,
    pub errors: u64,
    pub flushes: u64,
    pub fua: u64,
    pub device: Hist,
    pub queue: Hist,
}

impl IoStats {
    /// Adds the measurements of another.
    pub fn add(&mut self, more: &Self) {
        self.bytes += more.bytes;
        self.errors += more.errors;
        self.flushes += more.flushes;
        self.fua += more.fua;
        self.device.add(&more.device);
        self.queue.add(&more.queue);
    }
}

impl Io {
    /// The record of a disk and operation that did something.
    pub fn new(disk: String, op: &'static str, owner: Owner, measured: &IoStats, buckets: bool) -> Self {
        Self {
            disk: Some(disk),
            op: Some(op),
            owner,
            device: measured.device.summary().into(),
            queue: measured.queue.summary().into(),
            bytes: measured.bytes,
            errors: measured.errors,
            flushes: measured.flushes,
            fua: measured.fua,
            buckets: buckets.then(|| measured.device.non_empty()),
            queue_buckets: buckets.then(|| measured.queue.non_empty()),
            sketch: Some(sketch(&measured.device)),
        }
    }

    /// The record of an interval without any I/O: the tool is idle, not dead.
    pub fn idle(owner: Owner, buckets: bool) -> Self {
        let empty = buckets.then(Vec::new);
        Self {
            owner,
            buckets: empty.clone(),
            queue_buckets: empty,
            sketch: Some(sketch(&Hist::default())),
            ..Self::default()
        }
    }
}

impl Row for Io {
    fn sketch(&self) -> Option<Vec<u64>> {
        self.sketch.clone()
    }

    fn drawn(&self) -> Vec<(&'static str, &[(f64, u64)])> {
        let titled = [("device us", &self.buckets), ("queue us", &self.queue_buckets)];
        titled.into_iter().filter_map(|(title, buckets)| Some((title, buckets.as_deref()?))).collect()
    }
}

/// One request, or of a disk made of bios one of those, at the time of its end (`--events`).
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Event {
    /// The disk's name.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1))]
    pub disk: String,
    /// read, write, flush or discard.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "enum" = OPS))]
    pub op: &'static str,
    /// The process that made it.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7))]
    pub pid: u32,
    /// The thread that made it; equal to pid for a process's first thread.
    #[schemars(extend("x-kind" = "key"))]
    pub tid: u32,
    /// The thread's command name, at most 15 bytes.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub comm: String,
    /// Its cgroup then: the path below the mount point of cgroup v2, as `/proc/PID/cgroup` has it.
    #[schemars(extend("x-kind" = "key", "x-cut" = "start"))]
    pub cgroup: String,
    /// Where it begins on the whole disk, in units of 512 bytes.
    #[schemars(extend("x-kind" = "value", "x-rank" = 3, "x-width" = 10))]
    pub sector: u64,
    /// Its bytes; 0 of a flush.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-unit" = "bytes"))]
    pub bytes: u64,
    /// Time in the queue: from its making to its issue. Null where an interval's record has none.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-unit" = "microseconds"))]
    pub queue_us: Option<f64>,
    /// Device time: from its issue to the driver to its end.
    #[schemars(extend("x-kind" = "value", "x-rank" = 1, "x-unit" = "microseconds"))]
    pub duration_us: f64,
    /// What the kernel asks of the driver: `sync|fua`, of sync, meta, preflush, fua and rahead; null if nothing of these.
    #[schemars(extend("x-kind" = "text", "x-rank" = 4))]
    pub flags: Option<String>,
    /// The error's number (errno); null if it ended well.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-alarm" = true))]
    pub errno: Option<u32>,
}

impl Row for Event {}
