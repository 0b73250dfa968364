//! The records of fdstat.

use common::bpf::mmap::words;
use common::measure::counters::{Delta, busiest};
use common::output::Row;
use common::owner::{Options, Owner};
use schemars::JsonSchema;
use serde::Serialize;

pub use crate::skel::types::counter as Counter;
use crate::skel::types::counters;

/// How many counters there are in a bank.
pub const COUNTERS: usize = words::<counters>();
/// The place of the counter of losses.
pub const LOST: usize = Counter::LOST.0 as usize;
/// A counter that the BPF programs do not use: user space keeps an owner's open descriptors here.
pub const FDS: usize = COUNTERS - 1;
const _: () = assert!(FDS >= Counter::MAX_COUNTERS.0 as usize, "the BPF programs use all counters");

/// What happened in an interval, and the descriptors at its end.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DescriptorCounts {
    /// The owner, with --by: the task that opens, closes or exits; of fds the process.
    #[serde(flatten)]
    pub owner: Owner,
    /// Files opened, or tried to: open, openat, openat2, creat, open_by_handle_at, and requests of io_uring.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub opens: u64,
    /// Opens that failed.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-alarm" = true))]
    pub open_errors: u64,
    /// Descriptors of any kind that came to be: of files, sockets, pipes, copies by dup, and those received over a
    /// socket; not by dup2 and dup3, which replace one. Null where they cannot be seen.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4))]
    pub created: Option<u64>,
    /// Calls of close, and requests of io_uring to close a descriptor; failed ones included.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub closes: u64,
    /// Closes that failed: of descriptors that were not open (EBADF), and those that reported an error of earlier writes
    /// (EIO, ENOSPC, EDQUOT: NFS, FUSE). The latter have closed the descriptor.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4, "x-alarm" = true))]
    pub close_errors: u64,
    /// Descriptors given up otherwise: by close_range, replaced by dup2 and dup3, at exec and exit. Null where they cannot
    /// be seen.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4))]
    pub dropped: Option<u64>,
    /// Descriptors that are open at the end of the interval: a gauge, not a count of events. A table that several
    /// processes share counts once. Null where tasks cannot be walked.
    #[schemars(extend("x-kind" = "gauge", "x-rank" = 2))]
    pub fds: Option<u64>,
}

/// What the hooks taken see that others do not.
#[derive(Clone, Copy, Debug)]
pub struct Sees {
    /// Descriptors that come to be.
    pub created: bool,
    /// Descriptors that are given up without a close.
    pub dropped: bool,
    /// Descriptors that are open.
    pub fds: bool,
}

impl DescriptorCounts {
    /// A record for each owner, the busiest first; an empty one if there were neither events nor descriptors.
    pub fn of(added: Delta<COUNTERS>, options: &Options, sees: Sees) -> Vec<Self> {
        const EVENTS: [Counter; 4] = [Counter::OPENS, Counter::CREATED, Counter::CLOSES, Counter::DROPPED];
        let added = busiest(added, options, |added| EVENTS.iter().map(|event| added[event.0 as usize]).sum());
        added.into_iter().map(|(owner, added)| Self::new(owner, &added, sees)).collect()
    }

    /// From what was added to the counters.
    fn new(owner: Owner, added: &[u64; COUNTERS], sees: Sees) -> Self {
        let of = |counter: Counter| added[counter.0 as usize];
        Self {
            owner,
            opens: of(Counter::OPENS),
            open_errors: of(Counter::OPEN_ERRORS),
            created: sees.created.then(|| of(Counter::CREATED)),
            closes: of(Counter::CLOSES),
            close_errors: of(Counter::CLOSE_ERRORS),
            dropped: sees.dropped.then(|| of(Counter::DROPPED)),
            fds: sees.fds.then(|| added[FDS]),
        }
    }
}

impl Row for DescriptorCounts {}

/// One event (`--events`), at the time when the call returns.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Event {
    /// What: open, open_error or close_error.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 11, "enum" = ["open", "open_error", "close_error"]))]
    pub event: &'static str,
    /// The process.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7))]
    pub pid: u32,
    /// The thread's command name, at most 15 bytes.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub comm: String,
    /// open, open_error: the path as the caller wrote it; a relative one with the directory before it. Null if there is
    /// none to read: of an open by handle, or at a bad address. close_error: the file; null if the descriptor was not open.
    #[schemars(extend("x-kind" = "text", "x-rank" = 1, "x-cut" = "middle"))]
    pub path: Option<String>,
    /// open, open_error: how it was to be opened, as in open(2): `O_WRONLY|O_CREAT`. Without O_LARGEFILE, which says
    /// nothing here.
    #[schemars(extend("x-kind" = "text"))]
    pub flags: Option<String>,
    /// open: the new descriptor; null if there is none, because io_uring keeps the file in a table of its own.
    /// close_error: the descriptor that was given.
    #[schemars(extend("x-kind" = "value", "x-rank" = 3))]
    pub fd: Option<i32>,
    /// open_error, close_error: the error's number (errno); null where it is not known.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-alarm" = true))]
    pub errno: Option<u32>,
    /// From the call's entry to its exit, in microseconds; null for a close of a descriptor that was not open.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-unit" = "microseconds"))]
    pub duration_us: Option<f64>,
}

impl Row for Event {
    const EVENT: bool = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_land_in_their_fields() {
        let added = std::array::from_fn(|i| 10 + i as u64);
        let sees = Sees { created: true, dropped: true, fds: true };
        let counts = DescriptorCounts::new(Owner::default(), &added, sees);
        assert_eq!((counts.opens, counts.open_errors, counts.created), (10, 11, Some(12)));
        assert_eq!((counts.closes, counts.close_errors, counts.dropped), (13, 14, Some(15)));
        assert_eq!((counts.fds, LOST), (Some(17), 6));
        let sees = Sees { created: false, dropped: false, fds: false };
        let counts = DescriptorCounts::new(Owner::default(), &added, sees);
        assert_eq!((counts.created, counts.dropped, counts.fds), (None, None, None));
    }
}
