//! The record of cachestat.

use common::bpf::mmap::words;
use common::output::Row;
use common::owner::Owner;
use schemars::JsonSchema;
use serde::Serialize;

use crate::skel::types::{counter as Counter, counters};

/// How many counters there are in a bank.
pub const COUNTERS: usize = words::<counters>();
/// The place of the counter of losses.
pub const LOST: usize = Counter::LOST.0 as usize;

/// What the page cache was asked for in an interval, and what was fetched into it. All in pages.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Accesses {
    /// The owner of the accesses, with --by.
    #[serde(flatten)]
    pub owner: Owner,
    /// Pages given to tasks: reads + faults.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "pages"))]
    pub accesses: u64,
    /// Accesses that needed no fetch: max(0, reads - read_misses) + max(0, faults - fault_misses), less the first use of
    /// pages that were fetched in an earlier interval.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-unit" = "pages"))]
    pub hits: u64,
    /// Pages fetched for reads and faults, or ahead of them: read_misses + fault_misses.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "pages"))]
    pub misses: u64,
    /// hits / accesses. Null where there was no access.
    #[schemars(extend("x-kind" = "ratio", "x-rank" = 2, "x-part" = [["hits"]], "x-whole" = "accesses"))]
    pub hit_ratio: Option<f64>,
    /// Pages read: a page counts once for each call that touches it.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-unit" = "pages"))]
    pub reads: u64,
    /// Pages fetched for reads, or ahead of them.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-unit" = "pages"))]
    pub read_misses: u64,
    /// Pages of mapped files that page faults made accessible to a task.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4, "x-unit" = "pages"))]
    pub faults: u64,
    /// Pages fetched for page faults, or ahead of them.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4, "x-unit" = "pages"))]
    pub fault_misses: u64,
    /// Of the misses: those that no read or fault had asked for when they were fetched.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4, "x-unit" = "pages"))]
    pub readahead: u64,
    /// Pages that writes added to the cache; they are no misses.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4, "x-unit" = "pages"))]
    pub write_adds: u64,
    /// Pages that became dirty, by writes or through mappings.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-unit" = "pages"))]
    pub dirtied: u64,
}

impl Accesses {
    /// Without any page.
    pub fn none(owner: Owner) -> Self {
        Self { owner, ..Self::default() }
    }

    /// With the counts of another added; of the same owner.
    pub fn with(self, more: &Self) -> Self {
        let (accesses, hits) = (self.accesses + more.accesses, self.hits + more.hits);
        Self {
            owner: self.owner,
            accesses,
            hits,
            misses: self.misses + more.misses,
            hit_ratio: hit_ratio(hits, accesses),
            reads: self.reads + more.reads,
            read_misses: self.read_misses + more.read_misses,
            faults: self.faults + more.faults,
            fault_misses: self.fault_misses + more.fault_misses,
            readahead: self.readahead + more.readahead,
            write_adds: self.write_adds + more.write_adds,
            dirtied: self.dirtied + more.dirtied,
        }
    }
}

/// hits / accesses, if there were any accesses.
pub fn hit_ratio(hits: u64, accesses: u64) -> Option<f64> {
    (accesses > 0).then(|| hits as f64 / accesses as f64)
}

impl Row for Accesses {}
