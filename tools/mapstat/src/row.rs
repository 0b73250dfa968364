//! The records of mapstat: fixed fields, and between them the labels that configs give.

use std::borrow::Cow;

use common::output::Row;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::config::{Config, Form, Metric, field};
use crate::histogram::percentile;
use crate::state::{Labels, Values, bucket_label};

/// The text of each label where `--top` has put label sets together.
pub const OTHER: &str = "(other)";

/// The percentiles of a histogram.
const PERCENTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];
/// The fields of a histogram, without its buckets.
const OF_HISTOGRAMS: [&str; 7] = ["count", "sum", "mean", "p50", "p90", "p99", "p999"];

/// The fields that every config's records have. Beside these each label is a field, a text.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes records, which are maps")]
struct Fields {
    /// The config: its file's name without .yaml.
    #[schemars(extend("x-kind" = "key"))]
    config: Option<String>,
    /// The metric's name, which is its map's.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 24))]
    metric: Option<String>,
    /// What it is: counter, gauge or histogram. Null where nothing came in the interval.
    #[schemars(extend("x-kind" = "key", "enum" = ["counter", "gauge", "histogram", null]))]
    r#type: Option<String>,
    /// What the metric means, as its config says: on its first record alone.
    #[schemars(extend("x-kind" = "note", "x-rank" = 30))]
    help: Option<String>,
    /// Of a counter: how much came in the interval, a whole number; of ebpf_program_run_time_seconds (--self) seconds. Below 0
    /// if the value of an array fell.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-width" = 8))]
    value: Option<f64>,
    /// Of a gauge: its level at the end of the interval.
    #[schemars(extend("x-kind" = "gauge", "x-rank" = 2))]
    level: Option<u64>,
    /// Of a histogram: how many values came in its buckets in the interval.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 9))]
    count: Option<u64>,
    /// Of a histogram: the sum of these values, in the unit of its bounds. Null if its map keeps no sum.
    #[schemars(extend("x-kind" = "counter"))]
    sum: Option<f64>,
    /// Of a histogram: the mean. Null where no value came, or the map keeps no sum.
    #[schemars(extend("x-kind" = "mean", "x-rank" = 9, "x-of" = "count"))]
    mean: Option<f64>,
    /// Half of the values are in buckets up to this bound, which they do not exceed: with exp2 at most twice the value.
    #[schemars(extend("x-kind" = "percentile", "x-rank" = 9, "x-quantile" = 0.5, "x-of" = "buckets"))]
    p50: Option<f64>,
    /// The same of 90 %.
    #[schemars(extend("x-kind" = "percentile", "x-quantile" = 0.9, "x-of" = "buckets"))]
    p90: Option<f64>,
    /// The same of 99 %.
    #[schemars(extend("x-kind" = "percentile", "x-rank" = 9, "x-quantile" = 0.99, "x-of" = "buckets"))]
    p99: Option<f64>,
    /// The same of 99.9 %.
    #[schemars(extend("x-kind" = "percentile", "x-quantile" = 0.999, "x-of" = "buckets"))]
    p999: Option<f64>,
    /// With --buckets, of a histogram: all its buckets, each as its upper bound (inclusive) and how many values came in it.
    #[schemars(extend("x-kind" = "bounds"))]
    buckets: Option<Vec<(f64, u64)>>,
}

/// The fields of a record between the header and `lost`.
#[derive(Debug, PartialEq)]
pub struct Series {
    /// By name, in their order.
    fields: Map<String, Value>,
}

impl Serialize for Series {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

impl JsonSchema for Series {
    fn schema_name() -> Cow<'static, str> {
        "Series".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fields::json_schema(generator)
    }
}

impl Row for Series {}

/// Which fields each record has.
#[derive(Clone, Debug)]
pub enum Columns {
    /// Its own alone: JSON.
    Own,
    /// The same in all records: CSV. These are the labels of all configs.
    All(Vec<String>),
    /// Those of the table, which has the labels as one text.
    Table,
}

/// How records are made.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Which fields.
    pub columns: Columns,
    /// Whether histograms have their buckets.
    pub buckets: bool,
    /// Whether any config has a gauge, and any a histogram: without, CSV has no such columns.
    gauges: bool,
    histograms: bool,
}

impl Shape {
    /// For the records of these configs.
    pub fn new(columns: Columns, buckets: bool, configs: &[&Config]) -> Self {
        let metrics = || configs.iter().flat_map(|config| config.metrics.iter());
        Self {
            columns,
            buckets,
            gauges: metrics().any(|metric| metric.form == Form::Gauge),
            histograms: metrics().any(|metric| matches!(metric.form, Form::Histogram(_))),
        }
    }

