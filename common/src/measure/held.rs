//! Events that wait until the order of their times is settled.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// An event and its time by the kernel's monotonic clock.
struct PendingEvent<E> {
    ns: u64,
    place: u64,
    event: E,
}

impl<E> PartialEq for PendingEvent<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl<E> Eq for PendingEvent<E> {}
impl<E> PartialOrd for PendingEvent<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<E> Ord for PendingEvent<E> {
    /// The earliest is the greatest, because it leaves the heap first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.ns, other.place).cmp(&(self.ns, self.place))
    }
}

/// Events that are not passed on yet.
pub struct Held<E> {
    place: u64,
    events: BinaryHeap<PendingEvent<E>>,
}

impl<E> Default for Held<E> {
    fn default() -> Self {
        Self { place: 0, events: BinaryHeap::new() }
    }
}

impl<E> Held<E> {
    /// Adds one by its time, in nanoseconds.
    pub fn add(&mut self, ns: u64, event: E) {
        self.place += 1;
        self.events.push(PendingEvent { ns, place: self.place, event });
    }

    /// Takes the earliest with its time, if that is not after `settled`; of equal times the one that was added first.
    pub fn pop(&mut self, settled: u64) -> Option<(u64, E)> {
        if self.events.peek()?.ns > settled {
            return None;
        }
        self.events.pop().map(|first| (first.ns, first.event))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_once_it_is_settled() {
        let mut held = Held::default();
        let _ = [(7, 'c'), (5, 'a'), (5, 'b'), (u64::MAX, 'd')].map(|(ns, event)| held.add(ns, event));
        let taken: Vec<_> = std::iter::from_fn(|| held.pop(7)).collect();
        assert_eq!(taken, [(5, 'a'), (5, 'b'), (7, 'c')]);
        assert!(!held.is_empty());
        assert_eq!(held.pop(u64::MAX), Some((u64::MAX, 'd')));
        assert!(held.is_empty());
    }
}
