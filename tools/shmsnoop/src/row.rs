//! The records of shmsnoop.

use common::bpf::mmap::words;
use common::measure::counters::{Delta, busiest};
use common::output::Row;
use common::owner::{Options, Owner};
use schemars::JsonSchema;
use serde::Serialize;

use crate::segments::Segments;
use crate::skel::names::CALL as CALLS;
use crate::skel::types::{counter as Counter, counters};

/// How many counters there are in a bank.
pub const COUNTERS: usize = words::<counters>();
/// The place of the counter of losses.
pub const LOST: usize = Counter::LOST.0 as usize;

/// The calls of an interval, and the segments that came and went in it. Each count of calls includes the failed ones, which
/// its `_errors` counts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Counts {
    /// The owner, with --by.
    #[serde(flatten)]
    pub owner: Owner,
    /// Calls of shmget: segments created or looked up.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub gets: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub get_errors: u64,
    /// Calls of shmat.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub attaches: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub attach_errors: u64,
    /// Calls of shmdt.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub detaches: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub detach_errors: u64,
    /// Calls of shmctl.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3))]
    pub controls: u64,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub control_errors: u64,
    /// Segments created. Null if the hook does not see it.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3))]
    pub created: Option<u64>,
    /// Their sizes, as asked for, in bytes. Null as above.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-unit" = "bytes"))]
    pub created_bytes: Option<u64>,
    /// Segments destroyed: removed, and with no attachment left. Null if the hook does not see it.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3))]
    pub destroyed: Option<u64>,
    /// Their sizes, as they were asked for, in bytes. Null as above.
    #[schemars(extend("x-kind" = "counter", "x-unit" = "bytes"))]
    pub destroyed_bytes: Option<u64>,
    /// Attachments that ended without a call, when their process exited or executed another program. Null if the hook does
    /// not see it.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4))]
    pub exit_detaches: Option<u64>,
    /// Segments that exist in the tool's IPC namespace at the end of the interval. Null with --by, and where
    /// /proc/sysvipc/shm cannot be read.
    #[schemars(extend("x-kind" = "gauge", "x-rank" = 2))]
    pub segments: Option<u64>,
    /// Their sizes, as asked for, in bytes. Null as above.
    #[schemars(extend("x-kind" = "gauge", "x-rank" = 2, "x-unit" = "bytes"))]
    pub segment_bytes: Option<u64>,
}

/// What the hooks taken see that others do not.
#[derive(Clone, Copy, Debug)]
pub struct Sees {
    /// Segments being created.
    pub created: bool,
    /// Segments being destroyed.
    pub destroyed: bool,
    /// Attachments that end without a call.
    pub exit_detaches: bool,
}

impl Counts {
    /// A record for each owner, the busiest first; an empty one if nothing happened.
    pub fn of(
        added: Delta<COUNTERS>,
        options: &Options,
        sees: Sees,
        segments: Option<Segments>,
    ) -> Vec<Self> {
        let calls = [Counter::GETS, Counter::ATTACHES, Counter::DETACHES, Counter::CONTROLS];
        let added = busiest(added, options, |added| calls.iter().map(|call| added[call.0 as usize]).sum());
        added.into_iter().map(|(owner, added)| Self::new(owner, &added, sees, segments)).collect()
    }

    /// From what was added to the counters.
    fn new(owner: Owner, added: &[u64; COUNTERS], sees: Sees, segments: Option<Segments>) -> Self {
        let of = |counter: Counter| added[counter.0 as usize];
        Self {
            owner,
            gets: of(Counter::GETS),
            get_errors: of(Counter::GET_ERRORS),
            attaches: of(Counter::ATTACHES),
            attach_errors: of(Counter::ATTACH_ERRORS),
            detaches: of(Counter::DETACHES),
            detach_errors: of(Counter::DETACH_ERRORS),
            controls: of(Counter::CONTROLS),
            control_errors: of(Counter::CONTROL_ERRORS),
            created: sees.created.then(|| of(Counter::CREATED)),
            created_bytes: sees.created.then(|| of(Counter::CREATED_BYTES)),
            destroyed: sees.destroyed.then(|| of(Counter::DESTROYED)),
            destroyed_bytes: sees.destroyed.then(|| of(Counter::DESTROYED_BYTES)),
            exit_detaches: sees.exit_detaches.then(|| of(Counter::EXIT_DETACHES)),
            segments: segments.map(|segments| segments.number),
            segment_bytes: segments.map(|segments| segments.bytes),
        }
    }
}

