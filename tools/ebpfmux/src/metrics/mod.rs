//! Sums the intervals of the records for `--serve` and `--otlp`.

pub mod exponential;
pub mod series;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use record::fields::{Field, Kind as FieldKind, Unit as FieldUnit};

use crate::record::declared::Declared;
use crate::record::keys::is_key;
use crate::record::timestamp::Nanos;
use crate::record::{Fields, Value, buckets, find, number};
use series::{Family, Kind, Owner, Series, Total, Unit};

/// The counters of all records so far. They only grow.
pub struct Metrics {
    /// The families, by their names in Prometheus.
    pub families: BTreeMap<String, Family>,
    /// The hosts' tools that the records are from.
    pub owners: Vec<Owner>,
    series: usize,
    /// The maximum number of series.
    limit: usize,
    /// Values dropped for lack of room.
    pub dropped: u64,
}

/// ebpfmux's own metrics: the name of a counter, its description, its value.
pub type Own<'a> = [(&'a str, &'a str, u64)];

/// The metrics, shared by several threads.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Metrics>>);

impl Shared {
    /// None yet, and never more series than `limit`.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Metrics::new(limit))))
    }

    /// Locks them. A thread that panicked with the lock held left valid numbers.
    pub fn lock(&self) -> MutexGuard<'_, Metrics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The common properties of a record's series.
struct Place<'a> {
    owner: usize,
    since: Nanos,
    labels: &'a [(&'a str, &'a str)],
}

impl Metrics {
    /// None yet, and never more series than `limit`.
    pub fn new(limit: usize) -> Self {
        Self { families: BTreeMap::new(), owners: Vec::new(), series: 0, limit, dropped: 0 }
    }

    /// Adds a record.
    pub fn take(&mut self, time: Nanos, fields: &Fields<'_>) {
        let text = |name| find(fields, name).map_or("", Value::text);
        let (host, tool) = (text("host"), text("tool"));
        // Text that is not a number counts as 0, and large values are clamped.
        let length = (text("interval_s").parse().unwrap_or(0.0) * 1e9) as Nanos;
        let Some(owner) = self.owner(host, tool, time) else { return };
        let since = time.saturating_sub(length);
        let own = Place { owner, since, labels: &[("host", host), ("tool", tool)] };
        self.whole("ebpfmux.records", Unit::None, "Records received.", &own, 1);
        let help = "The time of the last record, in seconds since 1970.";
        self.gauge(
            "ebpfmux.last_record_timestamp",
            Unit::Seconds,
            help,
            &own,
            Total::Real(time as f64 / 1e9),
        );
        if find(fields, "interval_s").is_none() {
            return;
        }
        let declared = Declared::of(fields);
        let keys =
            fields.iter().filter(|(name, value)| *value != Value::Null && is_key(declared, name, value));
        let keys: Vec<_> = keys.map(|(name, value)| (name.as_ref(), value.key())).collect();
        let keys = keys.iter().map(|(name, value)| (*name, value.as_ref()));
        let keyed: Vec<(&str, &str)> = [("host", host)].into_iter().chain(keys).collect();
        let keyed = Place { owner, since, labels: &keyed };
        // These are on the first record of an interval, independent of its keys.
        let system = Place { owner, since, labels: &[("host", host)] };
        let idle = fields.iter().any(|(name, value)| *value == Value::Null && is_key(declared, name, value));
        let means = fields.iter().filter_map(|(name, _)| match declared.field(name)? {
            (Field { kind: FieldKind::Mean(of), .. }, before) => Some(format!("{before}{of}")),
            _ => None,
        });
        // The count of a mean is exported with it.
        let counts: Vec<String> = means.collect();
        for (name, value) in fields {
            let (Value::Plain(raw), false) = (value, is_key(declared, name, value)) else { continue };
            let Some((field, before)) = declared.field(name) else {
                declared.undeclared(name, "metrics", "it is left out");
                continue;
            };
            let of_system = declared.is_of_system(name);
            let place = if of_system { &system } else { &keyed };
            match &field.kind {
                FieldKind::Mean(of) => self.latency(tool, name, &format!("{before}{of}"), &keyed, fields),
                FieldKind::Counter if counts.iter().any(|count| count == name) => {}
                FieldKind::Counter if idle && !of_system => {}
                FieldKind::Counter => self.counter(tool, name, field, place, raw),
                FieldKind::Gauge => {
                    if let Some(whole) = number::count(raw) {
                        let metric = format!("ebpf.{tool}.{name}");
                        self.gauge(&metric, unit(field), field.meaning(), place, Total::Whole(whole.into()));
                    }
                }
                _ => {}
            }
        }
    }

