//! Renders `/metrics` in Prometheus's protobuf, with native histograms.
//!
//! The messages are those of `io/prometheus/client/metrics.proto` (prometheus/client_model),
//! reduced to the used fields. The crate with all of them, prometheus-client, would add a protobuf
//! compiler to the build.

use prost::Message;

use crate::metrics::exponential::{SCALE, exponential};
use crate::metrics::own::Own;
use crate::metrics::series::{self, Family, Kind, Series, Total, classic, cumulated};
use crate::metrics::{Metrics, Named};

/// The zero threshold: less than any other value.
const ZERO: f64 = 1e-10;

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(enumeration = "MetricType", tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
    #[prost(string, tag = "5")]
    unit: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
enum MetricType {
    Counter = 0,
    Gauge = 1,
    Summary = 2,
    Histogram = 4,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Number>,
    #[prost(message, optional, tag = "4")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// The value of a gauge or counter.
#[derive(Clone, PartialEq, Message)]
struct Number {
    #[prost(double, tag = "1")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(uint64, tag = "1")]
    sample_count: u64,
    #[prost(double, tag = "2")]
    sample_sum: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    sample_count: u64,
    #[prost(double, tag = "2")]
    sample_sum: f64,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, tag = "5")]
    schema: i32,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "13")]
    positive_delta: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    cumulative_count: u64,
    #[prost(double, tag = "2")]
    upper_bound: f64,
}

#[derive(Clone, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

/// Renders all metrics: messages, each preceded by its length.
pub fn protobuf(metrics: &Metrics, own: &[Own]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Named { name, family, .. } in metrics.families() {
        bytes.extend(message(&name, family).encode_length_delimited_to_vec());
    }
    for (name, family) in own {
        bytes.extend(message(name, family).encode_length_delimited_to_vec());
    }
    bytes
}

fn message(name: &str, family: &Family) -> MetricFamily {
    let (kind, total) = match family.kind {
        Kind::Counter => (MetricType::Counter, "_total"),
        Kind::Named => (MetricType::Counter, ""),
        Kind::Gauge | Kind::Level => (MetricType::Gauge, ""),
        Kind::Histogram | Kind::Bounded => (MetricType::Histogram, ""),
        Kind::Summary => (MetricType::Summary, ""),
    };
    MetricFamily {
        name: format!("{name}{total}"),
        help: family.help.clone(),
        kind: kind.into(),
        metric: family.series.values().map(|series| metric(series, family.kind)).collect(),
        unit: family.unit.suffix(name).unwrap_or_default().to_owned(),
    }
}

fn metric(series: &Series, kind: Kind) -> Metric {
    let pairs = series.labels.iter().cloned();
    let label = pairs.map(|(name, value)| LabelPair { name, value }).collect();
    let metric = Metric { label, ..Metric::default() };
    let value = match &series.total {
        Total::Whole(sum) => *sum as f64,
        Total::Real(value) => *value,
        Total::Histogram(of) if kind == Kind::Bounded => {
            let bucket = cumulated(of);
            let bucket = bucket
                .map(|(upper_bound, cumulative_count)| Bucket { cumulative_count, upper_bound })
                .collect();
            let sample_count = u64::try_from(of.count).unwrap_or(u64::MAX);
            // Bounds of its own, and so no native histogram.
            let classic = Histogram { sample_count, sample_sum: of.sum, bucket, ..Histogram::default() };
            return Metric { histogram: Some(classic), ..metric };
        }
        Total::Histogram(of) if kind == Kind::Histogram => {
            return Metric { histogram: Some(histogram(of)), ..metric };
        }
        Total::Histogram(of) => {
            let sample_count = u64::try_from(of.count).unwrap_or(u64::MAX);
            return Metric { summary: Some(Summary { sample_count, sample_sum: of.sum }), ..metric };
        }
    };
    match kind {
        Kind::Gauge | Kind::Level => Metric { gauge: Some(Number { value }), ..metric },
        _ => Metric { counter: Some(Number { value }), ..metric },
    }
}

fn histogram(of: &series::Histogram) -> Histogram {
    let bucket =
        classic(of).map(|(upper_bound, cumulative_count)| Bucket { cumulative_count, upper_bound }).collect();
    let sample_count = u64::try_from(of.count).unwrap_or(u64::MAX);
    let classic = Histogram { sample_count, sample_sum: of.sum, bucket, ..Histogram::default() };
    let (zero_count, places) = exponential(of.buckets.iter());
    let (mut spans, mut deltas) = (Vec::<BucketSpan>::new(), Vec::new());
    let (mut next, mut before) = (0, 0);
    for (at, count) in &places {
        // Prometheus indexes a bucket by its upper bound.
        let at = at + 1;
        match spans.last_mut() {
            Some(span) if at == next => span.length += 1,
            _ => spans.push(BucketSpan { offset: at - next, length: 1 }),
        }
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        deltas.push(count - before);
        (next, before) = (at + 1, count);
    }
    Histogram {
        schema: SCALE,
        zero_threshold: ZERO,
        zero_count,
        positive_span: spans,
        positive_delta: deltas,
        ..classic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_lie_in_spans() {
        let mut of = series::Histogram { sum: 1.0, count: 9, ..series::Histogram::default() };
        [(1, 2), (2, 3), (3, 3), (1 << 20, 1)]
            .iter()
            .for_each(|(upper, count)| of.buckets.add(*upper, *count));
        let native = histogram(&of);
        assert_eq!((native.sample_count, native.zero_count, native.schema), (9, 2, 8));
        assert_eq!(native.positive_delta, [3, 0, -2]);
        let lengths: Vec<u32> = native.positive_span.iter().map(|span| span.length).collect();
        assert_eq!(lengths, [1, 1, 1]);
        // From the first of 1 ns, 256 buckets per octave, up to 2 ns.
        assert_eq!(native.positive_span[1].offset, 255);
        // It contains one nanosecond.
        let upper = crate::metrics::exponential::lower(native.positive_span[0].offset);
        assert!((1e-9..=1.003e-9).contains(&upper), "{upper}");
    }
}
