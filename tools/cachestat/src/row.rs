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
#[derive(Default)]
pub struct Reckoner {
    /// Faults told too many in an interval before: one that turned out otherwise as the next one began.
    owed: i64,
}

impl Reckoner {
    /// The record, and what was lost, from what was added to the counters, in the order of `enum counter` in
    /// `bpf/cachestat.bpf.c`.
    pub fn record(&mut self, added: &[u64; COUNTERS]) -> (Counts, u64) {
        let &[reads, faults, fetched, for_faults, on_demand, write_adds, dirtied, lost] = added;
        // What the kernel's side takes back it adds as a negative number.
        let faults = (faults as i64).saturating_add(self.owed);
        self.owed = faults.min(0);
        let faults = faults.max(0) as u64;
        // A page is counted as fetched before it is known whom for, perhaps an interval earlier.
        let fault_misses = for_faults;
        let read_misses = fetched.saturating_sub(for_faults);
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
            readahead: fetched.saturating_sub(on_demand),
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
        let told: Vec<u64> =
            [16, -15, 3, 20].map(|taken| reckoner.record(&faults(taken)).0.faults).into_iter().collect();
        assert_eq!(told, [16, 0, 0, 8]);
    }
}
