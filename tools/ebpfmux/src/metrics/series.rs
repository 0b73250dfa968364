//! One sum of records: what it is, whose, and what it adds up to.

use std::collections::BTreeMap;

use crate::record::timestamp::Nanos;

/// Bounds of a histogram: four in each power of two of nanoseconds, from 1 µs to 69 s. The same in every series and from
/// the beginning, so that rates of buckets are right; they are among the bounds of the records' own buckets.
const OCTAVES: std::ops::Range<u32> = 10..36;

/// The series of one name.
pub struct Family {
    /// What is counted, and of which tool: the name in OTLP, and that in Prometheus but for its unit.
    pub name: String,
    /// In which unit.
    pub unit: Unit,
    /// What it is.
    pub kind: Kind,
    /// For a person.
    pub help: String,
    /// By their labels as Prometheus has them.
    pub series: BTreeMap<String, Series>,
}

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A value as it stands.
    Gauge,
    /// Counts by size.
    Histogram,
    /// Their count and sum only.
    Summary,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Events, pages: the name says it.
    None,
    /// Bytes; the name ends with it.
    Bytes,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// As a name ends with it.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Bytes => Some("bytes"),
            Self::Seconds => Some("seconds"),
        }
    }
}

/// One series.
pub struct Series {
    /// The host and the keys.
    pub labels: Vec<(String, String)>,
    /// The place of its host and tool among the owners.
    pub owner: usize,
    /// The beginning of the first interval that it is of.
    pub since: Nanos,
    /// What it adds up to.
    pub total: Total,
}

/// A host's tool.
pub struct Owner {
    /// The host.
    pub host: String,
    /// The tool.
    pub tool: String,
    /// The time of its youngest record: that is when its totals stand.
    pub last: Nanos,
    /// Whether a record came since its totals were last exported.
    pub fresh: bool,
}

/// What a series adds up to.
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
    /// By the upper bound, in nanoseconds; none where a tool prints no buckets.
    pub buckets: BTreeMap<u64, u64>,
    /// In seconds.
    pub sum: f64,
    /// Of all.
    pub count: u128,
}

impl Histogram {
    /// Whether its buckets hold all that it counts: they do not if a tool printed none for a while.
    pub fn is_whole(&self) -> bool {
        self.buckets.values().map(|count| u128::from(*count)).sum::<u128>() == self.count
    }
}

/// The fixed bounds in seconds, each with the count of all values up to it.
pub fn classic(histogram: &Histogram) -> impl Iterator<Item = (f64, u64)> {
    let mut sum = 0;
    let mut buckets = histogram.buckets.iter().peekable();
    OCTAVES.flat_map(|octave| (4..8).map(move |quarter: u64| quarter << (octave - 2))).map(move |upper| {
        while let Some((_, count)) = buckets.next_if(|(bound, _)| **bound <= upper) {
            sum += count;
        }
        (upper as f64 / 1e9, sum)
    })
}
