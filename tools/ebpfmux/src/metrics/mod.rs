//! Sums the intervals of the records for `--serve` and `--otlp`.

mod described;
pub mod exponential;
mod idle;
mod names;
pub mod own;
mod place;
pub mod series;
mod store;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use record::fields::{Field, Kind as FieldKind, Unit as FieldUnit};

use crate::record::buckets::Buckets;
use crate::record::declared::Declared;
use crate::record::keys::is_key;
use crate::record::timestamp::Nanos;
use crate::record::{Fields, Value, find, number};
use place::Place;
use series::{Kind, Total, Unit};
pub use store::{Bounds, LeftOut, Metrics, Named, Naming};

/// The metrics, shared by several threads.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Metrics>>);

impl Shared {
    /// None yet, and never more than these bounds allow.
    pub fn new(bounds: Bounds, naming: Naming) -> Self {
        Self(Arc::new(Mutex::new(Metrics::new(bounds, naming))))
    }

    /// The same, for what sends them.
    pub fn pending(&self) -> Arc<Mutex<Metrics>> {
        Arc::clone(&self.0)
    }

    /// Locks them. A thread that panicked with the lock held left valid numbers.
    pub fn lock(&self) -> MutexGuard<'_, Metrics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Metrics {
    /// Adds a record.
    pub fn take(&mut self, time: Nanos, fields: &Fields<'_>) {
        let text = |name| find(fields, name).map_or("", Value::text);
        let (host, tool) = (text("host"), text("tool"));
        self.tick(Instant::now());
        // Text that is not a number counts as 0, and large values are clamped.
        let length = (text("interval_s").parse().unwrap_or(0.0) * 1e9) as Nanos;
        let Some(owner) = self.owner(host, tool, time) else { return };
        let since = time.saturating_sub(length);
        let labels = [("host", host), ("tool", tool)];
        // Where the series of several hosts would be one, those of all but the first are left out.
        let skipped = usize::from(!self.naming.host);
        let of_host = &labels[skipped..1];
        let own = Place::new(owner, since, &labels[skipped..], std::iter::empty());
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
        self.take_described(owner, since, of_host, fields);
        let declared = Declared::of(fields);
        let keys =
            fields.iter().filter(|(name, value)| *value != Value::Null && is_key(declared, name, value));
        let keys: Vec<_> = keys.map(|(name, value)| (name.as_ref(), value.key())).collect();
        let keys = keys.iter().map(|(name, value)| (*name, value.as_ref()));
        let keyed = Place::new(owner, since, of_host, keys);
        self.names_left_out(tool, keyed.left_out);
        // These are on the first record of an interval, independent of its keys.
        let system = Place::new(owner, since, of_host, std::iter::empty());
        let idle = fields.iter().any(|(name, value)| *value == Value::Null && is_key(declared, name, value));
        let means = fields.iter().filter_map(|(name, _)| match declared.field(name)? {
            (Field { kind: FieldKind::Mean(of), unit: FieldUnit::Microseconds, .. }, before) => {
                Some(format!("{before}{of}"))
            }
            _ => None,
        });
        // The count of a mean is exported with it.
        let counts: Vec<String> = means.collect();
        let is_described = described::is_described(fields);
        for (name, value) in fields.iter().filter(|(name, _)| !(is_described && described::is_value(name))) {
            let (Value::Plain(raw), false) = (value, is_key(declared, name, value)) else { continue };
            let Some((field, before)) = declared.field(name) else {
                declared.undeclared(name, "metrics", "it is left out");
                continue;
            };
            let of_system = declared.is_of_system(name);
            let place = if of_system { &system } else { &keyed };
            match &field.kind {
                // Of another unit it is no latency.
                FieldKind::Mean(_) if field.unit != FieldUnit::Microseconds => {}
                FieldKind::Mean(of) => self.latency(tool, name, &format!("{before}{of}"), &keyed, fields),
                FieldKind::Counter if counts.iter().any(|count| count == name) => {}
                FieldKind::Counter if idle && !of_system => {}
                FieldKind::Counter => self.counter(tool, name, field, place, raw),
                // Of several keys in one series, none has the right value.
                FieldKind::Gauge if place.left_out > 0 => {}
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

    /// Adds to a counter; times are exported in seconds, whatever their unit is. A counter that falls is none, and makes
    /// OpenMetrics unreadable, so negative times are left out.
    fn counter(&mut self, tool: &str, name: &str, field: &Field, place: &Place, raw: &str) {
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
        if let Some(time) = raw.parse::<f64>().ok().filter(|time| time.is_finite() && *time >= 0.0) {
            self.seconds(&metric, field.meaning(), place, time / per_second);
        }
    }

    /// Adds the values of a mean, and its buckets if the record has them. Whether it has is a
    /// matter of the host that it is from, so those with and those without are two families.
    fn latency(&mut self, tool: &str, mean: &str, count: &str, place: &Place, fields: &Fields<'_>) {
        let text = |name: &str| find(fields, name).map_or("", Value::text);
        let prefix = count.strip_suffix("count").unwrap_or_default();
        let (Some(count), Ok(value)) = (number::count(text(count)), text(mean).parse::<f64>()) else {
            return;
        };
        let sum = value * count as f64 / 1e6;
        if !sum.is_finite() || sum < 0.0 {
            return;
        }
        // Buckets that do not hold all values would put the rest into the last one.
        let buckets = Buckets::parse(text(&format!("{prefix}buckets")))
            .filter(|buckets| buckets.count() == u128::from(count));
        let metric = format!("ebpf.{tool}.{prefix}duration");
        let kind = if buckets.is_some() { Kind::Histogram } else { Kind::Summary };
        let help = format!("{prefix}mean_us and {prefix}buckets of {tool}: see its --schema.");
        let made = || Total::Histogram(Box::default());
        if let Some(Total::Histogram(histogram)) = self.find(&metric, Unit::Seconds, kind, &help, place, made)
        {
            histogram.count += u128::from(count);
            histogram.sum += sum;
            buckets.iter().for_each(|buckets| histogram.buckets.extend(buckets));
        }
    }

    fn whole(&mut self, metric: &str, unit: Unit, help: &str, place: &Place, add: u64) {
        let made = || Total::Whole(0);
        if let Some(Total::Whole(sum)) = self.find(metric, unit, Kind::Counter, help, place, made) {
            *sum += u128::from(add);
        }
    }

    fn seconds(&mut self, metric: &str, help: &str, place: &Place, add: f64) {
        let made = || Total::Real(0.0);
        if let Some(Total::Real(sum)) = self.find(metric, Unit::Seconds, Kind::Counter, help, place, made) {
            *sum += add;
        }
    }

    fn gauge(&mut self, metric: &str, unit: Unit, help: &str, place: &Place, value: Total) {
        if let Some(known) = self.find(metric, unit, Kind::Gauge, help, place, || Total::Whole(0)) {
            *known = value;
        }
    }
}

/// The unit of a metric. Prometheus has none for pages, and times are seconds.
fn unit(field: &Field) -> Unit {
    match field.unit {
        FieldUnit::Bytes => Unit::Bytes,
        _ => Unit::None,
    }
}
