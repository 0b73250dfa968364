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
    /// Whether the record before was too late to be put in order.
    late: bool,
}

impl Reorder {
    /// Holds each record until one that is later by `lateness` has come.
    pub fn new(lateness: Nanos) -> Self {
        Self { lateness, heap: BinaryHeap::new(), bytes: 0, late: false }
    }

    /// Adds a record, given the newest time so far. A record that is too late to be put in order is passed on at once. If
    /// two in a row are too late, the source's clock went back, or the records before were ahead of their time: those are
    /// passed on first, and the source's time becomes that of the second, which is returned.
    pub fn push(&mut self, held: HeldRecord, newest: Nanos) -> Option<Nanos> {
        let time = held.time;
        let late = time < newest.saturating_sub(self.lateness);
        self.bytes += held.bytes.len();
        self.heap.push(Reverse(held));
        let before = std::mem::replace(&mut self.late, late);
        if !(late && before) {
            return None;
        }
        self.late = false;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What leaves a source that puts records in order within 10, and in which order, as their times come.
    fn passed_on(times: &[Nanos]) -> Vec<Nanos> {
        let (mut reorder, mut newest, mut out) = (Reorder::new(10), Nanos::MIN, Vec::new());
        for (line, time) in times.iter().enumerate() {
            newest = newest.max(*time);
            let held =
                HeldRecord { place: *time, time: *time, line: line as u64, bytes: Vec::new(), arrival: None };
            newest = reorder.push(held, newest).unwrap_or(newest);
            while reorder.certain(newest) {
                out.extend(reorder.pop().map(|held| held.time));
            }
        }
        out
    }

    #[test]
    fn records_within_the_lateness_are_put_in_order_and_a_later_one_is_passed_on_at_once() {
        assert_eq!(passed_on(&[100, 95, 105, 50, 120]), [95, 50, 100, 105]);
        assert_eq!(passed_on(&[100, 95, 105, 111]), [95, 100]);
    }

    #[test]
    fn a_clock_that_went_back_is_followed_by_the_second_record() {
        assert_eq!(passed_on(&[1000, 1001, 100, 101, 103, 102, 115]), [100, 101, 1000, 1001, 102, 103]);
    }

    #[test]
    fn one_absurd_time_holds_nothing_up() {
        assert_eq!(passed_on(&[100, 9_999, 101, 102, 104, 103, 120]), [100, 101, 102, 9_999, 103, 104]);
    }
}
