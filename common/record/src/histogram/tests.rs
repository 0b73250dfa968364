//! Buckets, percentiles, sums.

use super::*;

fn hist_of(values: &[u64]) -> Hist {
    let mut raw = RawHist { sum_ns: values.iter().sum(), ..RawHist::EMPTY };
    for value in values {
        raw.buckets[bucket_of(*value)] += 1;
        raw.max_ns = raw.max_ns.max(*value);
        raw.min_complement_ns = raw.min_complement_ns.max(!value);
    }
    let mut hist = Hist::default();
    hist.add_raw(&raw);
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

/// The grid is HdrHistogram's of one significant digit, so its files and libraries can hold these histograms as they are.
#[test]
fn the_grid_is_hdrhistograms() {
    let hdr = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1 << MAX_BITS, 1).unwrap();
    for bucket in 0..BUCKETS {
        let (low, high) = bounds_ns(bucket);
        for ns in [low, (low + high) / 2, high - 1] {
            assert_eq!((hdr.lowest_equivalent(ns), hdr.next_non_equivalent(ns)), (low, high), "{ns}");
        }
    }
}

#[test]
fn quantiles_are_those_of_hdrhistogram() {
    let values: Vec<u64> = (1..=10_007u64).map(|i| i * i % 9_973 * 1_009 + 1).collect();
    let hist = hist_of(&values);
    let mut hdr = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1 << MAX_BITS, 1).unwrap();
    values.iter().for_each(|value| hdr.record(*value).unwrap());
    let shares = [0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0];
    for (share, found) in shares.into_iter().zip(hist.quantiles(shares)) {
        let bucket = bucket_of(hdr.value_at_quantile(share));
        assert_eq!(found, Some(micros(middle_ns(bucket))), "{share}");
    }
}

#[test]
fn a_percentile_is_at_most_3_2_percent_off() {
    // Every bucket's worst values, from 100 ns to 1 000 s, alone in a histogram.
    for bucket in bucket_of(100)..=bucket_of(1_000_000_000_000) {
        let (low, high) = bounds_ns(bucket);
        for value in [low, high - 1] {
            let p99 = hist_of(&[value]).summary().p99.unwrap() * 1_000.0;
            let off = (p99 - value as f64).abs() / value as f64;
            assert!(off <= 0.032, "{value} ns reported as {p99}: {off}");
        }
    }
}

#[test]
fn percentiles_are_those_of_the_sorted_values() {
    let mut values: Vec<u64> = (1..=10_007u64).map(|i| i * i * 13 + 500).collect();
    values.sort_unstable();
    let summary = hist_of(&values).summary();
    for (quantile, found) in
        [(0.5, summary.p50), (0.9, summary.p90), (0.99, summary.p99), (0.999, summary.p999)]
    {
        let exact = values[(quantile * values.len() as f64).ceil() as usize - 1] as f64 / 1_000.0;
        assert!((found.unwrap() - exact).abs() / exact <= 0.032, "{quantile}: {found:?} for {exact}");
    }
    let mean = values.iter().sum::<u64>() as f64 / values.len() as f64 / 1_000.0;
    assert!((summary.mean.unwrap() - mean).abs() < 0.001);
}

#[test]
fn printed_buckets_make_the_same_histogram() {
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
fn one_value_is_exact() {
    for value in [0, 1, 17, 1_234_567, (1 << 40) + 12_345] {
        let found = hist_of(&[value]).summary();
        let exact = Some(micros(value));
        let all = [found.min, found.mean, found.p50, found.p90, found.p99, found.p999, found.max];
        assert_eq!(all, [exact; 7], "{value}");
    }
}

#[test]
fn extremes_are_exact_and_all_else_lies_between() {
    let values: Vec<u64> = (1..=1_009u64).map(|i| i * 7_919 % 1_009 * 1_013 + 5).collect();
    let found = hist_of(&values).summary();
    let (min, max) = (values.iter().min().unwrap(), values.iter().max().unwrap());
    assert_eq!((found.min, found.max), (Some(micros(*min)), Some(micros(*max))));
    let rising = [found.min, found.p50, found.p90, found.p99, found.p999, found.max];
    assert!(rising.is_sorted() && found.min <= found.mean && found.mean <= found.max, "{found:?}");
}

/// As after two concurrent updates without compare-and-exchange.
#[test]
fn extremes_that_got_lost_are_read_off_the_buckets() {
    let mut hist = hist_of(&[1_000, 50_000, 1_000_000]);
    (hist.max_ns, hist.min_complement_ns) = (50_000, !50_000);
    let found = hist.summary();
    let off = |found: Option<f64>, exact: f64| (found.unwrap() - exact).abs() / exact;
    assert!(off(found.min, 1.0) <= 0.032 && off(found.max, 1_000.0) <= 0.032, "{found:?}");
    assert!(found.min <= found.mean && found.mean <= found.max, "{found:?}");
}
