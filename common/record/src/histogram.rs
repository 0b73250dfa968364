//! The latency histogram: the fixed bounds that all tools share, and the values computed from it.

/// Buckets in each power of two, as a power of two; `HIST_SUB_BITS` in `bpf/include/hist.h`.
const SUB_BITS: u32 = 4;
/// Values from 2^40 ns (18 minutes) on share the last bucket.
const MAX_BITS: u32 = 40;
/// How many buckets there are; `HIST_BUCKETS` in `bpf/include/hist.h`.
pub const BUCKETS: usize = ((MAX_BITS - SUB_BITS + 1) << SUB_BITS) as usize;

/// A histogram as the BPF programs keep it; `struct hist` in `bpf/include/hist.h`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawHist {
    /// Sum of all values, in nanoseconds.
    pub sum_ns: u64,
    /// The largest value.
    pub max_ns: u64,
    /// The complement of the smallest value, so that 0 means none.
    pub min_complement_ns: u64,
    /// How many values fell in each bucket.
    pub buckets: [u32; BUCKETS],
}

impl RawHist {
    /// Without any value.
    pub const EMPTY: Self = Self { sum_ns: 0, max_ns: 0, min_complement_ns: 0, buckets: [0; BUCKETS] };
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

/// The value that represents all in a bucket: its relative distance to both bounds is the same, at
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
    /// The largest value, and the complement of the smallest; 0 if unknown.
    max_ns: u64,
    min_complement_ns: u64,
    buckets: Vec<u64>,
}

impl Default for Hist {
    fn default() -> Self {
        Self { sum_ns: 0, max_ns: 0, min_complement_ns: 0, buckets: vec![0; BUCKETS] }
    }
}

impl Hist {
    /// Adds the contents of one bank of the BPF programs.
    pub fn add_raw(&mut self, raw: &RawHist) {
        self.sum_ns += raw.sum_ns;
        self.max_ns = self.max_ns.max(raw.max_ns);
        self.min_complement_ns = self.min_complement_ns.max(raw.min_complement_ns);
        self.buckets.iter_mut().zip(&raw.buckets).for_each(|(sum, more)| *sum += u64::from(*more));
    }

    /// Adds a value in nanoseconds.
    pub fn add_ns(&mut self, ns: u64) {
        self.sum_ns += ns;
        self.max_ns = self.max_ns.max(ns);
        self.min_complement_ns = self.min_complement_ns.max(!ns);
        self.buckets[bucket_of(ns)] += 1;
    }

    /// Adds all values of another.
    pub fn add(&mut self, other: &Self) {
        self.sum_ns += other.sum_ns;
        self.max_ns = self.max_ns.max(other.max_ns);
        self.min_complement_ns = self.min_complement_ns.max(other.min_complement_ns);
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(sum, more)| *sum += more);
    }

    /// Adds a number of values to the bucket with this upper bound, in microseconds, as
    /// [`Hist::non_empty`] returns it.
    pub fn add_bucket(&mut self, upper_us: f64, count: u64) {
        // Bounds are whole nanoseconds; another value falls into the bucket that holds it.
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

    /// Counts per factor of four from 1 µs up, for a small picture; the ends include what lies
    /// beyond.
    pub fn coarse(&self, columns: usize) -> Vec<u64> {
        coarse(self.buckets.iter().enumerate().map(|(bucket, count)| (bucket, *count)), columns)
    }

    /// The statistics in a record.
    pub fn summary(&self) -> Summary {
        let count = self.count();
        if count == 0 {
            return Summary::default();
        }
        let mean = round3(self.sum_ns as f64 / count as f64 / 1_000.0);
        let (min, max) = self.extremes_us(mean);
        let within = |value: Option<f64>| value.map(|value| value.clamp(min, max));
        let [p50, p90, p99, p999] = self.quantiles([0.5, 0.9, 0.99, 0.999]).map(within);
        Summary { count, min: Some(min), mean: Some(mean), p50, p90, p99, p999, max: Some(max) }
    }

    /// The smallest and the largest value, in microseconds, if there is any: exact if the BPF
    /// programs could keep them. Without compare-and-exchange, two concurrent updates may keep the
    /// wrong one: then the middle of the bucket is used, and the mean lies between the two in any
    /// case.
    fn extremes_us(&self, mean: f64) -> (f64, f64) {
        let first = self.buckets.iter().position(|count| *count > 0).unwrap_or_default();
        let last = self.buckets.iter().rposition(|count| *count > 0).unwrap_or_default();
        let or_middle = |ns: u64, bucket| if bucket_of(ns) == bucket { ns } else { middle_ns(bucket) };
        let min = match self.min_complement_ns {
            0 => middle_ns(first),
            complement => or_middle(!complement, first),
        };
        let max = or_middle(self.max_ns, last);
        (micros(min).min(mean), micros(max).max(mean))
    }

    /// The values that these shares (0 to 1, rising) of all values do not exceed, in microseconds: the middle of the bucket,
    /// at most 3.03 % off. `None` where there are no values.
    pub fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [Option<f64>; N] {
        let all = self.count();
        let mut filled = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        let (mut bucket, mut below) = (None, 0);
        shares.map(|share| {
            // The first value has rank 1.
            let rank = ((share * all as f64).ceil() as u64).clamp(1, all.max(1));
            while below < rank {
                let (next, count) = filled.next()?;
                (bucket, below) = (Some(next), below + count);
            }
            Some(micros(middle_ns(bucket?)))
        })
    }
}

/// The statistics of a histogram, in microseconds; none if there are no values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// How many values.
    pub count: u64,
    /// The smallest: exact but where `extremes_us` says otherwise.
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
    /// The largest: as the smallest.
    pub max: Option<f64>,
}

/// Nanoseconds as microseconds, exactly: three decimals.
pub fn micros(ns: u64) -> f64 {
    ns as f64 / 1_000.0
}

/// Rounded to three decimals, the resolution of the kernel's clock in microseconds.
pub fn round3(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Counts per factor of four from 1 µs up, of the counts of buckets; the ends include what lies beyond.
pub fn coarse(buckets: impl Iterator<Item = (usize, u64)>, columns: usize) -> Vec<u64> {
    let mut coarse = vec![0_u64; columns];
    for (bucket, count) in buckets {
        let octave = (bounds_ns(bucket).0.max(1) / 1_000).checked_ilog2().unwrap_or(0) as usize;
        if let Some(sum) = coarse.get_mut((octave / 2).min(columns.saturating_sub(1))) {
            *sum = sum.saturating_add(count);
        }
    }
    coarse
}

#[cfg(test)]
mod tests;
