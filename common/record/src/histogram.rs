//! The latency histogram: the fixed bounds that all tools share, and what is read off it.

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::Serialize;

/// Buckets in each power of two, as a power of two; `HIST_SUB_BITS` in `bpf/include/hist.h`.
const SUB_BITS: u32 = 4;
/// Values from 2^40 ns (18 minutes) on share the last bucket.
const MAX_BITS: u32 = 40;
/// How many buckets there are; `HIST_BUCKETS` in `bpf/include/hist.h`.
pub const BUCKETS: usize = ((MAX_BITS - SUB_BITS + 1) << SUB_BITS) as usize;

/// A histogram as the kernel's side keeps it; `struct hist` in `bpf/include/hist.h`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawHist {
    /// Sum of all values, in nanoseconds.
    pub sum_ns: u64,
    /// How many values fell in each bucket, modulo 2^32.
    pub buckets: [u32; BUCKETS],
}

impl RawHist {
    /// Without any value.
    pub const EMPTY: Self = Self { sum_ns: 0, buckets: [0; BUCKETS] };
}

/// The lower bound (inclusive) and the upper bound (exclusive) of a bucket, in nanoseconds.
pub fn bounds_ns(bucket: usize) -> (u64, u64) {
    let shift = (bucket as u32 >> SUB_BITS).saturating_sub(1);
    let in_octave = bucket as u64 - (u64::from(shift) << SUB_BITS);
    (in_octave << shift, (in_octave + 1) << shift)
}

/// The bucket of a value in nanoseconds: the arithmetic of `hist_bucket` in `bpf/include/hist.h`.
pub fn bucket_of(ns: u64) -> usize {
    if ns >= 1 << MAX_BITS {
        return BUCKETS - 1;
    }
    let shift = ns.checked_ilog2().unwrap_or(0).saturating_sub(SUB_BITS);
    ((shift << SUB_BITS) as u64 + (ns >> shift)) as usize
}

/// The value that stands for all in a bucket: the one whose relative distance to both bounds is the same, at
/// most 3.03 %.
fn middle_ns(bucket: usize) -> u64 {
    let (low, high) = bounds_ns(bucket);
    // The product of two bounds does not fit in 64 bits.
    let (low, high) = (u128::from(low), u128::from(high));
    if high - low == 1 { low as u64 } else { (2 * low * high / (low + high)) as u64 }
}

/// The values of one interval.
#[derive(Clone)]
pub struct Hist {
    sum_ns: u64,
    buckets: Vec<u64>,
}

impl Default for Hist {
    fn default() -> Self {
        Self { sum_ns: 0, buckets: vec![0; BUCKETS] }
    }
}

impl Hist {
    /// Adds what came to one bank of the kernel's totals between two looks at it.
    pub fn add_difference(&mut self, now: &RawHist, before: &RawHist) {
        self.sum_ns += now.sum_ns.wrapping_sub(before.sum_ns);
        for (bucket, (now, before)) in self.buckets.iter_mut().zip(now.buckets.iter().zip(&before.buckets)) {
            *bucket += u64::from(now.wrapping_sub(*before));
        }
    }

    /// Adds all values of another.
    pub fn add(&mut self, other: &Self) {
        self.sum_ns += other.sum_ns;
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(sum, more)| *sum += more);
    }

    /// Adds so many values of the bucket with this upper bound, in microseconds, as [`Hist::non_empty`] tells it.
    pub fn add_bucket(&mut self, upper_us: f64, count: u64) {
        // Bounds are whole nanoseconds; what is none falls into the bucket that holds it.
        let last_ns = ((upper_us * 1_000.0).round() as u64).saturating_sub(1);
        self.buckets[bucket_of(last_ns)] += count;
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The sum of all values, in nanoseconds: exact.
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// The non-empty buckets: the upper bound in microseconds and the count.
    pub fn non_empty(&self) -> Vec<(f64, u64)> {
        let filled = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(bucket, count)| (micros(bounds_ns(bucket).1), *count)).collect()
    }

    /// Counts per factor of four from 1 µs up, for a small picture; the ends take what lies beyond.
    pub fn coarse(&self, columns: usize) -> Vec<u64> {
        let mut coarse = vec![0; columns];
        for (bucket, count) in self.buckets.iter().enumerate() {
            let octave = (bounds_ns(bucket).0.max(1) / 1_000).checked_ilog2().unwrap_or(0) as usize;
            coarse[(octave / 2).min(columns - 1)] += count;
        }
        coarse
    }

    /// What the record tells of these values.
    pub fn summary(&self) -> Summary {
        let count = self.count();
        if count == 0 {
            return Summary::default();
        }
        // Three digits cost 0.1 % on top of the buckets' 3.03 %. Only the bounds can fail, and they are constants.
        let Ok(mut values) = Histogram::<u64>::new_with_bounds(1, 1 << MAX_BITS, 3) else {
            return Summary::default();
        };
        for (bucket, count) in self.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
            values.saturating_record_n(middle_ns(bucket).max(1), *count);
        }
        let at = |quantile| Some(micros(values.median_equivalent(values.value_at_quantile(quantile))));
        Summary {
            count,
            min: at(0.0),
            mean: Some(round3(self.sum_ns as f64 / count as f64 / 1_000.0)),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: at(1.0),
        }
    }
}

