//! What `/metrics` tells: the intervals of the records added up, in Prometheus's text format.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::keys::is_key;
use crate::record::{Fields, Value, find};
use crate::rule::{Rule, rule};
use crate::ts::Nanos;

/// Bounds of a histogram: four in each power of two of nanoseconds, from 1 µs to 69 s. The same in every series and from
/// the beginning, so that rates of buckets are right; they are among the bounds of the records' own buckets.
const OCTAVES: std::ops::Range<u32> = 10..36;

/// The counters of all records so far. They only grow.
pub struct Metrics {
    families: BTreeMap<String, Family>,
    series: usize,
    /// No more series than this.
    limit: usize,
    dropped: u64,
}

struct Family {
    kind: &'static str,
    help: String,
    /// By their labels as they are printed.
    series: BTreeMap<String, Series>,
}

enum Series {
    Whole(u128),
    Real(f64),
    Histogram(Box<Histogram>),
}

#[derive(Default)]
struct Histogram {
    /// Counts by the upper bound, in nanoseconds; none where a tool prints no buckets.
    buckets: BTreeMap<u64, u64>,
    sum: f64,
    count: u128,
}

impl Metrics {
    /// None yet, and never more series than `limit`.
    pub fn new(limit: usize) -> Self {
        Self { families: BTreeMap::new(), series: 0, limit, dropped: 0 }
    }

    /// Adds a record.
    pub fn take(&mut self, time: Nanos, fields: &Fields<'_>) {
        let text = |name| find(fields, name).map_or("", Value::text);
        let (host, tool) = (text("host"), text("tool"));
        let owner = labels([("host", host), ("tool", tool)].into_iter());
        self.whole("ebpfmux_records_total", "Records that came.", &owner, 1);
        let help = "The time of the last record, in seconds since 1970.";
        self.real("ebpfmux_last_record_timestamp_seconds", help, &owner, time as f64 / 1e9);
        if find(fields, "interval_s").is_none() {
            return;
        }
        let keys = fields.iter().filter(|(name, value)| is_key(name, value) && *value != Value::Null);
        let keys = keys.map(|(name, value)| (name.as_ref(), value.text()));
        let keyed = labels([("host", host)].into_iter().chain(keys));
        // These stand on the first record of an interval, whatever its keys.
        let system = labels([("host", host)].into_iter());
        let idle = fields.iter().any(|(name, value)| is_key(name, value) && *value == Value::Null);
        for (name, value) in fields {
            let (Value::Plain(raw), false) = (value, is_key(name, value)) else { continue };
            let metric = format!("ebpf_{}_{}", plain(tool), plain(name));
            let help = format!("{name} of {tool}: see its --schema.");
            let whole = raw.parse::<u64>().ok();
            match (rule(name), whole) {
                ((Rule::Mean, prefix), _) => self.latency(tool, prefix, &keyed, fields),
                _ if name == "interval_s" || is_count_of_mean(name, fields) => {}
                ((Rule::Gauge, _), Some(whole)) => self.real(&metric, &help, &keyed, whole as f64),
                ((Rule::Add, _), Some(whole)) => match name.as_ref() {
                    "bpf_ns" => {
                        let metric = format!("ebpf_{}_bpf_seconds_total", plain(tool));
                        self.add(&metric, &help, &system, whole as f64 / 1e9);
                    }
                    "lost" | "bpf_runs" => self.whole(&format!("{metric}_total"), &help, &system, whole),
                    _ if idle => {}
                    _ => self.whole(&format!("{metric}_total"), &help, &keyed, whole),
                },
                _ => {}
            }
        }
    }

    fn latency(&mut self, tool: &str, prefix: &str, labels: &str, fields: &Fields<'_>) {
        let number = |part: &str| find(fields, &format!("{prefix}{part}")).map_or("", Value::text);
        let (Ok(count), Ok(mean)) = (number("count").parse::<u64>(), number("mean_us").parse::<f64>()) else {
            return;
        };
        let buckets: Option<Vec<(f64, u64)>> = serde_json::from_str(number("buckets")).ok();
        let metric = format!("ebpf_{}_{}duration_seconds", plain(tool), plain(prefix));
        let kind = if buckets.is_some() { "histogram" } else { "summary" };
        let help = format!("{prefix}mean_us and {prefix}buckets of {tool}: see its --schema.");
        let made = || Series::Histogram(Box::default());
        if let Some(Series::Histogram(histogram)) = self.find(&metric, kind, &help, labels, made) {
            histogram.count += u128::from(count);
            histogram.sum += mean * count as f64 / 1e6;
            for (upper, count) in buckets.unwrap_or_default() {
                *histogram.buckets.entry((upper * 1e3).round() as u64).or_default() += count;
            }
        }
    }

    fn whole(&mut self, metric: &str, help: &str, labels: &str, add: u64) {
        if let Some(Series::Whole(sum)) = self.find(metric, "counter", help, labels, || Series::Whole(0)) {
            *sum += u128::from(add);
        }
    }

    fn add(&mut self, metric: &str, help: &str, labels: &str, add: f64) {
        if let Some(Series::Real(sum)) = self.find(metric, "counter", help, labels, || Series::Real(0.0)) {
            *sum += add;
        }
    }

    fn real(&mut self, metric: &str, help: &str, labels: &str, value: f64) {
        if let Some(Series::Real(known)) = self.find(metric, "gauge", help, labels, || Series::Real(0.0)) {
            *known = value;
        }
    }

