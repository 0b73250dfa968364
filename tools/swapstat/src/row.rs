//! The record of swapstat.

use common::measure::per_key::KeyDelta;
use common::output::{Row, sketch};
use common::owner::{By, Owner};
use record::histogram::Hist;
use record::statistics::{Statistics, Words};
use schemars::JsonSchema;
use serde::Serialize;

use crate::vmstat::Without;

/// What was swapped in an interval.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Swapped {
    /// The owner, with --by: the task that ran, or with --by owner the cgroup whose memory it is.
    #[serde(flatten)]
    pub owner: Owner,
    /// Pages read from swap, those read ahead included.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "pages"))]
    pub in_pages: u64,
    /// The same in bytes.
    #[schemars(extend("x-kind" = "counter", "x-unit" = "bytes"))]
    pub in_bytes: u64,
    /// The reads that they make: one for a large folio.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4))]
    pub in_requests: u64,
    /// Pages written to swap.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "pages"))]
    pub out_pages: u64,
    /// The same in bytes.
    #[schemars(extend("x-kind" = "counter", "x-unit" = "bytes"))]
    pub out_bytes: u64,
    /// The writes that they make.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4))]
    pub out_requests: u64,
    /// Pages that zswap had kept compressed in memory, and that are needed again. Null if not known.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 5, "x-unit" = "pages"))]
    pub zswap_in_pages: Option<u64>,
    /// Pages that zswap keeps compressed in memory instead of having them written. Null if not known.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 5, "x-unit" = "pages"))]
    pub zswap_out_pages: Option<u64>,
    /// Pages of zeros that are needed again. Null if not known, as with --by, --pid, --cgroup, --comm and --user.
    #[schemars(extend("x-kind" = "counter", "x-unit" = "pages"))]
    pub zero_in_pages: Option<u64>,
    /// Pages of zeros, of which swap keeps only that. Null as above.
    #[schemars(extend("x-kind" = "counter", "x-unit" = "pages"))]
    pub zero_out_pages: Option<u64>,
    /// How long tasks waited in page faults for pages that were swapped out; null if this kernel does not show it.
    #[serde(flatten)]
    pub fault: Statistics<Faults>,
    /// With --buckets: the histogram of these waits, as [upper bound in microseconds, count].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "buckets", "x-unit" = "microseconds"))]
    pub fault_buckets: Option<Vec<(f64, u64)>>,
    #[serde(skip)]
    sketch: Option<Vec<u64>>,
}

/// Faults that had to get a page from swap.
#[derive(Clone, Debug)]
pub struct Faults;

impl Words for Faults {
    const PREFIX: &'static str = "fault_";
    const COUNT: &'static str =
        "Page faults that had to get a page from swap. Null if this kernel does not show them.";
    const OPTIONAL: bool = true;
    const VERB: &'static str = "waited";
    const NONE: &'static str = "; null where there was none";
    const RANKS: &'static [(&'static str, u8)] = &[("count", 3), ("p99_us", 3), ("p50_us", 4), ("max_us", 4)];
}

/// What can be seen here.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// How long faults wait.
    pub faults: bool,
    /// What zswap keeps, by its functions.
    pub zswap: bool,
    /// Whether histograms are asked for.
    pub buckets: bool,
}

/// What was measured in an interval, for one owner.
#[derive(Default)]
pub struct Measured {
    pub in_pages: u64,
    pub in_requests: u64,
    pub out_pages: u64,
    pub out_requests: u64,
    pub zswap_in_pages: u64,
    pub zswap_out_pages: u64,
    pub fault: Hist,
}

impl Measured {
    /// All pages, by which owners are ranked.
    pub fn pages(&self) -> u64 {
        self.in_pages + self.out_pages + self.zswap_in_pages + self.zswap_out_pages
    }

    /// Adds the measurements of another.
    pub fn add(&mut self, more: &Self) {
        self.in_pages += more.in_pages;
        self.in_requests += more.in_requests;
        self.out_pages += more.out_pages;
        self.out_requests += more.out_requests;
        self.zswap_in_pages += more.zswap_in_pages;
        self.zswap_out_pages += more.zswap_out_pages;
        self.fault.add(&more.fault);
    }
}

