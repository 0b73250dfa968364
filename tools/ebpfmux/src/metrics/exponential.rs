//! Converts the records' buckets to an exponential histogram, as OTLP and Prometheus's native
//! histograms use it.

use std::sync::LazyLock;

use record::histogram::{BUCKETS, bounds_ns, bucket_of};

/// A bucket's bounds are 2^(1/256) apart: the finest that Prometheus stores.
pub const SCALE: i32 = 8;

/// The exponential bucket of each of the records' buckets. A record's bucket is 10 to 23 times as
/// wide as an exponential one. All its values are put into the one that minimizes the largest
/// error, at most 3.3 %, wherever in it a value is then assumed to be.
static PLACES: LazyLock<Vec<Option<i32>>> = LazyLock::new(|| (0..BUCKETS).map(place).collect());

/// The lower bound (exclusive) of an exponential bucket, in seconds; the upper bound (inclusive) is
/// that of the next bucket.
pub fn lower(index: i32) -> f64 {
    (f64::from(index) / f64::from(1 << SCALE)).exp2()
}

/// The index of the exponential bucket that takes the values of the bucket with this upper bound, in nanoseconds; `None`
/// for values of 0.
pub fn index(upper_ns: u64) -> Option<i32> {
    PLACES[bucket_of(upper_ns.saturating_sub(1))]
}

fn place(bucket: usize) -> Option<i32> {
    let (low, high) = bounds_ns(bucket);
    // Values are whole nanoseconds.
    let (least, most) = (low as f64 / 1e9, (high - 1) as f64 / 1e9);
    if most == 0.0 {
        return None;
    }
    let around = |seconds: f64| (seconds.log2() * f64::from(1 << SCALE)).floor() as i32;
    let off = |at: i32| (lower(at + 1) / least - 1.0).max(1.0 - lower(at) / most);
    (around(least) - 1..=around(most) + 1).min_by(|one, two| off(*one).total_cmp(&off(*two)))
}

/// Counts by the upper bound in nanoseconds: how many are 0, and the others by their index.
pub fn exponential(buckets: impl Iterator<Item = (u64, u64)>) -> (u64, Vec<(i32, u64)>) {
    let (mut zeros, mut places) = (0u64, Vec::<(i32, u64)>::new());
    for (upper, count) in buckets.filter(|(_, count)| *count > 0) {
        match (index(upper), places.last_mut()) {
            (None, _) => zeros = zeros.saturating_add(count),
            (Some(at), Some((last, sum))) if *last == at => *sum = sum.saturating_add(count),
            (Some(at), _) => places.push((at, count)),
        }
    }
    (zeros, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_exported_more_than_3_3_percent_off() {
        let mut before = i32::MIN;
        assert_eq!(index(1), None);
        for bucket in 1..BUCKETS {
            let (low, high) = bounds_ns(bucket);
            let at = index(high).unwrap();
            assert!(at > before, "bucket {bucket} has one of its own");
            before = at;
            for value in [low as f64 / 1e9, (high - 1) as f64 / 1e9] {
                for reported in [lower(at), lower(at + 1)] {
                    let off = (reported - value).abs() / value;
                    assert!(off <= 0.033, "{value} s reported as {reported}: {off}");
                }
                // By the middle, as in the tools.
                let middle = (lower(at) * lower(at + 1)).sqrt();
                assert!((middle - value).abs() / value <= 0.032, "{value} s, middle {middle}");
            }
        }
    }

    #[test]
    fn counts_stay_the_same() {
        let buckets = [(1, 3), (2, 1), (102_400, 5), (u64::MAX, 7)];
        let (zeros, places) = exponential(buckets.into_iter());
        assert_eq!(zeros, 3);
        assert_eq!(places.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 5, 7]);
    }
}
