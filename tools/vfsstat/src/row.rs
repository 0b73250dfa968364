//! The record of vfsstat.

use common::measure::counters::{Delta, busiest};
use common::output::Row;
use common::owner::{Options, Owner};
use schemars::JsonSchema;
use serde::Serialize;

/// How many counters there are in a bank: `MAX_COUNTERS` of `bpf/vfsstat.bpf.c`, rounded up to whole cache lines.
pub const COUNTERS: usize = 24;
/// The index of the counter of losses: `LOST` of `bpf/vfsstat.bpf.c`.
pub const LOST: usize = 22;
/// The indices of the counters of calls, of all kinds.
const CALLS: [usize; 8] = [0, 4, 8, 12, 14, 16, 18, 20];

/// The calls of an interval. Each count includes the failed ones, which its `_errors` counts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OperationCounts {
    /// The owner of the calls, with --by.
    #[serde(flatten)]
    pub owner: Owner,
    /// Calls of read, pread, readv, preadv and preadv2, on anything that has a descriptor.
    #[schemars(extend("x-kind" = "counter"))]
    pub reads: u64,
    /// Bytes that they returned.
    #[schemars(extend("x-kind" = "counter", "x-unit" = "bytes"))]
    pub read_bytes: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter"))]
    pub read_errors: u64,
    /// Those with a vector: readv, preadv, preadv2.
    #[schemars(extend("x-kind" = "counter"))]
    pub readvs: u64,
    /// Calls of write, pwrite, writev, pwritev and pwritev2.
    #[schemars(extend("x-kind" = "counter"))]
    pub writes: u64,
    /// Bytes that they took.
    #[schemars(extend("x-kind" = "counter", "x-unit" = "bytes"))]
    pub write_bytes: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter"))]
    pub write_errors: u64,
    /// Those with a vector: writev, pwritev, pwritev2.
    #[schemars(extend("x-kind" = "counter"))]
    pub writevs: u64,
    /// Calls of open, creat, openat and openat2.
    #[schemars(extend("x-kind" = "counter"))]
    pub opens: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter"))]
    pub open_errors: u64,
    /// Opens that created a file, and failed opens with O_CREAT if the hook sees them.
    #[schemars(extend("x-kind" = "counter"))]
    pub creates: u64,
    /// Opens with O_CREAT that failed. Null if the hook does not see them.
    #[schemars(extend("x-kind" = "counter"))]
    pub create_errors: Option<u64>,
    /// Calls of unlink, and of unlinkat for files.
    #[schemars(extend("x-kind" = "counter"))]
    pub unlinks: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter"))]
    pub unlink_errors: u64,
    /// Calls of mkdir and mkdirat.
    #[schemars(extend("x-kind" = "counter"))]
    pub mkdirs: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter"))]
    pub mkdir_errors: u64,
    /// Calls of rmdir, and of unlinkat for directories.
    #[schemars(extend("x-kind" = "counter"))]
    pub rmdirs: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter"))]
    pub rmdir_errors: u64,
    /// Calls of rename, renameat and renameat2.
    #[schemars(extend("x-kind" = "counter"))]
    pub renames: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter"))]
    pub rename_errors: u64,
    /// Calls of fsync and fdatasync.
    #[schemars(extend("x-kind" = "counter"))]
    pub fsyncs: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter"))]
    pub fsync_errors: u64,
}

impl OperationCounts {
    /// A record for each owner, the busiest first; an empty one if there were no calls.
    pub fn of(added: Delta<COUNTERS>, options: &Options, sees_create_errors: bool) -> Vec<Self> {
        let added = busiest(added, options, |added| CALLS.iter().map(|place| added[*place]).sum());
        added.into_iter().map(|(owner, added)| Self::new(owner, &added, sees_create_errors)).collect()
    }

    /// From what was added to the counters, in the order of `enum counter` in `bpf/vfsstat.bpf.c`.
    fn new(owner: Owner, added: &[u64; COUNTERS], sees_create_errors: bool) -> Self {
        let &[
            reads,
            read_errors,
            read_bytes,
            readvs,
            writes,
            write_errors,
            write_bytes,
            writevs,
            opens,
            open_errors,
            creates,
            create_errors,
            unlinks,
            unlink_errors,
            mkdirs,
            mkdir_errors,
            rmdirs,
            rmdir_errors,
            renames,
            rename_errors,
            fsyncs,
            fsync_errors,
            ..,
        ] = added;
        Self {
            owner,
            reads,
            read_bytes,
            read_errors,
            readvs,
            writes,
            write_bytes,
            write_errors,
            writevs,
            opens,
            open_errors,
            creates,
            create_errors: sees_create_errors.then_some(create_errors),
            unlinks,
            unlink_errors,
            mkdirs,
            mkdir_errors,
            rmdirs,
            rmdir_errors,
            renames,
            rename_errors,
            fsyncs,
            fsync_errors,
        }
    }
}

impl Row for OperationCounts {
    const TABLE: &'static [&'static str] = &[
        Owner::COLUMN,
        "reads",
        "read_bytes",
        "writes",
        "write_bytes",
        "opens",
        "open_errors",
        "creates",
        "unlinks",
        "mkdirs",
        "rmdirs",
        "renames",
        "fsyncs",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_land_in_their_fields() {
        let counts = OperationCounts::new(Owner::default(), &std::array::from_fn(|i| i as u64), true);
        assert_eq!((counts.reads, counts.read_errors, counts.read_bytes, counts.readvs), (0, 1, 2, 3));
        assert_eq!(
            (counts.opens, counts.open_errors, counts.creates, counts.create_errors),
            (8, 9, 10, Some(11))
        );
        assert_eq!((counts.renames, counts.fsyncs, counts.fsync_errors), (18, 20, 21));
        assert_eq!(OperationCounts::new(Owner::default(), &[1; COUNTERS], false).create_errors, None);
    }
}
