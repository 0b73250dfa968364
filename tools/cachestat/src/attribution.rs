//! From the increments of the counters to records.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use common::measure::counters::Delta;
use common::measure::top;
use common::owner::{By, Options, Owner};

use crate::row::{Accesses, COUNTERS, hit_ratio};
use crate::skel::types::counter as Counter;

/// How many intervals, and how long, a page is held back until its access is known: a read from a
/// slow disk, or on a busy machine, may last longer than many short intervals.
const INTERVALS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(4);

/// The number of intervals of this length.
fn patience(interval: Duration) -> usize {
    INTERVALS.max((PATIENCE.as_secs_f64() / interval.as_secs_f64()).ceil() as usize)
}

/// An attribution for each owner with pages or corrections left.
pub struct Attributions<'a> {
    options: &'a Options,
    patience: usize,
    owners: BTreeMap<Owner, Attribution>,
}

impl<'a> Attributions<'a> {
    /// For these options, and intervals of this length.
    pub fn new(options: &'a Options, interval: Duration) -> Self {
        Self { options, patience: patience(interval), owners: BTreeMap::new() }
    }

    /// The records of an interval, from what was added for each owner: the busiest first, with
    /// --top the others last, an empty one if there was none. `last`: whether this interval is the
    /// last.
    pub fn records(&mut self, added: Delta<COUNTERS>, last: bool) -> Vec<Accesses> {
        let (by, top) = (self.options.by, self.options.top);
        let mut added: BTreeMap<_, _> = added.into_iter().collect();
        // Pages held back for other owners may be reported now.
        for owner in self.owners.keys() {
            added.entry(owner.clone()).or_insert([0; COUNTERS]);
        }
        let mut records = Vec::new();
        for (owner, added) in added {
            let attribution =
                self.owners.entry(owner.clone()).or_insert_with(|| Attribution::new(self.patience));
            let counts = Accesses { owner: owner.clone(), ..attribution.record(&added, last).0 };
            if by != By::System && attribution.is_settled() {
                self.owners.remove(&owner);
            }
            if by == By::System || counts != Accesses::none(owner) {
                records.push(counts);
            }
        }
        top::keep_largest(
            &mut records,
            top,
            |counts| counts.accesses,
            |others| others.iter().fold(Accesses::none(Owner::others(by)), Accesses::with),
        );
        if records.is_empty() {
            records.push(Accesses::none(Owner::unknown(by)));
        }
        records
    }
}

/// The records of one owner, from what was added to its counters.
///
/// The BPF programs count a page when it is fetched, and often know its access only a moment later,
/// perhaps in the next interval. Such pages are reported with the next interval. A count that is
/// withdrawn later is subtracted from the next interval's: sums over intervals are right.
pub struct Attribution {
    held: HeldPages,
    faults: Debt,
    read_misses: Debt,
    readahead: Debt,
}

/// Pages that are held back until their access is known.
struct HeldPages {
    pages: u64,
    /// The numbers of pages whose access was not known at the ends of the last intervals. For some
    /// it is never known.
    unknown: VecDeque<i64>,
    /// For this many intervals they are held.
    patience: usize,
}

impl HeldPages {
    /// How many pages to report, of those fetched in the interval and held before; all in the last.
    fn release(&mut self, fetched: u64, unknown_more: u64, last: bool) -> u64 {
        let before = self.unknown.back().copied().unwrap_or_default();
        let unknown = before.wrapping_add(unknown_more as i64);
        if self.unknown.is_empty() {
            self.unknown.push_back(before);
        }
        self.unknown.push_back(unknown);
        if self.unknown.len() > self.patience {
            self.unknown.pop_front();
        }
        let always = self.unknown.iter().copied().min().unwrap_or_default();
        let there = fetched + self.pages;
        self.pages = if last { 0 } else { there.min((unknown - always) as u64) };
        there - self.pages
    }
}

/// What must still be subtracted, as a negative number.
#[derive(Default)]
struct Debt(i64);

impl Debt {
    /// The interval's number, from what was added and what was subtracted.
    fn settle(&mut self, added: u64, taken: u64) -> u64 {
        // A subtraction is added as a negative number: the sums wrap.
        let now = self.0.wrapping_add(added.wrapping_sub(taken) as i64);
        self.0 = now.min(0);
        now.max(0) as u64
    }
}

impl Attribution {
    /// An attribution that holds a page back for this many intervals.
    fn new(patience: usize) -> Self {
        let held = HeldPages { pages: 0, unknown: VecDeque::new(), patience };
        Self { held, faults: Debt::default(), read_misses: Debt::default(), readahead: Debt::default() }
    }

    /// Whether nothing is left for a later interval.
    fn is_settled(&self) -> bool {
        self.held.pages == 0
            && [&self.faults, &self.read_misses, &self.readahead].iter().all(|owing| owing.0 == 0)
    }

