//! Timed calls: how long they took and how many failed, for the system or for each owner.

use cli::exit::Result;
use libbpf_rs::{Object, OpenObject};
use record::histogram::Hist;

use super::per_key::{self, KeyDelta, PerKey, Total};
use super::{events, under_way};
use crate::bpf::exchange;
use crate::bpf::globals::{map, set_constant};
use crate::bpf::layouts::{raw_hist, stats};
use crate::owner::Options;

/// How many times the calls of a kind are kept, and in how many banks.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// How many kinds of calls there are.
    pub kinds: usize,
    /// See [`per_key::banks`].
    pub banks: u32,
}

impl Room {
    /// For so many kinds, on this machine.
    pub fn of(kinds: usize) -> Self {
        Self { kinds, banks: per_key::banks() }
    }
}

/// Sets up an object of `bpf/include/timed.h` before it is loaded: where what is under way is kept, the size of its totals
/// and of the ring buffer, and the constants of these.
///
/// # Errors
/// A mistake in the tool itself: the object has no such maps and constants.
pub fn configure(object: &mut OpenObject, room: Room, ring_bytes: Option<u32>) -> libbpf_rs::Result<()> {
    let task_storage = under_way::configure(object)?;
    if let Some(mut stats) = object.maps_mut().find(|map| map.name() == "stats") {
        stats.set_max_entries(per_key::entries(room.kinds as u32, room.banks))?;
    }
    for (name, value) in [
        ("task_storage", &u8::from(task_storage).to_ne_bytes()[..]),
        ("send_events", &u8::from(ring_bytes.is_some()).to_ne_bytes()),
        ("bank_mask", &(room.banks - 1).to_ne_bytes()),
    ] {
        let set = set_constant(object, name, value);
        set.map_err(|failure| std::io::Error::other(failure.message))?;
    }
    exchange::store_where_missing(object)?;
    events::configure(object, ring_bytes)
}

/// The records of an interval: one for each delta that has one, else one of an idle interval.
pub fn rows<R>(
    deltas: Vec<KeyDelta<CallStats>>,
    row: impl Fn(KeyDelta<CallStats>) -> Option<R>,
    idle: impl FnOnce() -> R,
) -> Vec<R> {
    let rows: Vec<_> = deltas.into_iter().filter_map(row).collect();
    if rows.is_empty() { vec![idle()] } else { rows }
}

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
    /// The totals of a loaded object.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has none.
    pub fn of(object: &'a Object, room: Room, options: &'a Options) -> Result<Self> {
        let totals = PerKey::of(object, &map(object, "stats")?, room.banks, options)?;
        Ok(Self { totals, keys: room.kinds, options })
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