    /// A series; `None` if there is no room for one more.
    fn find(
        &mut self,
        metric: &str,
        kind: &'static str,
        help: &str,
        labels: &str,
        made: impl FnOnce() -> Series,
    ) -> Option<&mut Series> {
        if !self.families.contains_key(metric) {
            let family = Family { kind, help: help.to_owned(), series: BTreeMap::new() };
            self.families.insert(metric.to_owned(), family);
        }
        let family = self.families.get_mut(metric)?;
        if !family.series.contains_key(labels) {
            if self.series >= self.limit {
                self.dropped += 1;
                return None;
            }
            self.series += 1;
            family.series.insert(labels.to_owned(), made());
        }
        family.series.get_mut(labels)
    }

    /// All of it, in the text format 0.0.4.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, family) in self.families.iter().filter(|(_, family)| !family.series.is_empty()) {
            // Writing into memory cannot fail.
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {}", family.help, family.kind);
            for (labels, series) in &family.series {
                let _ = match series {
                    Series::Whole(sum) => writeln!(text, "{name}{{{labels}}} {sum}"),
                    Series::Real(value) => writeln!(text, "{name}{{{labels}}} {value}"),
                    Series::Histogram(histogram) => histogram.write(name, labels, family.kind, &mut text),
                };
            }
        }
        let help = "Values left out, for there were too many series: see --serve-series.";
        let name = "ebpfmux_series_dropped_total";
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {}", self.dropped);
        text
    }
}

impl Histogram {
    fn write(&self, name: &str, labels: &str, kind: &str, text: &mut String) -> std::fmt::Result {
        let mut sum = 0;
        let mut buckets = self.buckets.iter().peekable();
        for upper in OCTAVES.flat_map(|octave| (4..8).map(move |quarter: u64| quarter << (octave - 2))) {
            if kind != "histogram" {
                break;
            }
            while let Some((_, count)) = buckets.next_if(|(bound, _)| **bound <= upper) {
                sum += count;
            }
            writeln!(text, "{name}_bucket{{{labels},le=\"{}\"}} {sum}", upper as f64 / 1e9)?;
        }
        if kind == "histogram" {
            writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", self.count)?;
        }
        writeln!(text, "{name}_sum{{{labels}}} {}\n{name}_count{{{labels}}} {}", self.sum, self.count)
    }
}

/// Whether a field is the count that a mean beside it has; it is told with that.
fn is_count_of_mean(name: &str, fields: &Fields<'_>) -> bool {
    name.strip_suffix("count").is_some_and(|prefix| find(fields, &format!("{prefix}mean_us")).is_some())
}

/// What may stand in the name of a metric or label.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

/// Labels as they are printed, escaped.
fn labels<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let one = |(name, value): (&str, &str)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{}=\"{value}\"", plain(name))
    };
    labels.map(one).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::from_json;

    fn text(lines: &[&str], limit: usize) -> String {
        let mut metrics = Metrics::new(limit);
        lines.iter().for_each(|line| metrics.take(2_500_000_000, &from_json(line.as_bytes()).unwrap()));
        metrics.text()
    }

    #[test]
    fn counts_grow_gauges_stand_and_labels_are_escaped() {
        let line = r#"{"ts":"x","host":"h","tool":"t-x","interval_s":1.0,"comm":"a\"\\\n","n":3,"zombies":5,"p99_us":1.5,"lost":1}"#;
        let text = text(&[line, &line.replace("\"zombies\":5", "\"zombies\":2")], 100);
        for told in [
            "ebpf_t_x_n_total{host=\"h\",comm=\"a\\\"\\\\\\n\"} 6\n",
            "ebpf_t_x_zombies{host=\"h\",comm=\"a\\\"\\\\\\n\"} 2\n",
            "ebpf_t_x_lost_total{host=\"h\"} 2\n",
            "ebpfmux_records_total{host=\"h\",tool=\"t-x\"} 2\n",
            "ebpfmux_last_record_timestamp_seconds{host=\"h\",tool=\"t-x\"} 2.5\n",
            "# TYPE ebpf_t_x_n_total counter\n",
        ] {
            assert!(text.contains(told), "{told}\n{text}");
        }
        assert!(!text.contains("p99") && !text.contains("interval"), "{text}");
    }

    #[test]
    fn buckets_are_cumulated() {
        let line = r#"{"ts":"x","host":"h","tool":"b","interval_s":1.0,"disk":"d","count":3,"mean_us":10.0,"buckets":[[1.088,1],[2.048,1],[99000000000.0,1]]}"#;
        let text = text(&[line, line], 100);
        for told in [
            "_bucket{host=\"h\",disk=\"d\",le=\"0.000001024\"} 0\n",
            "_bucket{host=\"h\",disk=\"d\",le=\"0.00000128\"} 2\n",
            "_bucket{host=\"h\",disk=\"d\",le=\"0.000002048\"} 4\n",
            "_bucket{host=\"h\",disk=\"d\",le=\"+Inf\"} 6\n",
            "_sum{host=\"h\",disk=\"d\"} 0.00006\n",
            "_count{host=\"h\",disk=\"d\"} 6\n",
        ] {
            assert!(text.contains(&format!("ebpf_b_duration_seconds{told}")), "{told}\n{text}");
        }
        assert!(!text.contains("count_total"), "{text}");
    }

    #[test]
    fn series_have_a_limit() {
        let line = |n: u32| format!(r#"{{"ts":"x","host":"h","tool":"t","interval_s":1.0,"pid":{n},"n":1}}"#);
        let lines: Vec<String> = (0..50).map(line).collect();
        let text = text(&lines.iter().map(String::as_str).collect::<Vec<_>>(), 10);
        assert!(text.contains("ebpfmux_series_dropped_total 42\n"), "{text}");
    }
}
