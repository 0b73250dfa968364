//! The record of dcstat.

use common::bpf::mmap::words;
use common::measure::counters::{Delta, busiest};
use common::output::Row;
use common::owner::{Options, Owner};
use schemars::JsonSchema;
use serde::Serialize;

use crate::skel::types::{counter as Counter, counters};

/// How many counters there are in a bank.
pub const COUNTERS: usize = words::<counters>();

/// The places of the counters.
pub const REFERENCES: usize = Counter::REFERENCES.0 as usize;
/// As above.
pub const SLOW: usize = Counter::SLOW.0 as usize;
/// As above.
pub const MISSES: usize = Counter::MISSES.0 as usize;

/// As above.
pub const LOST: usize = Counter::LOST.0 as usize;

/// The names that were looked up in an interval, and how they were served.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Lookups {
    /// The owner of the look-ups, with --by.
    #[serde(flatten)]
    pub owner: Owner,
    /// Names looked up: one for each component of a path, but for `.` and `..`, which need no look-up.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub references: u64,
    /// Those of them that took the directory's lock: the look-up without it did not find the name, or the name
    /// was to be made, removed or renamed, which takes the lock at once.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3))]
    pub slow: u64,
    /// Those of them that reached the file system, because the cache did not know whether the name exists.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub misses: u64,
    /// The share of references that the cache answered, also by knowing that there is no such name: 0 to 1. Null
    /// where there were no references.
    #[schemars(extend("x-kind" = "ratio", "x-rank" = 2, "x-part" = [["references", "misses"]], "x-whole" = "references", "x-digits" = 6))]
    pub hit_ratio: Option<f64>,
}

impl Lookups {
    /// A record for each owner, the busiest first; an empty one if there were no look-ups.
    pub fn of(added: Delta<COUNTERS>, options: &Options) -> Vec<Self> {
        let added = busiest(added, options, |added| added[REFERENCES]);
        added.into_iter().map(|(owner, added)| Self::new(owner, &added)).collect()
    }

    /// From what was added to the counters.
    fn new(owner: Owner, added: &[u64; COUNTERS]) -> Self {
        let (references, misses) = (added[REFERENCES], added[MISSES]);
        Self { owner, references, slow: added[SLOW], misses, hit_ratio: hit_ratio(references, misses) }
    }
}

/// To six digits. A look-up in progress when an interval ends is a reference of that one and a miss
/// of the next.
fn hit_ratio(references: u64, misses: u64) -> Option<f64> {
    let hits = references.saturating_sub(misses);
    (references > 0).then(|| (hits as f64 / references as f64 * 1e6).floor() / 1e6)
}

impl Row for Lookups {}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(references: u64, misses: u64) -> Option<f64> {
        let mut added = [0; COUNTERS];
        (added[REFERENCES], added[MISSES]) = (references, misses);
        Lookups::new(Owner::default(), &added).hit_ratio
    }

    #[test]
    fn the_ratio_is_that_of_hits() {
        assert_eq!(ratio(4, 1), Some(0.75));
        assert_eq!(ratio(3, 1), Some(0.666_666));
        assert_eq!(ratio(7, 0), Some(1.0));
    }

    #[test]
    fn one_miss_is_not_a_ratio_of_one() {
        assert_eq!(ratio(100_000_000, 1), Some(0.999_999));
    }

    #[test]
    fn of_no_references_there_is_no_ratio() {
        assert_eq!(ratio(0, 0), None);
        assert_eq!(ratio(0, 1), None);
    }

    #[test]
    fn misses_of_the_interval_before_make_no_negative_ratio() {
        assert_eq!(ratio(1, 2), Some(0.0));
    }
}
