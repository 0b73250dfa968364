//! The buckets of a histogram with bounds of its own, in any unit: those of mapstat. They are kept as they are.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::number;

/// The maximum number of bounds. Values beyond the last one are left out of all sums.
const BOUNDS: usize = 1 << 13;

/// A bound that can be compared: its bits, in the order of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Bound(u64);

impl Bound {
    fn of(bound: f64) -> Option<Self> {
        // Both zeros are one.
        let bits = (bound + 0.0).to_bits();
        bound.is_finite().then_some(Self(if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }))
    }

    fn value(self) -> f64 {
        f64::from_bits(if self.0 >> 63 == 1 { self.0 & !(1 << 63) } else { !self.0 })
    }
}

/// Counts by the upper bound of their bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bounded(BTreeMap<Bound, u64>);

impl Bounded {
    /// Parses pairs of an upper bound and a count.
    pub fn parse(raw: &str) -> Option<Self> {
        let all: Vec<(f64, &RawValue)> = serde_json::from_str(raw).ok()?;
        let mut buckets = Self::default();
        for (upper, count) in all {
            buckets.add(Bound::of(upper)?, number::count(count.get())?);
        }
        Some(buckets)
    }

    fn add(&mut self, upper: Bound, count: u64) {
        if self.0.len() < BOUNDS || self.0.contains_key(&upper) {
            let sum = self.0.entry(upper).or_default();
            *sum = sum.saturating_add(count);
        }
    }

    /// Adds all counts of another histogram.
    pub fn extend(&mut self, other: &Self) {
        other.0.iter().for_each(|(upper, count)| self.add(*upper, *count));
    }

    /// The bounds and counts, in the order of the bounds.
    pub fn iter(&self) -> impl Iterator<Item = (f64, u64)> + Clone {
        self.0.iter().map(|(upper, count)| (upper.value(), *count))
    }

    /// The number of bounds.
    pub fn bounds(&self) -> usize {
        self.0.len()
    }

    /// The bound of the bucket that holds the value which this share of all values does not exceed.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let all: u128 = self.0.values().map(|count| u128::from(*count)).sum();
        let rank = ((all as f64 * share).ceil() as u128).clamp(1, all.max(1));
        let mut below = 0u128;
        let found = self.iter().find(|(_, count)| {
            below += u128::from(*count);
            below >= rank
        });
        found.map(|(upper, _)| upper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_any_unit_are_kept_as_they_are() {
        let mut one = Bounded::parse("[[1e-06,5],[-1,1],[0.0,2],[1.048576,1]]").unwrap();
        one.extend(&Bounded::parse("[[2e-06,3],[1e-06,1],[-0.0,1]]").unwrap());
        let all: Vec<_> = one.iter().collect();
        assert_eq!(all, [(-1.0, 1), (0.0, 3), (1e-6, 6), (2e-6, 3), (1.048576, 1)]);
        assert_eq!(
            [0.0, 0.5, 0.9, 0.999].map(|share| one.quantile(share)),
            [-1.0, 1e-6, 2e-6, 1.048576].map(Some)
        );
        assert_eq!(Bounded::default().quantile(0.5), None);
        assert!(Bounded::parse("[[null,1]]").is_none() && Bounded::parse("[[1,-1]]").is_none());
    }
}
