//! Holds back records of one source until no earlier one can come.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::record::timestamp::Nanos;

/// The maximum number of bytes held for one source; beyond it the earliest is passed on although an
/// earlier one might still come.
const HELD_BYTES: usize = 256 << 10;

/// A record outside the read buffer. Ordered by its place, then by its time, then by position in the
/// stream.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldRecord {
    /// Its place in the order: its own time, or an earlier one if its source's clock went back after it.
    pub place: Nanos,
    /// The record's time.
    pub time: Nanos,
    /// The number of its line.
    pub line: u64,
    /// The line, line end included.
    pub bytes: Vec<u8>,
    /// When it was read, if the source is live.
    pub arrival: Option<Instant>,
}

/// A heap of held records.
pub struct Reorder {
    lateness: Nanos,
    heap: BinaryHeap<Reverse<HeldRecord>>,
    bytes: usize,
    /// The time of the record before, if that was too late to be put in order.
    behind: Option<Nanos>,
}

impl Reorder {
    /// Holds each record until one that is later by `lateness` has come.
    pub fn new(lateness: Nanos) -> Self {
        Self { lateness, heap: BinaryHeap::new(), bytes: 0, behind: None }
    }

    /// Adds a record, given the newest time so far. A record that is too late to be put in order is passed on at once. If
    /// two in a row are too late, the source's clock went back, or the records before were ahead of their time: those are
    /// passed on first, and the source's time becomes that of the second, which is returned.
    pub fn push(&mut self, held: HeldRecord, newest: Nanos) -> Option<Nanos> {
        let time = held.time;
        let behind = (time < newest.saturating_sub(self.lateness)).then_some(time);
        self.bytes += held.bytes.len();
        self.heap.push(Reverse(held));
        let rebased = behind.is_some() && std::mem::replace(&mut self.behind, behind).is_some();
        if !rebased {
            self.behind = behind;
            return None;
        }
        self.behind = None;
        let all = std::mem::take(&mut self.heap).into_iter();
        self.heap =
            all.map(|Reverse(held)| Reverse(HeldRecord { place: held.place.min(time), ..held })).collect();
        Some(time)
    }

    /// The earliest record held.
    pub fn first(&self) -> Option<&HeldRecord> {
        self.heap.peek().map(|Reverse(held)| held)
    }

    /// Removes the earliest.
    pub fn pop(&mut self) -> Option<HeldRecord> {
        let Reverse(held) = self.heap.pop()?;
        self.bytes -= held.bytes.len();
        Some(held)
    }

    /// Whether no record before the earliest can come, given the newest time so far; or no more may
    /// be held.
    pub fn certain(&self, newest: Nanos) -> bool {
        self.full() || self.first().is_some_and(|held| held.place <= newest.saturating_sub(self.lateness))
    }

    /// Whether no more may be held.
    pub fn full(&self) -> bool {
        self.bytes > HELD_BYTES
    }
}
