//! The record of cachestat.

use common::output::Row;
use common::owner::Owner;
use schemars::JsonSchema;
use serde::Serialize;

/// How many counters there are in a bank: `MAX_COUNTERS` of `bpf/cachestat.bpf.c`, rounded up to whole cache lines.
pub const COUNTERS: usize = 16;
/// The place of the counter of what was lost: `LOST` of `bpf/cachestat.bpf.c`.
pub const LOST: usize = 8;

/// What the page cache was asked for in an interval, and what was fetched into it. All in pages.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Counts {
    /// Whose accesses they were, with --by.
    #[serde(flatten)]
    pub owner: Owner,
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

impl Row for Counts {
    const TABLE: &'static [&'static str] = &[
        "pid",
        "comm",
        "cgroup",
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
    const WIDTHS: &'static [(&'static str, usize)] = &Owner::WIDTHS;
}
