//! The metrics as OTLP requests.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::Histogram as PlainHistogram;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::batch::{Batch, Pending, attribute};
use crate::metrics::exponential::{SCALE, exponential};
use crate::metrics::series::{Family, Histogram, Kind, Series, Total, Unit};
use crate::metrics::{Metrics, Named};
use crate::record::timestamp::Nanos;

/// The maximum number of points in a request.
const POINTS: usize = 1000;

/// Totals are never reset within one run.
const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// One series with its family and owner.
struct Item<'a> {
    host: &'a str,
    tool: &'a str,
    last: Nanos,
    name: &'a str,
    family: &'a Family,
    series: &'a Series,
}

impl Pending for Metrics {
    /// The totals of each host and tool that have had a record since the last call.
    fn batches(&mut self) -> Vec<Batch> {
        batches(self)
    }
}

fn batches(metrics: &mut Metrics) -> Vec<Batch> {
    let mut items: Vec<Item<'_>> = Vec::new();
    let families: Vec<Named<'_>> = metrics.families().collect();
    for Named { otlp, family, .. } in &families {
        for series in family.series.values() {
            let owner = &metrics.owners[series.owner];
            if owner.fresh {
                let (host, tool) = (owner.host.as_str(), owner.tool.as_str());
                items.push(Item { host, tool, last: owner.last, name: otlp, family, series });
            }
        }
    }
    // A stable sort: within a tool the families stay together.
    items.sort_by_key(|item| (item.host, item.tool));
    let batches = items.chunks(POINTS).map(batch).collect();
    drop(items);
    drop(families);
    metrics.owners.iter_mut().for_each(|owner| owner.fresh = false);
    batches
}

fn batch(items: &[Item<'_>]) -> Batch {
    let hosts = items.chunk_by(|one, two| one.host == two.host);
    let request = ExportMetricsServiceRequest { resource_metrics: hosts.map(resource).collect() };
    Batch::of(&request, items.len())
}

fn resource(items: &[Item<'_>]) -> ResourceMetrics {
    let host = items[0].host;
    // These three together identify the source; Prometheus makes `job` and `instance` of two of
    // them.
    let attributes = [("service.name", "ebpf-filters"), ("service.instance.id", host), ("host.name", host)];
    let attributes = attributes.iter().map(|(key, value)| attribute(key, value)).collect();
    let tools = items.chunk_by(|one, two| one.tool == two.tool);
    ResourceMetrics {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_metrics: tools.map(scope).collect(),
        ..ResourceMetrics::default()
    }
}

fn scope(items: &[Item<'_>]) -> ScopeMetrics {
    let families = items.chunk_by(|one, two| std::ptr::eq(one.family, two.family));
    ScopeMetrics {
        scope: Some(InstrumentationScope {
            name: items[0].tool.to_owned(),
            ..InstrumentationScope::default()
        }),
        metrics: families.map(metric).collect(),
        ..ScopeMetrics::default()
    }
}

fn metric(items: &[Item<'_>]) -> Metric {
    let Item { name, family, .. } = items[0];
    let numbers = || items.iter().map(number).collect();
    let data = match family.kind {
        Kind::Counter | Kind::Named => {
            Data::Sum(Sum { data_points: numbers(), aggregation_temporality: CUMULATIVE, is_monotonic: true })
        }
        Kind::Gauge | Kind::Level => Data::Gauge(Gauge { data_points: numbers() }),
        Kind::Histogram => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: items.iter().filter_map(exponential_point).collect(),
            aggregation_temporality: CUMULATIVE,
        }),
        Kind::Summary => Data::Histogram(PlainHistogram {
            data_points: items.iter().filter_map(plain_point).collect(),
            aggregation_temporality: CUMULATIVE,
        }),
        Kind::Bounded => Data::Histogram(PlainHistogram {
            data_points: items.iter().filter_map(bounded_point).collect(),
            aggregation_temporality: CUMULATIVE,
        }),
    };
    let unit = match family.unit {
        Unit::None => "",
        Unit::Bytes => "By",
        Unit::Seconds => "s",
    };
    Metric {
        name: name.to_owned(),
        description: family.help.clone(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn number(item: &Item<'_>) -> NumberDataPoint {
    let value = match &item.series.total {
        Total::Whole(sum) => i64::try_from(*sum).map_or(Value::AsDouble(*sum as f64), Value::AsInt),
        Total::Real(value) => Value::AsDouble(*value),
        // A family has one kind of totals.
        Total::Histogram(histogram) => Value::AsDouble(histogram.sum),
    };
    NumberDataPoint {
        attributes: keys(item.series),
        start_time_unix_nano: since(item),
        time_unix_nano: unix(item.last),
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn exponential_point(item: &Item<'_>) -> Option<ExponentialHistogramDataPoint> {
    let histogram = histogram(item)?;
    let (zero_count, places) = exponential(histogram.buckets.iter());
    let offset = places.first().map_or(0, |(at, _)| *at);
    let mut bucket_counts = vec![0; places.last().map_or(0, |(at, _)| (at - offset + 1) as usize)];
    places.iter().for_each(|(at, count)| bucket_counts[(at - offset) as usize] += count);
    Some(ExponentialHistogramDataPoint {
        attributes: keys(item.series),
        start_time_unix_nano: since(item),
        time_unix_nano: unix(item.last),
        count: bucket_counts.iter().fold(zero_count, |sum, count| sum.saturating_add(*count)),
        sum: Some(histogram.sum),
        scale: SCALE,
        zero_count,
        positive: Some(Buckets { offset, bucket_counts }),
        ..ExponentialHistogramDataPoint::default()
    })
}

/// Count and sum only.
fn plain_point(item: &Item<'_>) -> Option<HistogramDataPoint> {
    let histogram = histogram(item)?;
    let count = u64::try_from(histogram.count).unwrap_or(u64::MAX);
    Some(HistogramDataPoint {
        attributes: keys(item.series),
        start_time_unix_nano: since(item),
        time_unix_nano: unix(item.last),
        count,
        // A single bucket: VictoriaMetrics drops histograms without any.
        bucket_counts: vec![count],
        sum: Some(histogram.sum),
        ..HistogramDataPoint::default()
    })
}

/// With bounds of its own: one count for each, and one for what is above the last.
fn bounded_point(item: &Item<'_>) -> Option<HistogramDataPoint> {
    let bounded = &histogram(item)?.bounded;
    let point = plain_point(item)?;
    let counts = bounded.iter().map(|(_, count)| count);
    let above = point.count.saturating_sub(counts.clone().fold(0, u64::saturating_add));
    Some(HistogramDataPoint {
        bucket_counts: counts.chain([above]).collect(),
        explicit_bounds: bounded.iter().map(|(upper, _)| upper).collect(),
        ..point
    })
}

fn histogram<'a>(item: &Item<'a>) -> Option<&'a Histogram> {
    match &item.series.total {
        Total::Histogram(histogram) => Some(histogram),
        Total::Whole(_) | Total::Real(_) => None,
    }
}

/// The labels without the host, which is in the resource.
fn keys(series: &Series) -> Vec<KeyValue> {
    series
        .labels
        .iter()
        .filter(|(name, _)| name != "host")
        .map(|(name, value)| attribute(name, value))
        .collect()
}

fn since(item: &Item<'_>) -> u64 {
    unix(item.series.since)
}

fn unix(time: Nanos) -> u64 {
    time.try_into().unwrap_or(0)
}