impl Row for Counts {}

/// One call, at the time of its return (`--events`).
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Event {
    /// get, attach, detach or control: shmget, shmat, shmdt, shmctl.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7, "enum" = CALLS))]
    pub call: &'static str,
    /// The process.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7))]
    pub pid: u32,
    /// The thread's command name, at most 15 bytes.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub comm: String,
    /// get: the key, in hexadecimal, as ipcs shows it; 0x00000000 is IPC_PRIVATE. Null for others.
    #[schemars(extend("x-kind" = "text", "x-rank" = 2, "x-width" = 10))]
    pub key: Option<String>,
    /// The segment: of get, what it returned, and null if it failed; of attach and control, what they were given. Null for
    /// detach.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2))]
    pub shmid: Option<i32>,
    /// get: the size asked for, in bytes. Null for others.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-unit" = "bytes"))]
    pub size_bytes: Option<u64>,
    /// The address, in hexadecimal: of attach, where the segment is attached; if it failed, and of detach, what was given.
    /// Null for others.
    #[schemars(extend("x-kind" = "text", "x-rank" = 4, "x-width" = 14))]
    pub addr: Option<String>,
    /// get, attach: the flags by name, for get with the permissions in octal: IPC_CREAT|0600. Null for others.
    #[schemars(extend("x-kind" = "text", "x-rank" = 3, "x-cut" = "end"))]
    pub flags: Option<String>,
    /// control: the command by name, or its number if it has none. Null for others.
    #[schemars(extend("x-kind" = "text", "x-rank" = 3, "x-width" = 8))]
    pub cmd: Option<String>,
    /// From the call's entry to its exit, in microseconds.
    #[schemars(extend("x-kind" = "value", "x-rank" = 3, "x-unit" = "microseconds"))]
    pub duration_us: f64,
    /// What it returned, of attach the address as a number. Null if it failed.
    #[schemars(extend("x-kind" = "value"))]
    pub ret: Option<i64>,
    /// The error's number; null if it succeeded.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-alarm" = true))]
    pub errno: Option<u32>,
}

impl Row for Event {
    const EVENT: bool = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_land_in_their_fields() {
        let sees = Sees { created: true, destroyed: true, exit_detaches: false };
        let segments = Some(Segments { number: 3, bytes: 12_288 });
        let added = std::array::from_fn(|i| i as u64);
        let counts = Counts::new(Owner::default(), &added, sees, segments);
        assert_eq!((counts.gets, counts.get_errors, counts.attaches, counts.attach_errors), (0, 1, 2, 3));
        assert_eq!(
            (counts.detaches, counts.detach_errors, counts.controls, counts.control_errors),
            (4, 5, 6, 7)
        );
        assert_eq!((counts.created, counts.created_bytes), (Some(8), Some(9)));
        assert_eq!((counts.destroyed, counts.destroyed_bytes), (Some(10), Some(11)));
        assert_eq!((counts.exit_detaches, LOST), (None, 13));
        assert_eq!((counts.segments, counts.segment_bytes), (Some(3), Some(12_288)));
        let blind = Sees { created: false, destroyed: false, exit_detaches: true };
        let counts = Counts::new(Owner::default(), &added, blind, None);
        assert_eq!((counts.created, counts.created_bytes, counts.destroyed_bytes), (None, None, None));
        assert_eq!((counts.exit_detaches, counts.segments, counts.segment_bytes), (Some(12), None, None));
    }
}
