//! The time line of one tool on one host, in stretches of intervals that follow each other.

use crate::record::timestamp::Nanos;

/// Some intervals in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// The end of its first interval.
    pub first: Nanos,
    /// The end of its last one.
    pub last: Nanos,
    /// How long its intervals are together, in seconds.
    pub seconds: f64,
    /// How many they are.
    pub intervals: u64,
}

/// All intervals of a tool on a host, in the order in which they came. Where the clock was set, time may go back.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Its stretches, each of the same number of intervals but the last.
    pub stretches: Vec<Stretch>,
    /// How many intervals a stretch has, as a power of two.
    doubled: u32,
    /// How many there are.
    pub intervals: u64,
    /// The time of the last.
    last: Option<Nanos>,
    /// Where there was nothing for longer than two intervals: from when to when.
    pub gaps: Vec<(Nanos, Nanos)>,
    /// How many gaps there are, with those that are not kept.
    pub gaps_in_all: u64,
}

/// How many gaps are kept.
const GAPS: usize = 1000;

/// Where an interval belongs.
pub struct Placed {
    /// Its stretch.
    pub at: usize,
    /// Whether each two stretches have become one before.
    pub halved: bool,
}

impl Timeline {
    /// Finds the place of a record of an interval that ends at this time, and is so long in seconds. Records of the same
    /// time are of the same interval. There are at most `most` stretches.
    pub fn place(&mut self, time: Nanos, seconds: f64, most: usize) -> Placed {
        let mut halved = false;
        if self.last != Some(time) {
            self.look_for_a_gap(time, seconds);
            let full = self.intervals & ((1 << self.doubled) - 1) == 0;
            if full && self.stretches.len() >= most.max(2) {
                self.halve();
                halved = true;
            }
            // What has been halved may have room in its last one.
            let full = self.intervals & ((1 << self.doubled) - 1) == 0;
            match self.stretches.last_mut().filter(|_| !full) {
                Some(stretch) => {
                    (stretch.last, stretch.seconds) = (time, stretch.seconds + seconds);
                    stretch.intervals += 1;
                }
                None => self.stretches.push(Stretch { first: time, last: time, seconds, intervals: 1 }),
            }
            self.intervals += 1;
            self.last = Some(time);
        }
        Placed { at: self.stretches.len() - 1, halved }
    }

    fn look_for_a_gap(&mut self, time: Nanos, seconds: f64) {
        let Some(last) = self.last else { return };
        let begin = time.saturating_sub((seconds * 1e9) as Nanos);
        if begin.saturating_sub(last) as f64 > seconds.max(0.1) * 2e9 {
            self.gaps_in_all += 1;
            if self.gaps.len() < GAPS {
                self.gaps.push((last, begin));
            }
        }
    }

    fn halve(&mut self) {
        let pairs = self.stretches.chunks(2);
        self.stretches = pairs
            .filter_map(|pair| {
                let (first, last) = (pair.first()?, pair.last()?);
                let seconds = pair.iter().map(|stretch| stretch.seconds).sum();
                let intervals = pair.iter().map(|stretch| stretch.intervals).sum();
                Some(Stretch { first: first.first, last: last.last, seconds, intervals })
            })
            .collect();
        self.doubled += 1;
    }

    /// How long all intervals are together, in seconds.
    pub fn seconds(&self) -> f64 {
        self.stretches.iter().map(|stretch| stretch.seconds).sum()
    }

    /// The end of the first interval and that of the last.
    pub fn span(&self) -> Option<(Nanos, Nanos)> {
        Some((self.stretches.first()?.first, self.stretches.last()?.last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_stretches_than_there_is_room_for() {
        let mut line = Timeline::default();
        let mut sums: Vec<u64> = Vec::new();
        for time in 1..=1000 {
            for _record in 0..2 {
                let placed = line.place(time, 1.0, 8);
                if placed.halved {
                    sums = sums.chunks(2).map(|pair| pair.iter().sum()).collect();
                }
                sums.resize(placed.at + 1, 0);
                sums[placed.at] += 1;
            }
        }
        assert_eq!((line.intervals, line.seconds(), line.span()), (1000, 1000.0, Some((1, 1000))));
        assert_eq!(line.stretches.len(), 8, "{:?}", line.stretches);
        assert_eq!(sums, [256, 256, 256, 256, 256, 256, 256, 208]);
        assert_eq!(line.stretches[1], Stretch { first: 129, last: 256, seconds: 128.0, intervals: 128 });
    }

    #[test]
    fn silence_is_a_gap() {
        let second = 1_000_000_000;
        let mut line = Timeline::default();
        for time in [1, 2, 3, 9, 10] {
            line.place(time * second, 1.0, 8);
        }
        assert_eq!(line.gaps, [(3 * second, 8 * second)]);
        // A clock that is set back is none.
        line.place(2 * second, 1.0, 8);
        assert_eq!((line.gaps_in_all, line.intervals), (1, 6));
    }
}