    /// The record of a label set in an interval; with what the metric means if it is its first one.
    pub fn series(
        &self,
        config: &str,
        metric: &Metric,
        labels: &Labels,
        values: &Values,
        is_first: bool,
    ) -> Series {
        let mut fields = Map::new();
        fields.insert("config".to_owned(), config.into());
        fields.insert("metric".to_owned(), metric.name.as_str().into());
        fields.insert("type".to_owned(), metric.form.name().into());
        let help = Some(metric.help.as_str()).filter(|help| is_first && !help.is_empty());
        match self.columns {
            Columns::Own => {
                help.iter().for_each(|help| drop(fields.insert("help".to_owned(), (*help).into())))
            }
            Columns::All(_) => drop(fields.insert("help".to_owned(), help.into())),
            Columns::Table => {}
        }
        let named = label_fields(metric).zip(labels.iter());
        let named: Vec<(String, &String)> = named.collect();
        match &self.columns {
            Columns::Own => {
                named.into_iter().for_each(|(name, text)| drop(fields.insert(name, text.as_str().into())))
            }
            Columns::All(all) => {
                all.iter().for_each(|name| drop(fields.insert(name.clone(), Value::Null)));
                named.into_iter().for_each(|(name, text)| drop(fields.insert(name, text.as_str().into())));
            }
            Columns::Table => {
                let all: Vec<_> = named.into_iter().map(|(name, text)| format!("{name}={text}")).collect();
                fields.insert("labels".to_owned(), all.join(" ").into());
            }
        }
        let mut series = Series { fields };
        self.add_values(&mut series, Some((metric, values)));
        series
    }

    /// The record of an interval in which nothing came.
    pub fn idle(&self) -> Series {
        let mut fields = Map::new();
        ["config", "metric", "type"]
            .iter()
            .for_each(|name| drop(fields.insert((*name).to_owned(), Value::Null)));
        if let Columns::All(all) = &self.columns {
            fields.insert("help".to_owned(), Value::Null);
            all.iter().for_each(|name| drop(fields.insert(name.clone(), Value::Null)));
        }
        let mut series = Series { fields };
        self.add_values(&mut series, None);
        series
    }

    fn add_values(&self, series: &mut Series, of: Option<(&Metric, &Values)>) {
        let all = !matches!(self.columns, Columns::Own);
        let mut put = |name: &str, value: Value| drop(series.fields.insert(name.to_owned(), value));
        if all {
            put("value", Value::Null);
            if self.gauges {
                put("level", Value::Null);
            }
            if self.histograms {
                OF_HISTOGRAMS.iter().for_each(|name| put(name, Value::Null));
            }
        }
        let Some((metric, values)) = of else {
            put("value", 0.into());
            return;
        };
        match (values, &metric.form) {
            (Values::Counted(count), _) => put("value", whole(*count)),
            (Values::Seconds(seconds), _) => put("value", json!(seconds)),
            (Values::Level(level), _) => put("level", u64::try_from(*level).unwrap_or(u64::MAX).into()),
            (Values::Sized(counts, sum), Form::Histogram(buckets)) => {
                let count = values.size();
                let sum = sum.map(|sum| sum as f64 * buckets.multiplier);
                put("count", count.into());
                put("sum", json!(sum));
                put("mean", json!(sum.filter(|_| count > 0).map(|sum| sum / count as f64)));
                for (name, share) in PERCENTILES {
                    put(name, json!(percentile(counts, &buckets.bounds, share)));
                }
                if self.buckets {
                    let pairs = buckets.bounds.iter().zip(counts);
                    put("buckets", json!(pairs.collect::<Vec<_>>()));
                }
            }
            (Values::Sized(..), _) => {}
        }
    }
}

/// A whole number as JSON has it; beyond 64 bits the nearest.
fn whole(number: i128) -> Value {
    match (u64::try_from(number), i64::try_from(number)) {
        (Ok(number), _) => number.into(),
        (_, Ok(number)) => number.into(),
        _ => {
            if number < 0 {
                i64::MIN.into()
            } else {
                u64::MAX.into()
            }
        }
    }
}

/// The names of a metric's labels as fields, without that of the bucket.
pub fn label_fields(metric: &Metric) -> impl Iterator<Item = String> {
    let bucket = matches!(metric.form, Form::Histogram(_)).then(|| bucket_label(&metric.labels));
    let kept = metric.labels.iter().enumerate().filter(move |(at, _)| Some(*at) != bucket);
    kept.map(|(_, label)| field(&label.name))
}

/// The labels of all these configs, each once, in their order.
pub fn all_labels(configs: &[&Config]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in configs.iter().flat_map(|config| config.metrics.iter()).flat_map(label_fields) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// Adds the labels of these configs to the properties of a schema, and what the metrics mean.
pub fn describe(properties: &mut Map<String, Value>, configs: &[&Config]) {
    let mut added = Map::new();
    for metric in configs.iter().flat_map(|config| config.metrics.iter()) {
        for name in label_fields(metric) {
            let of = added.entry(name).or_insert_with(
                || json!({"type": ["string", "null"], "description": "A label of", "x-kind": "key"}),
            );
            if let Some(Value::String(text)) = of.get_mut("description") {
                text.push_str(if text.ends_with(" of") { " " } else { ", " });
                text.push_str(&metric.name);
            }
        }
    }
    let metrics: Vec<_> = configs.iter().flat_map(|config| config.metrics.iter()).collect();
    if let Some(Value::Object(metric)) = properties.get_mut("metric").filter(|_| !metrics.is_empty()) {
        let names: Vec<_> = metrics.iter().map(|metric| Value::from(metric.name.as_str())).collect();
        metric.insert("enum".to_owned(), names.into_iter().chain([Value::Null]).collect());
        let help: Map<_, _> =
            metrics.iter().map(|metric| (metric.name.clone(), metric.help.as_str().into())).collect();
        metric.insert("x-help".to_owned(), help.into());
    }
    // Labels stand after the help.
    let mut ordered = Map::new();
    for (name, property) in std::mem::take(properties) {
        let is_last = name == "help";
        ordered.insert(name, property);
        if is_last {
            ordered.extend(std::mem::take(&mut added));
        }
    }
    *properties = ordered;
}
