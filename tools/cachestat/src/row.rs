//! The record of cachestat.

use common::output::Row;
use schemars::JsonSchema;
use serde::Serialize;

/// How many counters there are in a bank: `MAX_COUNTERS` of `bpf/cachestat.bpf.c`.
pub const COUNTERS: usize = 8;

/// What the page cache was asked for in an interval, and what was fetched into it. All in pages.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Counts {
    /// Pages that tasks were given: reads + faults.
    pub accesses: u64,
    /// Accesses that nothing had to be fetched for: max(0, reads - read_misses) + max(0, faults - fault_misses).
    pub hits: u64,
    /// Pages fetched for reads and faults, or ahead of them: read_misses + fault_misses.
    pub misses: u64,
    /// hits / accesses. Null where there was no access.
    pub hit_ratio: Option<f64>,
    /// Pages that were read: by each call those that it touched.
    pub reads: u64,
    /// Pages fetched for reads, or ahead of them.
    pub read_misses: u64,
    /// Pages of mapped files that page faults made accessible to a task.
    pub faults: u64,
    /// Pages fetched for page faults, or ahead of them.
    pub fault_misses: u64,
    /// Of the misses: those that no read or fault had asked for when they were fetched.
    pub readahead: u64,
    /// Pages that writes added to the cache; they are no misses.
    pub write_adds: u64,
    /// Pages that became dirty, by writes or through mappings.
    pub dirtied: u64,
}

/// From what was added to the counters to records.
///
/// The kernel's side counts a page before it knows all of it, and takes back, or moves, what turns out otherwise: perhaps
/// an interval later. What an interval owes is taken from the next, so that sums over intervals are right.
#[derive(Default)]
pub struct Reckoner {
    faults: Owing,
    read_misses: Owing,
    readahead: Owing,
}

/// What is owed, as a negative number.
#[derive(Default)]
struct Owing(i64);

impl Owing {
    /// The interval's number, of what was added and what was taken from it.
    fn settle(&mut self, added: u64, taken: u64) -> u64 {
        // What is taken back is added as a negative number: the sums wrap.
        let now = self.0.wrapping_add(added.wrapping_sub(taken) as i64);
        self.0 = now.min(0);
        now.max(0) as u64
    }
}

impl Reckoner {
    /// The record, and what was lost, from what was added to the counters, in the order of `enum counter` in
    /// `bpf/cachestat.bpf.c`.
    pub fn record(&mut self, added: &[u64; COUNTERS]) -> (Counts, u64) {
        let &[reads, faults, fetched, fault_misses, on_demand, write_adds, dirtied, lost] = added;
        let faults = self.faults.settle(faults, 0);
        let read_misses = self.read_misses.settle(fetched, fault_misses);
        let accesses = reads + faults;
        let hits = reads.saturating_sub(read_misses) + faults.saturating_sub(fault_misses);
        let counts = Counts {
            accesses,
            hits,
            misses: read_misses + fault_misses,
            hit_ratio: (accesses > 0).then(|| hits as f64 / accesses as f64),
            reads,
            read_misses,
            faults,
            fault_misses,
            readahead: self.readahead.settle(fetched, on_demand),
            write_adds,
            dirtied,
        };
        (counts, lost)
    }
}

impl Row for Counts {
    const TABLE: &'static [&'static str] = &[
        "accesses",
        "hits",
        "misses",
        "hit_ratio",
        "reads",
        "read_misses",
        "faults",
        "fault_misses",
        "readahead",
        "write_adds",
        "dirtied",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(added: [u64; COUNTERS]) -> Counts {
        Reckoner::default().record(&added).0
    }

    #[test]
    fn a_cold_read_is_all_misses_and_a_warm_one_all_hits() {
        let cold = record([100, 0, 100, 0, 4, 0, 0, 0]);
        assert_eq!((cold.accesses, cold.hits, cold.misses, cold.readahead), (100, 0, 100, 96));
        assert_eq!(cold.hit_ratio, Some(0.0));
        let warm = record([100, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((warm.hits, warm.misses, warm.hit_ratio), (100, 0, Some(1.0)));
        assert_eq!(record([0; COUNTERS]).hit_ratio, None);
    }

    #[test]
    fn what_faults_miss_is_not_taken_from_the_hits_of_reads() {
        let both = record([100, 10, 40, 32, 3, 7, 5, 0]);
        assert_eq!((both.read_misses, both.fault_misses, both.misses), (8, 32, 40));
        assert_eq!((both.hits, both.accesses, both.readahead), (92, 110, 37));
        assert_eq!((both.write_adds, both.dirtied), (7, 5));
    }

    #[test]
    fn faults_that_are_taken_back_after_their_interval_are_taken_from_the_next() {
        let mut reckoner = Reckoner::default();
        let faults = |taken: i64| [0, taken as u64, 0, 0, 0, 0, 0, 0];
        assert_eq!([16, -15, 3, 20].map(|taken| reckoner.record(&faults(taken)).0.faults), [16, 0, 0, 8]);
    }

    #[test]
    fn what_is_known_an_interval_later_leaves_the_sums_right() {
        let mut reckoner = Reckoner::default();
        let records = [[0, 0, 64, 0, 0, 0, 0, 0], [0, 0, 0, 32, 4, 0, 0, 0], [0, 0, 40, 0, 0, 0, 0, 0]]
            .map(|added| reckoner.record(&added).0);
        assert_eq!(records.each_ref().map(|counts| counts.read_misses), [64, 0, 8]);
        assert_eq!(records.each_ref().map(|counts| counts.readahead), [64, 0, 36]);
    }
}
