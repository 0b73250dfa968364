//! The record of vfsstat.

use common::bpf::mmap::words;
use common::measure::counters::{Delta, busiest};
use common::output::Row;
use common::owner::{Options, Owner};
use schemars::JsonSchema;
use serde::Serialize;

use crate::skel::types::{counter as Counter, counters};

/// How many counters there are in a bank.
pub const COUNTERS: usize = words::<counters>();
/// The place of the counter of losses.
pub const LOST: usize = Counter::LOST.0 as usize;
/// The counters of calls, of all kinds.
const CALLS: [Counter; 8] = [
    Counter::READS,
    Counter::WRITES,
    Counter::OPENS,
    Counter::UNLINKS,
    Counter::MKDIRS,
    Counter::RMDIRS,
    Counter::RENAMES,
    Counter::FSYNCS,
];

/// The calls of an interval. Each count includes the failed ones, which its `_errors` counts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OperationCounts {
    /// The owner of the calls, with --by.
    #[serde(flatten)]
    pub owner: Owner,
    /// Calls of read, pread, readv, preadv and preadv2, on anything that has a descriptor.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub reads: u64,
    /// Bytes that they returned.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "bytes"))]
    pub read_bytes: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub read_errors: u64,
    /// Those with a vector: readv, preadv, preadv2.
    #[schemars(extend("x-kind" = "counter"))]
    pub readvs: u64,
    /// Calls of write, pwrite, writev, pwritev and pwritev2.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub writes: u64,
    /// Bytes that they took.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "bytes"))]
    pub write_bytes: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub write_errors: u64,
    /// Those with a vector: writev, pwritev, pwritev2.
    #[schemars(extend("x-kind" = "counter"))]
    pub writevs: u64,
    /// Calls of open, creat, openat and openat2.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub opens: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-alarm" = true))]
    pub open_errors: u64,
    /// Opens that created a file, and failed opens with O_CREAT or O_TMPFILE if the hook sees them.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4))]
    pub creates: u64,
    /// Opens with O_CREAT or O_TMPFILE that failed. Null if the hook does not see them.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub create_errors: Option<u64>,
    /// Calls of unlink, and of unlinkat for files.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4))]
    pub unlinks: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub unlink_errors: u64,
    /// Calls of mkdir and mkdirat.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 5))]
    pub mkdirs: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub mkdir_errors: u64,
    /// Calls of rmdir, and of unlinkat for directories.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 5))]
    pub rmdirs: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub rmdir_errors: u64,
    /// Calls of rename, renameat and renameat2.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 5))]
    pub renames: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub rename_errors: u64,
    /// Calls of fsync and fdatasync.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3))]
    pub fsyncs: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub fsync_errors: u64,
    /// Writes that return only when their data is on the disk (O_SYNC, O_DSYNC, RWF_SYNC, RWF_DSYNC, a synchronous file
    /// or mount). Null if the hook does not see them.
    #[schemars(extend("x-kind" = "counter"))]
    pub synced_writes: Option<u64>,
}

/// What the hooks taken see that others do not.
#[derive(Clone, Copy, Debug)]
pub struct Sees {
    /// Failed opens with O_CREAT or O_TMPFILE.
    pub create_errors: bool,
    /// Synchronous writes.
    pub synced_writes: bool,
}

impl OperationCounts {
    /// A record for each owner, the busiest first; an empty one if there were no calls.
    pub fn of(added: Delta<COUNTERS>, options: &Options, sees: Sees) -> Vec<Self> {
        let added = busiest(added, options, |added| CALLS.iter().map(|call| added[call.0 as usize]).sum());
        added.into_iter().map(|(owner, added)| Self::new(owner, &added, sees)).collect()
    }

    /// From what was added to the counters.
    fn new(owner: Owner, added: &[u64; COUNTERS], sees: Sees) -> Self {
        let of = |counter: Counter| added[counter.0 as usize];
        Self {
            owner,
            reads: of(Counter::READS),
            read_bytes: of(Counter::READ_BYTES),
            read_errors: of(Counter::READ_ERRORS),
            readvs: of(Counter::READVS),
            writes: of(Counter::WRITES),
            write_bytes: of(Counter::WRITE_BYTES),
            write_errors: of(Counter::WRITE_ERRORS),
            writevs: of(Counter::WRITEVS),
            opens: of(Counter::OPENS),
            open_errors: of(Counter::OPEN_ERRORS),
            creates: of(Counter::CREATES),
            create_errors: sees.create_errors.then(|| of(Counter::CREATE_ERRORS)),
            unlinks: of(Counter::UNLINKS),
            unlink_errors: of(Counter::UNLINK_ERRORS),
            mkdirs: of(Counter::MKDIRS),
            mkdir_errors: of(Counter::MKDIR_ERRORS),
            rmdirs: of(Counter::RMDIRS),
            rmdir_errors: of(Counter::RMDIR_ERRORS),
            renames: of(Counter::RENAMES),
            rename_errors: of(Counter::RENAME_ERRORS),
            fsyncs: of(Counter::FSYNCS),
            fsync_errors: of(Counter::FSYNC_ERRORS),
            synced_writes: sees.synced_writes.then(|| of(Counter::SYNCED_WRITES)),
        }
    }
}

impl Row for OperationCounts {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_land_in_their_fields() {
        let sees = Sees { create_errors: true, synced_writes: true };
        let counts = OperationCounts::new(Owner::default(), &std::array::from_fn(|i| i as u64), sees);
        assert_eq!((counts.reads, counts.read_errors, counts.read_bytes, counts.readvs), (0, 1, 2, 3));
        assert_eq!(
            (counts.opens, counts.open_errors, counts.creates, counts.create_errors),
            (8, 9, 10, Some(11))
        );
        assert_eq!((counts.renames, counts.fsyncs, counts.fsync_errors), (18, 20, 21));
        assert_eq!((counts.synced_writes, LOST), (Some(22), 23));
        let sees = Sees { create_errors: false, synced_writes: false };
        let counts = OperationCounts::new(Owner::default(), &[1; COUNTERS], sees);
        assert_eq!((counts.create_errors, counts.synced_writes), (None, None));
    }
}
