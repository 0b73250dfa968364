//! The records of mountsnoop.

use common::measure::latency::{self, CallStats};
use common::measure::per_key::KeyDelta;
use common::output::{Distribution, Row, or_null};
use common::owner::{By, Owner};
use record::histogram::Hist;
use record::statistics::Latency;
use schemars::JsonSchema;
use serde::Serialize;

pub use crate::skel::names::CALL as CALLS;
use crate::skel::types::call as Call;

/// How often a call was made in an interval, how long it took, and what it changed: those that returned in it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Calls {
    /// mount, bind, remount, move, propagation (all mount(2)), umount, fsopen, fsmount, open_tree, move_mount,
    /// mount_setattr, fsconfig or pivot_root; move also of a tree that move_mount(2) moves; ns_end: a namespace that ended
    /// with mounts in it, which is no call. Null in the record of an interval without any.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 13, "enum" = or_null(CALLS)))]
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
    /// Trees that became visible: by mount, bind and move_mount, one each that succeeded.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4))]
    pub attached: u64,
    /// Trees that went: by umount, one each that succeeded; of ns_end, the mounts that the namespaces had.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4))]
    pub detached: u64,
    #[serde(flatten)]
    pub distribution: Distribution,
}

/// What calls of a kind change: trees attached and detached, of so many that succeeded. Of the ends of namespaces, so many
/// mounts went.
pub fn changes(call: Call, succeeded: u64, gone: u64) -> (u64, u64) {
    match call {
        Call::MOUNT | Call::BIND | Call::MOVE_MOUNT => (succeeded, 0),
        Call::UMOUNT => (0, succeeded),
        Call::NS_END => (0, gone),
        _ => (0, 0),
    }
}

impl Calls {
    /// The records of an interval: one per call that was made, and per owner with --by; else one of
    /// an idle interval.
    pub fn of(deltas: Vec<KeyDelta<CallStats>>, by: By, buckets: bool) -> Vec<Self> {
        latency::rows(deltas, |delta| Self::new(delta, buckets), || Self::idle(Owner::unknown(by), buckets))
    }

    fn new(delta: KeyDelta<CallStats>, buckets: bool) -> Option<Self> {
        let KeyDelta { owner, key, measured } = delta;
        let call = Call(key as u32);
        // In the place of errors a namespace's end has the mounts that went: see the BPF program.
        let (errors, gone) = if call == Call::NS_END { (0, measured.errors) } else { (measured.errors, 0) };
        // An error may be counted an instant before its call.
        let succeeded = measured.duration.count().saturating_sub(errors);
        let (attached, detached) = changes(call, succeeded, gone);
        Some(Self {
            call: Some(*CALLS.get(key)?),
            owner,
            duration: measured.duration.summary().into(),
            errors,
            attached,
            detached,
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

/// One call, at the time of its return, or a namespace that ended with mounts in it (`--events`). Texts are as the caller
/// wrote them.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Event {
    /// mount, bind, remount, move, propagation (all mount(2)), umount, fsopen, fsmount, open_tree, move_mount,
    /// mount_setattr, fsconfig or pivot_root; move also of a tree that move_mount(2) moves; ns_end: a namespace ended.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 13, "enum" = CALLS))]
    pub call: &'static str,
    /// The process.
    #[schemars(extend("x-kind" = "key", "x-rank" = 2, "x-width" = 7))]
    pub pid: u32,
    /// The thread's command name, at most 15 bytes.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub comm: String,
    /// The number of the caller's mount namespace, or of the one that ended: that of /proc/PID/ns/mnt.
    #[schemars(extend("x-kind" = "key", "x-rank" = 5))]
    pub mntns: u32,
    /// What is mounted or moved: a device, a path or any text; of pivot_root the new root; of fsconfig what was set as
    /// source before. Null if there is none.
    #[schemars(extend("x-kind" = "text", "x-rank" = 1, "x-cut" = "middle"))]
    pub source: Option<String>,
    /// Where; of pivot_root where the old root goes. Null if there is none.
    #[schemars(extend("x-kind" = "text", "x-rank" = 1, "x-cut" = "middle"))]
    pub target: Option<String>,
    /// The type of file system: of mount, fsopen, fsconfig and fsmount. Null if there is none.
    #[schemars(extend("x-kind" = "text", "x-rank" = 2, "x-width" = 7))]
    pub fs: Option<String>,
    /// The call's own flags by name, 0 if none is set. Null for calls that have none.
    #[schemars(extend("x-kind" = "text", "x-rank" = 3, "x-cut" = "end"))]
    pub flags: Option<String>,
    /// mount, remount: the options of the file system; fsmount: the attributes by name; fsconfig: the command. Null if
    /// there is none.
    #[schemars(extend("x-kind" = "text"))]
    pub options: Option<String>,
    /// A tree became visible: 1, else 0.
    #[schemars(extend("x-kind" = "counter"))]
    pub attached: u64,
    /// A tree went: 1, else 0; ns_end: the mounts that the namespace had.
    #[schemars(extend("x-kind" = "counter"))]
    pub detached: u64,
    /// The mounts in the caller's namespace after the call. Null for ns_end.
    #[schemars(extend("x-kind" = "gauge", "x-rank" = 4))]
    pub mounts: Option<u32>,
    /// From the call's entry to its exit, in microseconds.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-unit" = "microseconds"))]
    pub duration_us: f64,
    /// What it returned: 0, or a descriptor. Null if it failed, and for ns_end.
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
    fn what_succeeded_is_attached_or_detached() {
        let of = |call: Call, calls, errors| {
            let delta =
                KeyDelta { owner: Owner::default(), key: call.0 as usize, measured: measured(calls, errors) };
            let rows = Calls::of(vec![delta], By::System, true);
            let count = rows[0].duration.get().map(|of| of.count);
            (rows[0].call.unwrap(), count, rows[0].errors, rows[0].attached, rows[0].detached)
        };
        assert_eq!(of(Call::MOUNT, 7, 2), ("mount", Some(7), 2, 5, 0));
        assert_eq!(of(Call::MOVE_MOUNT, 3, 0), ("move_mount", Some(3), 0, 3, 0));
        assert_eq!(of(Call::MOVE, 3, 0), ("move", Some(3), 0, 0, 0));
        assert_eq!(of(Call::UMOUNT, 7, 2), ("umount", Some(7), 2, 0, 5));
        assert_eq!(of(Call::FSMOUNT, 7, 2), ("fsmount", Some(7), 2, 0, 0));
        assert_eq!(of(Call::NS_END, 2, 51), ("ns_end", Some(2), 0, 0, 51));
    }

    #[test]
    fn an_idle_interval_names_no_call() {
        let row = Calls::idle(Owner::default(), true);
        assert!(row.duration.get().is_none());
        assert_eq!(
            (row.call, row.errors, row.attached, row.distribution.buckets),
            (None, 0, 0, Some(vec![]))
        );
    }
}
