//! Metrics that records describe themselves: those of mapstat, by the fields `metric` and `type`. They have the names, labels
//! and bounds that ebpf_exporter gives them, and beside these only the host, unless that is left out.

use super::Metrics;
use super::place::Place;
use super::series::{Histogram, Kind, Total, Unit};
use crate::note::note;
use crate::record::bounds::Bounded;
use crate::record::timestamp::Nanos;
use crate::record::{Fields, Value, find, number};

/// Stands before a label that is called as a field of all records.
const LABEL: &str = "label_";
/// Texts of a record that are no labels.
const NO_LABELS: [&str; 7] = ["ts", "host", "tool", "config", "metric", "type", "help"];
/// The fields whose values the metrics have.
const VALUES: [&str; 10] = ["value", "level", "count", "sum", "mean", "p50", "p90", "p99", "p999", "buckets"];

/// Whether a record describes a metric.
pub fn is_described(fields: &Fields<'_>) -> bool {
    described(fields).is_some()
}

/// Whether this field of such a record is one of the metric's values.
pub fn is_value(name: &str) -> bool {
    VALUES.contains(&name)
}

/// The metric's name and type.
fn described<'a>(fields: &'a Fields<'_>) -> Option<(&'a str, &'a str)> {
    match (find(fields, "metric")?, find(fields, "type")?) {
        (Value::Text(metric), Value::Text(kind)) => {
            ["counter", "gauge", "histogram"].contains(&kind.as_ref()).then_some((metric, kind))
        }
        _ => None,
    }
}

impl Metrics {
    /// Adds a record that describes its metric; nothing for any other.
    pub(super) fn take_described(
        &mut self,
        owner: usize,
        since: Nanos,
        host: &[(&str, &str)],
        fields: &Fields<'_>,
    ) {
        let Some((metric, kind)) = described(fields) else { return };
        let labels = fields.iter().filter_map(|(name, value)| match value {
            Value::Text(text) if !NO_LABELS.contains(&name.as_ref()) => {
                let name = name.as_ref();
                Some((name.strip_prefix(LABEL).unwrap_or(name), text.as_ref()))
            }
            _ => None,
        });
        let labels: Vec<_> = labels.collect();
        let place = Place::new(owner, since, host, labels.into_iter());
        self.names_left_out(metric, place.left_out);
        if place.left_out > 0 && kind == "gauge" {
            return;
        }
        let said = find(fields, "help").and_then(|help| match help {
            Value::Text(help) => Some(help),
            _ => None,
        });
        let help = match (said, find(fields, "config")) {
            (Some(help), _) => help.to_string(),
            // Its first record, which says it, came before this program was started.
            (None, Some(Value::Text(config))) => format!("{metric} of the config {config}."),
            _ => format!("{metric}."),
        };
        let name = format!("{}{metric}", self.naming.prefix);
        if said.is_some() {
            let kind = match kind {
                "gauge" => Kind::Level,
                "counter" => Kind::Named,
                _ => Kind::Bounded,
            };
            self.explain(&name, kind, &help);
        }
        let whole = |name: &str| find(fields, name).and_then(Value::whole);
        match kind {
            "gauge" => {
                if let Some(level) = whole("level").and_then(|level| u128::try_from(level).ok()) {
                    let made = || Total::Whole(0);
                    if let Some(known) = self.find(&name, Unit::None, Kind::Level, &help, &place, made) {
                        *known = Total::Whole(level);
                    }
                }
            }
            "counter" => {
                let real = find(fields, "value").and_then(|value| value.text().parse::<f64>().ok());
                let Some(real) = real.filter(|real| real.is_finite()) else { return };
                let made = || Total::Whole(0);
                match (self.find(&name, Unit::None, Kind::Named, &help, &place, made), whole("value")) {
                    (Some(Total::Whole(sum)), Some(more)) => {
                        // The value of an array may fall.
                        let more = more.clamp(-(1 << 100), 1 << 100);
                        *sum = sum.saturating_add_signed(more);
                    }
                    (Some(Total::Real(sum)), _) => *sum = (*sum + real).max(0.0),
                    (Some(total), None) => {
                        if let Total::Whole(before) = *total {
                            *total = Total::Real((before as f64 + real).max(0.0));
                        }
                    }
                    _ => {}
                }
            }
            _ => {
                let buckets = find(fields, "buckets").and_then(|buckets| match buckets {
                    Value::Nested(raw) => Bounded::parse(raw),
                    _ => None,
                });
                let Some(buckets) = buckets else {
                    self.report_unbucketed(metric);
                    return;
                };
                let sum = find(fields, "sum").and_then(|sum| sum.text().parse::<f64>().ok()).unwrap_or(0.0);
                let count = find(fields, "count").map_or(0, |count| number::count(count.text()).unwrap_or(0));
                let made = || Total::Histogram(Box::<Histogram>::default());
                let found = self.find(&name, Unit::None, Kind::Bounded, &help, &place, made);
                if let Some(Total::Histogram(histogram)) = found {
                    histogram.bounded.extend(&buckets);
                    histogram.count += u128::from(count);
                    if sum.is_finite() && sum >= 0.0 {
                        histogram.sum += sum;
                    }
                }
            }
        }
    }

    /// Says once that histograms without buckets are left out.
    fn report_unbucketed(&mut self, metric: &str) {
        if !std::mem::replace(&mut self.unbucketed, true) && !self.quiet() {
            let metric: String = metric.chars().filter(|c| !c.is_control()).take(100).collect();
            note(&format!("metrics: {metric} is left out: histograms of mapstat need its option --buckets"));
        }
    }
}
