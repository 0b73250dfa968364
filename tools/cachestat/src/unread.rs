//! Pages that were fetched ahead and not read yet.

use std::time::Duration;

/// Pages fetched ahead are expected to be read within one to two times this.
const GENERATION: Duration = Duration::from_secs(30);

/// The same as a number of intervals of this length.
pub fn generation(interval: Duration) -> usize {
    (GENERATION.as_secs_f64() / interval.as_secs_f64()).ceil() as usize
}

/// Pages of one owner that were fetched ahead. Their first use is no hit, though it may come in a
/// later interval than the fetch. Pages that are never used are forgotten after two generations:
/// otherwise they would hide the hits of others for ever.
#[derive(Default)]
pub struct Unread {
    recent: u64,
    older: u64,
}

impl Unread {
    /// The hits of an interval, in which this many pages were accessed and this many fetched.
    pub fn hits(&mut self, accessed: u64, fetched: u64) -> u64 {
        self.recent += fetched.saturating_sub(accessed);
        let without_fetch = accessed.saturating_sub(fetched);
        let after_older = without_fetch.saturating_sub(self.older);
        self.older -= without_fetch - after_older;
        let hits = after_older.saturating_sub(self.recent);
        self.recent -= after_older - hits;
        hits
    }

    /// A generation has passed.
    pub fn grow_older(&mut self) {
        self.older = std::mem::take(&mut self.recent);
    }

    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        self.recent == 0 && self.older == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hits_of_short_intervals_add_up_to_those_of_a_long_one() {
        // A cold read of 64 pages, fetched 32 at a time, each page in an interval of its own; then
        // 10 pages again.
        let cold = (0..64).map(|page| (1, if page % 32 == 0 { 32 } else { 0 }));
        let steps: Vec<(u64, u64)> = cold.chain(std::iter::repeat_n((1, 0), 10)).collect();
        let long = Unread::default()
            .hits(steps.iter().map(|(accessed, _)| accessed).sum(), steps.iter().map(|step| step.1).sum());
        let mut unread = Unread::default();
        let short: u64 = steps.iter().map(|(accessed, fetched)| unread.hits(*accessed, *fetched)).sum();
        assert_eq!((short, long), (10, 10));
        assert!(unread.is_none());
    }

    #[test]
    fn pages_that_are_never_read_do_not_hide_hits_for_ever() {
        let mut unread = Unread::default();
        assert_eq!(unread.hits(0, 1_000), 0);
        unread.grow_older();
        assert_eq!((unread.hits(300, 0), unread.hits(0, 50)), (0, 0));
        unread.grow_older();
        assert_eq!((unread.hits(49, 0), unread.hits(11, 0)), (0, 10));
        assert_eq!(
            [0.01, 1.0, 60.0].map(|seconds| generation(Duration::from_secs_f64(seconds))),
            [3_000, 30, 1]
        );
    }
}
