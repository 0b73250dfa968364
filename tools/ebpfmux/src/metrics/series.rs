//! Sums of records: metric, labels and value.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::record::bounds::Bounded;
use crate::record::buckets::Buckets;
use crate::record::timestamp::Nanos;

/// Bounds of a histogram: four in each power of two of nanoseconds, from 1 µs to 69 s. The same in every series and from
/// the beginning, so that rates of buckets are right; they are among the bounds of the records' own buckets.
const OCTAVES: std::ops::Range<u32> = 10..36;

/// The series of one name.
pub struct Family {
    /// The metric and its tool: the name in OTLP, and the name in Prometheus without its unit.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// Its type.
    pub kind: Kind,
    /// Its description.
    pub help: String,
    /// The series, by their labels in Prometheus's format.
    pub series: BTreeMap<String, Series>,
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A current value.
    Gauge,
    /// Counts by size.
    Histogram,
    /// A histogram without buckets: count and sum.
    Summary,
    /// A sum whose name is complete: `_total` is not added to it.
    Named,
    /// Counts by size, with bounds of its own.
    Bounded,
    /// A current value whose name is complete, too.
    Level,
}

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// No unit: events or pages, as the name says.
    None,
    /// Bytes; a suffix of the name.
    Bytes,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// The unit as a suffix of this name; `None` if it has no such suffix, without which formats
    /// refuse a unit.
    pub fn suffix(self, name: &str) -> Option<&'static str> {
        let word = match self {
            Self::None => return None,
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
        };
        name.strip_suffix(word)?.ends_with('_').then_some(word)
    }
}

/// One series.
pub struct Series {
    /// The host and the keys.
    pub labels: Vec<(String, String)>,
    /// The index of its host and tool among the owners.
    pub owner: usize,
    /// The beginning of its first interval.
    pub since: Nanos,
    /// When a record last added to it; none for those that are no sums of records.
    pub touched: Option<Instant>,
    /// Its value.
    pub total: Total,
}

/// A host's tool.
pub struct Owner {
    /// The host.
    pub host: String,
    /// The tool.
    pub tool: String,
    /// The time of its latest record, which is the time of its totals.
    pub last: Nanos,
    /// Whether it had a record since its totals were last exported.
    pub fresh: bool,
}

/// The value of a series.
pub enum Total {
    /// A whole number.
    Whole(u128),
    /// A real one.
    Real(f64),
    /// Counts by size.
    Histogram(Box<Histogram>),
}

/// Counts by size.
#[derive(Default)]
pub struct Histogram {
    /// Counts by upper bound, in nanoseconds; empty if the tool prints no buckets.
    pub buckets: Buckets,
    /// Counts by upper bounds of its own, in any unit; empty otherwise.
    pub bounded: Bounded,
    /// The sum, in seconds, or in the unit of the bounds.
    pub sum: f64,
    /// The total count.
    pub count: u128,
}

/// The bounds of its own, each with the cumulative count.
pub fn cumulated(histogram: &Histogram) -> impl Iterator<Item = (f64, u64)> {
    let mut sum: u64 = 0;
    histogram.bounded.iter().map(move |(upper, count)| {
        sum = sum.saturating_add(count);
        (upper, sum)
    })
}

/// The fixed bounds in seconds, each with the cumulative count.
pub fn classic(histogram: &Histogram) -> impl Iterator<Item = (f64, u64)> {
    let mut sum: u64 = 0;
    let mut buckets = histogram.buckets.iter().peekable();
    OCTAVES.flat_map(|octave| (4..8).map(move |quarter: u64| quarter << (octave - 2))).map(move |upper| {
        while let Some((_, count)) = buckets.next_if(|(bound, _)| *bound <= upper) {
            sum = sum.saturating_add(count);
        }
        (upper as f64 / 1e9, sum)
    })
}