impl Swapped {
    /// The records of an interval: for the system, with what the kernel itself counts, or for each
    /// owner that was active; one of zeros if there was none.
    pub fn of(deltas: Vec<KeyDelta<Measured>>, by: By, counted: Option<Without>, known: Known) -> Vec<Self> {
        let rows = deltas.into_iter().map(|KeyDelta { owner, measured, .. }| (owner, measured));
        let mut rows: Vec<_> =
            rows.map(|(owner, measured)| Self::new(owner, &measured, counted, known)).collect();
        if rows.is_empty() {
            rows.push(Self::new(Owner::unknown(by), &Measured::default(), counted, known));
        }
        rows
    }

    fn new(owner: Owner, measured: &Measured, counted: Option<Without>, known: Known) -> Self {
        let page = rustix::param::page_size() as u64;
        let seen = Without {
            zswap_in: known.zswap.then_some(measured.zswap_in_pages),
            zswap_out: known.zswap.then_some(measured.zswap_out_pages),
            ..Without::default()
        };
        let without = counted.unwrap_or(seen);
        Self {
            owner,
            in_pages: measured.in_pages,
            in_bytes: measured.in_pages * page,
            in_requests: measured.in_requests,
            out_pages: measured.out_pages,
            out_bytes: measured.out_pages * page,
            out_requests: measured.out_requests,
            zswap_in_pages: without.zswap_in,
            zswap_out_pages: without.zswap_out,
            zero_in_pages: without.zero_in,
            zero_out_pages: without.zero_out,
            fault: if known.faults { measured.fault.summary().into() } else { Statistics::default() },
            fault_buckets: known.buckets.then(|| measured.fault.non_empty()),
            sketch: known.faults.then(|| sketch(&measured.fault)),
        }
    }
}

impl Row for Swapped {
    fn sketch(&self) -> Option<Vec<u64>> {
        self.sketch.clone()
    }

    fn drawn(&self) -> Vec<(&'static str, &[(f64, u64)])> {
        self.fault_buckets.iter().map(|buckets| ("fault us", buckets.as_slice())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Known = Known { faults: true, zswap: true, buckets: false };

    fn measured() -> Measured {
        Measured { in_pages: 5, in_requests: 2, out_pages: 7, zswap_out_pages: 3, ..Measured::default() }
    }

    fn rows(counted: Option<Without>, known: Known) -> Vec<Swapped> {
        let delta = KeyDelta { owner: Owner::default(), key: 0, measured: measured() };
        Swapped::of(vec![delta], By::System, counted, known)
    }

    #[test]
    fn the_kernels_own_counters_go_before_what_functions_show() {
        let counted = Without { zswap_in: Some(11), zero_out: Some(13), ..Without::default() };
        let of =
            |row: &Swapped| [row.zswap_in_pages, row.zswap_out_pages, row.zero_in_pages, row.zero_out_pages];
        assert_eq!(of(&rows(Some(counted), ALL)[0]), [Some(11), None, None, Some(13)]);
        assert_eq!(of(&rows(None, ALL)[0]), [Some(0), Some(3), None, None]);
        assert_eq!(of(&rows(None, Known { zswap: false, ..ALL })[0]), [None; 4]);
    }

    #[test]
    fn pages_are_bytes_and_waits_are_null_where_they_are_not_seen() {
        let row = &rows(None, Known { faults: false, ..ALL })[0];
        let page = rustix::param::page_size() as u64;
        assert_eq!((row.in_bytes, row.out_bytes, row.in_requests), (5 * page, 7 * page, 2));
        assert!(row.fault.get().is_none());
        assert_eq!(rows(None, ALL)[0].fault.get().map(|of| of.count), Some(0));
    }

    #[test]
    fn an_idle_interval_has_a_record() {
        let rows = Swapped::of(Vec::new(), By::Owner, None, ALL);
        assert_eq!((rows.len(), rows[0].in_pages, rows[0].owner.cgroup.clone()), (1, 0, Some(None)));
    }
}