/// What is read off a histogram, in microseconds; nothing where there are no values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// How many values.
    pub count: u64,
    /// The smallest, from its bucket.
    pub min: Option<f64>,
    /// The exact mean: the sum is kept beside the buckets.
    pub mean: Option<f64>,
    /// Half of the values are at most this, from its bucket.
    pub p50: Option<f64>,
    /// 90 % of the values are at most this.
    pub p90: Option<f64>,
    /// 99 % of the values are at most this.
    pub p99: Option<f64>,
    /// 99.9 % of the values are at most this.
    pub p999: Option<f64>,
    /// The largest, from its bucket.
    pub max: Option<f64>,
}

/// The fields of every latency record. Percentiles, minimum and maximum are at most 3.2 % off.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// The shortest, in microseconds; null where there was none.
    pub min_us: Option<f64>,
    /// The mean, in microseconds: exact.
    pub mean_us: Option<f64>,
    /// Half took at most this long, in microseconds.
    pub p50_us: Option<f64>,
    /// 90 % took at most this long, in microseconds.
    pub p90_us: Option<f64>,
    /// 99 % took at most this long, in microseconds.
    pub p99_us: Option<f64>,
    /// 99.9 % took at most this long, in microseconds.
    pub p999_us: Option<f64>,
    /// The longest, in microseconds.
    pub max_us: Option<f64>,
}

impl From<Summary> for Latency {
    fn from(s: Summary) -> Self {
        Self {
            count: s.count,
            min_us: s.min,
            mean_us: s.mean,
            p50_us: s.p50,
            p90_us: s.p90,
            p99_us: s.p99,
            p999_us: s.p999,
            max_us: s.max,
        }
    }
}

/// Nanoseconds as microseconds, exactly: three decimals.
pub fn micros(ns: u64) -> f64 {
    ns as f64 / 1_000.0
}

/// Rounded to three decimals, the resolution of the kernel's clock in microseconds.
pub fn round3(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hist_of(values: &[u64]) -> Hist {
        let mut raw = RawHist { sum_ns: values.iter().sum(), buckets: [0; BUCKETS] };
        values.iter().for_each(|value| raw.buckets[bucket_of(*value)] += 1);
        let mut hist = Hist::default();
        hist.add_difference(&raw, &RawHist::EMPTY);
        hist
    }

    #[test]
    fn buckets_tile_the_whole_range() {
        for bucket in 1..BUCKETS {
            assert_eq!(bounds_ns(bucket).0, bounds_ns(bucket - 1).1, "bucket {bucket}");
        }
        assert_eq!(bounds_ns(0).0, 0);
        assert_eq!(bounds_ns(BUCKETS - 1).1, 1 << MAX_BITS);
        for ns in (0..MAX_BITS).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1]) {
            let (low, high) = bounds_ns(bucket_of(ns));
            assert!(low <= ns && ns < high, "{ns} not in [{low}, {high})");
        }
    }

    #[test]
    fn a_percentile_is_at_most_3_2_percent_off() {
        // Every bucket's worst values, from 100 ns to 1 000 s, alone in a histogram.
        for bucket in bucket_of(100)..=bucket_of(1_000_000_000_000) {
            let (low, high) = bounds_ns(bucket);
            for value in [low, high - 1] {
                let told = hist_of(&[value]).summary().p99.unwrap() * 1_000.0;
                let off = (told - value as f64).abs() / value as f64;
                assert!(off <= 0.032, "{value} ns told as {told}: {off}");
            }
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_values() {
        let mut values: Vec<u64> = (1..=10_007u64).map(|i| i * i * 13 + 500).collect();
        values.sort_unstable();
        let summary = hist_of(&values).summary();
        for (quantile, told) in
            [(0.5, summary.p50), (0.9, summary.p90), (0.99, summary.p99), (0.999, summary.p999)]
        {
            let exact = values[(quantile * values.len() as f64).ceil() as usize - 1] as f64 / 1_000.0;
            assert!((told.unwrap() - exact).abs() / exact <= 0.032, "{quantile}: {told:?} for {exact}");
        }
        let mean = values.iter().sum::<u64>() as f64 / values.len() as f64 / 1_000.0;
        assert!((summary.mean.unwrap() - mean).abs() < 0.001);
    }

    #[test]
    fn buckets_that_were_told_make_the_same_histogram() {
        let values: Vec<u64> = (0..2_000u64).map(|i| i * i * i).chain([0, 1, u64::MAX >> 1]).collect();
        let (hist, mut again) = (hist_of(&values), Hist::default());
        hist.non_empty().into_iter().for_each(|(upper, count)| again.add_bucket(upper, count));
        assert_eq!(again.buckets, hist.buckets);
        again.add_bucket(-1.0, 1);
        again.add_bucket(f64::NAN, 1);
    }

    #[test]
    fn nothing_is_null_not_zero() {
        let summary = Hist::default().summary();
        assert_eq!((summary.count, summary.p50, summary.mean), (0, None, None));
    }

    #[test]
    fn totals_that_wrapped_still_subtract() {
        let mut before = RawHist { sum_ns: u64::MAX, buckets: [0; BUCKETS] };
        before.buckets[100] = u32::MAX;
        let mut now = before;
        now.sum_ns = 9;
        now.buckets[100] = 2;
        let mut hist = Hist::default();
        hist.add_difference(&now, &before);
        assert_eq!((hist.sum_ns, hist.count()), (10, 3));
    }
}