    /// The record, and what was lost, from what was added to the counters and whether this interval is the last.
    pub fn record(&mut self, added: &[u64; COUNTERS], last: bool) -> (Accesses, u64) {
        let of = |counter: Counter| added[counter.0 as usize];
        let (reads, fault_misses) = (of(Counter::READS), of(Counter::FETCHED_FOR_FAULTS));
        let fetched = self.held.release(of(Counter::FETCHED), of(Counter::PENDING), last);
        let faults = self.faults.settle(of(Counter::FAULTS), 0);
        let read_misses = self.read_misses.settle(fetched, fault_misses);
        let accesses = reads + faults;
        let hits = reads.saturating_sub(read_misses) + faults.saturating_sub(fault_misses);
        let counts = Accesses {
            accesses,
            hits,
            misses: read_misses + fault_misses,
            hit_ratio: hit_ratio(hits, accesses),
            reads,
            read_misses,
            faults,
            fault_misses,
            readahead: self.readahead.settle(fetched, of(Counter::FETCHED_ON_DEMAND)),
            write_adds: of(Counter::WRITTEN),
            dirtied: of(Counter::DIRTIED),
            ..Accesses::default()
        };
        (counts, of(Counter::LOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// In the order of `enum counter` in `bpf/cachestat.bpf.c`.
    fn padded<const N: usize>(added: [i64; N]) -> [u64; COUNTERS] {
        std::array::from_fn(|index| added.get(index).copied().unwrap_or_default() as u64)
    }

    fn options(top: Option<u32>) -> Options {
        Options { by: By::Comm, apps: None, top, map_size: 1 }
    }

    #[test]
    fn the_others_are_one_whose_sums_are_theirs() {
        let options = options(Some(1));
        let of = |comm: &str, added: &[i64; 3]| (Owner::comm(comm.to_string()), padded(*added));
        let added = vec![of("a", &[90, 0, 0]), of("b", &[30, 0, 30]), of("c", &[10, 0, 0])];
        let records = Attributions::new(&options, SECOND).records(added, true);
        let [first, others] = &records[..] else { panic!("{records:?}") };
        assert_eq!((first.accesses, others.accesses, others.hits, others.misses), (90, 40, 10, 30));
        assert_eq!((&others.owner, others.hit_ratio), (&Owner::others(By::Comm), Some(0.25)));
    }

    fn record<const N: usize>(added: [i64; N]) -> Accesses {
        Attribution::new(INTERVALS).record(&padded(added), true).0
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
        let mut attribution = Attribution::new(INTERVALS);
        let faults = [16, -15, 3, 20].map(|taken| attribution.record(&padded([0, taken]), false).0.faults);
        assert_eq!(faults, [16, 0, 0, 8]);
    }

    #[test]
    fn a_page_is_reported_once_its_access_is_known() {
        let mut attribution = Attribution::new(INTERVALS);
        // 64 fetched, of which 32 are claimed at once, the others, by a fault, in the next interval.
        let first = attribution.record(&padded([0, 0, 64, 32, 0, 4]), false).0;
        assert_eq!((first.read_misses, first.fault_misses, first.readahead), (32, 0, 28));
        let second = attribution.record(&padded([0, 0, 0, -32, 32, 1]), false).0;
        assert_eq!((second.read_misses, second.fault_misses, second.readahead), (0, 32, 31));
    }

    #[test]
    fn pages_that_no_access_claims_are_reported_all_the_same() {
        let mut attribution = Attribution::new(INTERVALS);
        let unclaimed = padded([0, 0, 100, 100]);
        assert_eq!(attribution.record(&unclaimed, true).0.misses, 100);
        let mut attribution = Attribution::new(INTERVALS);
        let misses: Vec<u64> = std::iter::once(unclaimed)
            .chain(std::iter::repeat_n(padded([0]), INTERVALS))
            .map(|added| attribution.record(&added, false).0.misses)
            .collect();
        assert_eq!(misses.iter().sum::<u64>(), 100, "{misses:?}");
        assert_eq!(patience(Duration::from_millis(50)), 80);
    }

    #[test]
    fn what_is_left_of_an_owner_is_reported_when_it_is_known() {
        let options = options(None);
        let mut attributions = Attributions::new(&options, SECOND);
        let added = |faults: i64| padded([0, faults]);
        let of = |comm: &str, faults| (Owner::comm(comm.to_string()), added(faults));
        let faults_of = |records: Vec<Accesses>| -> Vec<_> {
            records.into_iter().map(|counts| (counts.owner.comm.flatten(), counts.faults)).collect()
        };
        let first = faults_of(attributions.records(vec![of("a", -3), of("b", 5)], false));
        assert_eq!(first, [(Some("b".to_string()), 5)]);
        let second = faults_of(attributions.records(vec![of("a", 10)], false));
        assert_eq!(second, [(Some("a".to_string()), 7)]);
        assert!(attributions.owners.is_empty());
        assert_eq!(faults_of(attributions.records(vec![], true)), [(None, 0)]);
    }
}
