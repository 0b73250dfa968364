//! The intervals of a tool: which records are of one, and when it ended.

use std::collections::VecDeque;

use crate::record::timestamp::Nanos;

/// An interval, or of events a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Its number: they are counted from 1 on.
    pub number: u64,
    /// The time of its first record.
    first: Nanos,
    /// That of its last one: of several hosts, or of several commands of one tool, the times differ.
    pub at: Nanos,
    /// Its length in seconds, if it has one.
    pub length: f64,
}

/// Those that are kept, in the order of time.
#[derive(Default)]
pub struct Times {
    frames: VecDeque<Frame>,
    next: u64,
}

impl Times {
    /// The number of the interval that a record of this time belongs to; `again` is whether its row has a record in the
    /// newest one, so that this is of another.
    pub fn of(&mut self, time: Nanos, length: f64, events: bool, again: impl Fn(u64) -> bool) -> u64 {
        let span = if events { 1e9 } else { length.max(0.0) * 0.5e9 };
        if let Some(last) = self.frames.back_mut()
            && (time as f64) < last.first as f64 + span
            && (events || !again(last.number))
        {
            last.at = last.at.max(time);
            return last.number;
        }
        // A clock that was set back does not bring their order into disorder.
        let at = self.frames.back().map_or(time, |last| last.at.max(time));
        self.next += 1;
        self.frames.push_back(Frame { number: self.next, first: at, at, length });
        self.next
    }

    /// The last one that ended at this time or before; without a time the newest.
    pub fn at(&self, time: Option<Nanos>) -> Option<Frame> {
        let Some(time) = time else { return self.frames.back().copied() };
        self.frames.get(self.until(time).checked_sub(1)?).copied()
    }

    /// The one before that.
    pub fn before(&self, time: Nanos) -> Option<Frame> {
        self.frames.get(self.until(time).checked_sub(2)?).copied()
    }

    /// The first one that ended later.
    pub fn after(&self, time: Nanos) -> Option<Frame> {
        self.frames.get(self.until(time)).copied()
    }

    /// The oldest, and the newest.
    pub fn ends(&self) -> Option<(Frame, Frame)> {
        Some((*self.frames.front()?, *self.frames.back()?))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Forgets the oldest; returns its number.
    pub fn forget(&mut self) -> Option<u64> {
        self.frames.pop_front().map(|frame| frame.number)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.frames.clear();
    }

    fn until(&self, time: Nanos) -> usize {
        self.frames.partition_point(|frame| frame.at <= time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    #[test]
    fn records_of_one_interval_are_together() {
        let mut times = Times::default();
        let never = |_| false;
        // Two hosts whose clocks differ, then the next interval.
        let numbers: Vec<_> = [1.0, 1.2, 2.0, 2.2, 3.0]
            .map(|seconds| times.of((seconds * 1e9) as Nanos, 1.0, false, never))
            .into();
        assert_eq!(numbers, [1, 1, 2, 2, 3]);
        // The same row again.
        assert_eq!(times.of(3 * SECOND, 1.0, false, |frame| frame == 3), 4);
        // The clock goes back.
        assert_eq!(times.of(SECOND, 1.0, false, |frame| frame == 4), 5);
        assert_eq!(
            times.ends().map(|(first, last)| (first.number, last.number, last.at)),
            Some((1, 5, 3 * SECOND))
        );
    }

    #[test]
    fn the_one_at_a_time_is_the_last_that_had_ended() {
        let mut times = Times::default();
        for second in 1..=3 {
            times.of(second * SECOND, 1.0, false, |_| false);
        }
        let number = |frame: Option<Frame>| frame.map(|frame| frame.number);
        assert_eq!(number(times.at(None)), Some(3));
        assert_eq!(number(times.at(Some(2 * SECOND + 5))), Some(2));
        assert_eq!(number(times.at(Some(5))), None);
        assert_eq!((number(times.before(2 * SECOND)), number(times.after(2 * SECOND))), (Some(1), Some(3)));
        assert_eq!((number(times.before(SECOND)), number(times.after(3 * SECOND))), (None, None));
        assert_eq!((times.forget(), times.len()), (Some(1), 2));
    }
}
