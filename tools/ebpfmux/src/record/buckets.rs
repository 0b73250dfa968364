//! The buckets of a histogram. The tools use a few hundred bounds; other programs may use any, so
//! their number is limited.

use std::collections::BTreeMap;

use record::histogram::{bounds_ns, bucket_of};
use serde_json::value::RawValue;

use super::number;

/// The maximum number of bounds that are kept as they are. Others are replaced by the tools' next
/// greater one.
const BOUNDS: usize = 4096;

/// Counts by the upper bound of their bucket, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets(BTreeMap<u64, u64>);

impl Buckets {
    /// Parses them as the tools print them: pairs of an upper bound in microseconds and a count.
    pub fn parse(raw: &str) -> Option<Self> {
        let all: Vec<(f64, &RawValue)> = serde_json::from_str(raw).ok()?;
        let mut buckets = Self::default();
        for (upper, count) in all {
            buckets.add((upper * 1e3).round() as u64, number::count(count.get())?);
        }
        Some(buckets)
    }

    /// Adds to the count of a bound.
    pub fn add(&mut self, upper: u64, count: u64) {
        let fits = self.0.len() < BOUNDS || self.0.contains_key(&upper);
        let upper = if fits { upper } else { bounds_ns(bucket_of(upper.saturating_sub(1))).1 };
        let sum = self.0.entry(upper).or_default();
        *sum = sum.saturating_add(count);
    }

    /// Adds all counts of another histogram.
    pub fn extend(&mut self, other: &Self) {
        other.iter().for_each(|(upper, count)| self.add(upper, count));
    }

    /// The bounds and counts, in the order of the bounds.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(upper, count)| (*upper, *count))
    }

    /// The number of values.
    pub fn count(&self) -> u128 {
        self.0.values().map(|count| u128::from(*count)).sum()
    }

    /// The number of bounds.
    pub fn bounds(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_bounds_is_limited_and_all_values_are_counted() {
        let mut buckets = Buckets::default();
        (1..1_000_000u64).for_each(|upper| buckets.add(upper * 1_000_003, 2));
        assert!(buckets.bounds() < BOUNDS + 1_000, "{}", buckets.bounds());
        assert_eq!(buckets.count(), 2 * 999_999);
        buckets.add(1_000_003, u64::MAX);
        assert_eq!(buckets.iter().next(), Some((1_000_003, u64::MAX)));
    }
}
