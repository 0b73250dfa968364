//! From the increments of the counters to records.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use common::measure::counters::Delta;
use common::measure::top;
use common::owner::{By, Options, Owner};

use crate::row::{Accesses, COUNTERS, hit_ratio};
use crate::skel::types::counter as Counter;
use crate::unread::{Unread, generation};

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
    /// Unread pages are a generation older after this many intervals.
    generation: usize,
    /// Intervals of this generation.
    intervals: usize,
}

impl<'a> Attributions<'a> {
    /// For these options, and intervals of this length.
    pub fn new(options: &'a Options, interval: Duration) -> Self {
        let (patience, generation) = (patience(interval), generation(interval));
        Self { options, patience, owners: BTreeMap::new(), generation, intervals: 0 }
    }

    /// The records of an interval, from what was added for each owner: the busiest first, with
    /// --top the others last, an empty one if there was none. `last`: whether this interval is the
    /// last.
    pub fn records(&mut self, added: Delta<COUNTERS>, last: bool) -> Vec<Accesses> {
        let (by, top) = (self.options.by, self.options.top);
        let mut added: BTreeMap<_, _> =
            added.into_iter().map(|(owner, added)| (owner, Some(added))).collect();
        // Owners that do nothing any more must not fill the memory.
        let crowded = self.owners.len() > self.options.map_size as usize;
        // Pages held back for other owners may be reported now.
        for (owner, _) in self.owners.iter().filter(|(_, left)| crowded || !left.is_settled()) {
            added.entry(owner.clone()).or_insert(None);
        }
        let mut records = Vec::new();
        for (owner, added) in added {
            let attribution =
                self.owners.entry(owner.clone()).or_insert_with(|| Attribution::new(self.patience));
            let (idle, added) = (added.is_none(), added.unwrap_or([0; COUNTERS]));
            let counts = Accesses { owner: owner.clone(), ..attribution.record(&added, last || crowded).0 };
            if by != By::System && (attribution.is_done() || crowded && idle) {
                self.owners.remove(&owner);
            }
            if by == By::System || counts != Accesses::none(owner) {
                records.push(counts);
            }
        }
        self.grow_older();
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

    /// An interval has passed.
    fn grow_older(&mut self) {
        self.intervals += 1;
        if self.intervals >= self.generation {
            self.intervals = 0;
            self.owners.values_mut().for_each(Attribution::grow_older);
            self.owners.retain(|_, left| !left.is_done());
        }
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
    unread: Unread,
    unmapped: Unread,
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
        Self {
            held,
            faults: Debt::default(),
            read_misses: Debt::default(),
            readahead: Debt::default(),
            unread: Unread::default(),
            unmapped: Unread::default(),
        }
    }

    /// Whether nothing is left for a later record, whoever does what.
    fn is_done(&self) -> bool {
        self.is_settled() && self.unread.is_none() && self.unmapped.is_none()
    }

    /// Pages fetched ahead longest ago will not be read any more.
    fn grow_older(&mut self) {
        self.unread.grow_older();
        self.unmapped.grow_older();
    }

    /// Whether nothing is left for a later record of an idle owner.
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
        let hits = self.unread.hits(reads, read_misses) + self.unmapped.hits(faults, fault_misses);
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
mod tests;
