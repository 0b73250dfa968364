//! A row: what has these keys, and in which intervals it was.

use std::collections::VecDeque;

/// Where the numbers of a row in an interval are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The number of the interval.
    pub frame: u64,
    /// Its place in that.
    pub place: u32,
}

/// A row.
pub struct Row {
    /// No other row has this.
    pub id: u64,
    /// By the places of the columns.
    pub texts: Vec<Box<str>>,
    /// In the order of time. Some may be of intervals that are forgotten.
    samples: VecDeque<Sample>,
    /// The newest, and the one before it if there is one. They stand here because all rows are asked for them with each record
    /// and each picture, and the rest of the samples is far away in memory.
    newest: [Sample; 2],
}

impl Row {
    /// With its first sample.
    pub fn new(id: u64, texts: Vec<Box<str>>, sample: Sample) -> Self {
        Self { id, texts, samples: [sample].into(), newest: [sample; 2] }
    }

    /// Adds a sample of an interval that is later than all before. Where there is no more room, those of intervals before
    /// `first` are dropped.
    pub fn push(&mut self, sample: Sample, first: u64) {
        if self.samples.len() == self.samples.capacity() {
            while self.samples.front().is_some_and(|oldest| oldest.frame < first) {
                self.samples.pop_front();
            }
        }
        self.samples.push_back(sample);
        self.newest = [sample, self.newest[0]];
    }

    /// The newest interval that it was in.
    pub fn newest(&self) -> u64 {
        self.newest[0].frame
    }

    /// What it counts towards the bound, without its samples.
    pub fn cells(&self) -> usize {
        16 + self.texts.iter().map(|text| 2 + text.len() / 8).sum::<usize>()
    }

    /// What it was in an interval, if it was.
    pub fn at(&self, frame: u64) -> Option<Sample> {
        match self.newest.iter().find(|sample| sample.frame == frame) {
            Some(sample) => Some(*sample),
            // The older of both is the last of the others.
            None if frame > self.newest[1].frame => None,
            None => {
                let at = self.samples.binary_search_by_key(&frame, |sample| sample.frame).ok()?;
                self.samples.get(at).copied()
            }
        }
    }

    /// What it was in these intervals, the last one first.
    pub fn between(&self, first: u64, last: u64) -> impl Iterator<Item = Sample> {
        let end = self.samples.partition_point(|sample| sample.frame <= last);
        self.samples.range(..end).rev().copied().take_while(move |sample| sample.frame >= first)
    }

    /// A text; empty if there is none.
    pub fn text(&self, slot: usize) -> &str {
        self.texts.get(slot).map_or("", AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_found_by_their_interval() {
        let sample = |frame: u64| Sample { frame, place: frame as u32 * 10 };
        let mut row = Row::new(1, Vec::new(), sample(1));
        let at = |row: &Row, frames: [u64; 7]| frames.map(|frame| row.at(frame).map(|sample| sample.place));
        assert_eq!(at(&row, [0, 1, 2, 3, 4, 5, 6]), [None, Some(10), None, None, None, None, None]);
        [3, 4, 6].into_iter().for_each(|frame| row.push(sample(frame), 0));
        let found = [None, Some(10), None, Some(30), Some(40), None, Some(60)];
        assert_eq!((at(&row, [0, 1, 2, 3, 4, 5, 6]), row.newest()), (found, 6));
        let between = |first, last| row.between(first, last).map(|sample| sample.frame).collect::<Vec<_>>();
        assert_eq!((between(3, 5), between(0, 9), between(5, 5)), (vec![4, 3], vec![6, 4, 3, 1], vec![]));
        // What is forgotten makes room.
        (7..500).for_each(|frame| row.push(sample(frame), frame - 5));
        assert!(row.samples.capacity() <= 16, "{}", row.samples.capacity());
        assert_eq!(row.at(496), Some(sample(496)));
    }
}
