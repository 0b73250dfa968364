//! The record of cachestat.

use std::collections::VecDeque;

use common::output::Row;
use schemars::JsonSchema;
use serde::Serialize;

/// How many counters there are in a bank: `MAX_COUNTERS` of `bpf/cachestat.bpf.c`, rounded up to whole cache lines.
pub const COUNTERS: usize = 16;
/// For so many intervals a page is waited for of which it is not known whom it was fetched for.
const PATIENCE: usize = 8;

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
/// The kernel's side counts a page when it is fetched, and often knows a moment later only whom for: perhaps an interval
/// later. Such pages are told with the next interval. What turns out not to have been is taken from the next, too: sums
/// over intervals are right.
#[derive(Default)]
pub struct Reckoner {
    held: Held,
    faults: Owing,
    read_misses: Owing,
    readahead: Owing,
}

/// Pages that are held back until it is known whom for.
#[derive(Default)]
struct Held {
    pages: u64,
    /// How many there were of which it was not known, at the ends of the last intervals. Of some it is never known.
    unknown: VecDeque<i64>,
}

impl Held {
    /// How many pages to tell, of those fetched in the interval and held before; all in the last.
    fn release(&mut self, fetched: u64, unknown_more: u64, last: bool) -> u64 {
        let before = self.unknown.back().copied().unwrap_or_default();
        let unknown = before.wrapping_add(unknown_more as i64);
        if self.unknown.is_empty() {
            self.unknown.push_back(before);
        }
        self.unknown.push_back(unknown);
        if self.unknown.len() > PATIENCE {
            self.unknown.pop_front();
        }
        let always = self.unknown.iter().copied().min().unwrap_or_default();
        let there = fetched + self.pages;
        self.pages = if last { 0 } else { there.min((unknown - always) as u64) };
        there - self.pages
    }
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
    /// `bpf/cachestat.bpf.c`; and whether this interval is the last.
    pub fn record(&mut self, added: &[u64; COUNTERS], last: bool) -> (Counts, u64) {
        let &[reads, faults, fetched, unknown, fault_misses, on_demand, write_adds, dirtied, lost, ..] =
            added;
        let fetched = self.held.release(fetched, unknown, last);
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

    fn padded<const N: usize>(added: [i64; N]) -> [u64; COUNTERS] {
        std::array::from_fn(|index| added.get(index).copied().unwrap_or_default() as u64)
    }

    fn record<const N: usize>(added: [i64; N]) -> Counts {
        Reckoner::default().record(&padded(added), true).0
    }

    #[test]
    fn a_cold_read_is_all_misses_and_a_warm_one_all_hits() {
        let cold = record([100, 0, 100, 0, 0, 4]);
        assert_eq!((cold.accesses, cold.hits, cold.misses, cold.readahead), (100, 0, 100, 96));
        assert_eq!(cold.hit_ratio, Some(0.0));
        let warm = record([100]);
        assert_eq!((warm.hits, warm.misses, warm.hit_ratio), (100, 0, Some(1.0)));
        assert_eq!(record([0]).hit_ratio, None);
    }

    #[test]
    fn what_faults_miss_is_not_taken_from_the_hits_of_reads() {
        let both = record([100, 10, 40, 0, 32, 3, 7, 5]);
        assert_eq!((both.read_misses, both.fault_misses, both.misses), (8, 32, 40));
        assert_eq!((both.hits, both.accesses, both.readahead), (92, 110, 37));
        assert_eq!((both.write_adds, both.dirtied), (7, 5));
    }

    #[test]
    fn faults_that_are_taken_back_after_their_interval_are_taken_from_the_next() {
        let mut reckoner = Reckoner::default();
        let told = [16, -15, 3, 20].map(|taken| reckoner.record(&padded([0, taken]), false).0.faults);
        assert_eq!(told, [16, 0, 0, 8]);
    }

    #[test]
    fn a_page_is_told_once_it_is_known_whom_for() {
        let mut reckoner = Reckoner::default();
        // 64 fetched, of which 32 are claimed at once, the others, by a fault, in the next interval.
        let first = reckoner.record(&padded([0, 0, 64, 32, 0, 4]), false).0;
        assert_eq!((first.read_misses, first.fault_misses, first.readahead), (32, 0, 28));
        let second = reckoner.record(&padded([0, 0, 0, -32, 32, 1]), false).0;
        assert_eq!((second.read_misses, second.fault_misses, second.readahead), (0, 32, 31));
    }

    #[test]
    fn what_nobody_claims_is_told_all_the_same() {
        let mut reckoner = Reckoner::default();
        let unclaimed = padded([0, 0, 100, 100]);
        assert_eq!(reckoner.record(&unclaimed, true).0.misses, 100);
        let mut reckoner = Reckoner::default();
        let told: Vec<u64> = std::iter::once(unclaimed)
            .chain(std::iter::repeat_n(padded([0]), PATIENCE))
            .map(|added| reckoner.record(&added, false).0.misses)
            .collect();
        assert_eq!(told.iter().sum::<u64>(), 100, "{told:?}");
    }
}