    /// Adds to a counter; times are exported in seconds, whatever their unit is.
    fn counter(&mut self, tool: &str, name: &str, field: &Field, place: &Place<'_>, raw: &str) {
        let (suffix, per_second) = match field.unit {
            FieldUnit::Nanoseconds => ("_ns", 1e9),
            FieldUnit::Microseconds => ("_us", 1e6),
            FieldUnit::Seconds => ("_s", 1.0),
            _ => {
                if let Some(whole) = number::count(raw) {
                    self.whole(&format!("ebpf.{tool}.{name}"), unit(field), field.meaning(), place, whole);
                }
                return;
            }
        };
        let metric = format!("ebpf.{tool}.{}", name.strip_suffix(suffix).unwrap_or(name));
        if let Ok(time) = raw.parse::<f64>() {
            self.seconds(&metric, field.meaning(), place, time / per_second);
        }
    }

    /// The index of a host's tool; `None` if the maximum number of series is reached.
    fn owner(&mut self, host: &str, tool: &str, time: Nanos) -> Option<usize> {
        let known = self.owners.iter().position(|owner| owner.host == host && owner.tool == tool);
        let at = match known {
            Some(at) => at,
            None if self.owners.len() >= self.limit => {
                self.dropped += 1;
                return None;
            }
            None => {
                self.owners.push(Owner { host: host.into(), tool: tool.into(), last: time, fresh: true });
                self.owners.len() - 1
            }
        };
        let owner = &mut self.owners[at];
        owner.last = owner.last.max(time);
        owner.fresh = true;
        Some(at)
    }

    /// Adds the values of a mean, and its buckets if the record has them.
    fn latency(&mut self, tool: &str, mean: &str, count: &str, place: &Place<'_>, fields: &Fields<'_>) {
        let text = |name: &str| find(fields, name).map_or("", Value::text);
        let prefix = count.strip_suffix("count").unwrap_or_default();
        let (Some(count), Ok(value)) = (number::count(text(count)), text(mean).parse::<f64>()) else {
            return;
        };
        let buckets = buckets(text(&format!("{prefix}buckets")));
        let metric = format!("ebpf.{tool}.{prefix}duration");
        let kind = if buckets.is_some() { Kind::Histogram } else { Kind::Summary };
        let help = format!("{prefix}mean_us and {prefix}buckets of {tool}: see its --schema.");
        let made = || Total::Histogram(Box::default());
        if let Some(Total::Histogram(histogram)) = self.find(&metric, Unit::Seconds, kind, &help, place, made)
        {
            histogram.count += u128::from(count);
            histogram.sum += value * count as f64 / 1e6;
            for (upper, count) in buckets.unwrap_or_default() {
                let sum = histogram.buckets.entry((upper * 1e3).round() as u64).or_default();
                *sum = sum.saturating_add(count);
            }
        }
    }

    fn whole(&mut self, metric: &str, unit: Unit, help: &str, place: &Place<'_>, add: u64) {
        let made = || Total::Whole(0);
        if let Some(Total::Whole(sum)) = self.find(metric, unit, Kind::Counter, help, place, made) {
            *sum += u128::from(add);
        }
    }

    fn seconds(&mut self, metric: &str, help: &str, place: &Place<'_>, add: f64) {
        let made = || Total::Real(0.0);
        if let Some(Total::Real(sum)) = self.find(metric, Unit::Seconds, Kind::Counter, help, place, made) {
            *sum += add;
        }
    }

    fn gauge(&mut self, metric: &str, unit: Unit, help: &str, place: &Place<'_>, value: Total) {
        if let Some(known) = self.find(metric, unit, Kind::Gauge, help, place, || Total::Whole(0)) {
            *known = value;
        }
    }

    /// A series; `None` at the maximum number.
    fn find(
        &mut self,
        metric: &str,
        unit: Unit,
        kind: Kind,
        help: &str,
        place: &Place<'_>,
        made: impl FnOnce() -> Total,
    ) -> Option<&mut Total> {
        let name = plain(metric) + if unit == Unit::Seconds { "_seconds" } else { "" };
        let family = self.families.entry(name).or_insert_with(|| Family {
            name: metric.to_owned(),
            unit,
            kind,
            // Names in it may come from untrusted input.
            help: help.replace(|c: char| c.is_control() || c == '\\' || c == '"', "_"),
            series: BTreeMap::new(),
        });
        let labels = labels(place.labels);
        if !family.series.contains_key(&labels) {
            if self.series >= self.limit {
                self.dropped += 1;
                return None;
            }
            self.series += 1;
            let owned = place.labels.iter().map(|(name, value)| (plain(name), (*value).to_owned()));
            let series =
                Series { labels: owned.collect(), owner: place.owner, since: place.since, total: made() };
            family.series.insert(labels.clone(), series);
        }
        family.series.get_mut(&labels).map(|series| &mut series.total)
    }
}

/// The unit of a metric. Prometheus has none for pages, and times are seconds.
fn unit(field: &Field) -> Unit {
    match field.unit {
        FieldUnit::Bytes => Unit::Bytes,
        _ => Unit::None,
    }
}

/// Replaces characters that the name of a metric or label cannot have.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

/// Labels as they are printed, escaped.
fn labels(labels: &[(&str, &str)]) -> String {
    let one = |(name, value): &(&str, &str)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{}=\"{value}\"", plain(name))
    };
    labels.iter().map(one).collect::<Vec<_>>().join(",")
}
