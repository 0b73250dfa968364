//! Aggregates the values of one field in a window.

use record::fields::Kind;
use record::histogram::{Hist, round3};

use crate::record::Value;
use crate::record::bounds::Bounded;
use crate::record::buckets::Buckets;

/// Means below are not rounded.
const SMALL: f64 = 0.1;

/// The aggregate of a field so far.
#[derive(Clone, Debug)]
pub enum Aggregate {
    /// Only nulls.
    Null,
    /// The exact sum of whole numbers, of any size.
    Whole(i128),
    /// The sum of numbers that are not all whole.
    Real(f64),
    /// A sum of values and their number.
    Mean(f64, f64),
    /// A percentile or a ratio of a single record; null for several.
    Single(Option<Value<'static>>),
    /// Counts by the upper bound of their bucket, in nanoseconds.
    Buckets(Buckets),
    /// Counts by upper bounds in any unit.
    Bounded(Bounded),
    /// A value passed on unchanged.
    Other(Value<'static>),
}

impl Aggregate {
    /// The aggregate of one record's field, by its kind; `count` returns the number of another
    /// field of the record.
    pub fn of(kind: Option<&Kind>, value: &Value<'_>, count: impl Fn(&str) -> Option<f64>) -> Self {
        let other = || Self::Other(value.clone().into_owned());
        match (kind, value) {
            (_, Value::Null) => Self::Null,
            (Some(Kind::Mean(of)), Value::Plain(raw)) => {
                let many = count(of).unwrap_or(1.0);
                raw.parse().map_or(Self::Null, |mean: f64| Self::Mean(mean * many, many))
            }
            (Some(Kind::Percentile(..) | Kind::Ratio(..)), value) => {
                Self::Single(Some(value.clone().into_owned()))
            }
            (Some(Kind::Buckets), Value::Nested(raw)) => {
                Buckets::parse(raw).map_or_else(other, Self::Buckets)
            }
            (Some(Kind::Bounds), Value::Nested(raw)) => Bounded::parse(raw).map_or_else(other, Self::Bounded),
            (Some(Kind::Counter | Kind::Step), Value::Plain(raw)) => match (value.whole(), raw.parse()) {
                (Some(whole), _) => Self::Whole(whole),
                (_, Ok(real)) => Self::Real(real),
                _ => other(),
            },
            _ => other(),
        }
    }

    /// Adds the same field of a later record.
    pub fn take(&mut self, kind: Option<&Kind>, value: &Value<'_>, count: impl Fn(&str) -> Option<f64>) {
        match (&mut *self, value) {
            (_, Value::Null) | (Self::Single(None), _) => return,
            // Nearly all fields are counters, and a field does not change its kind.
            (Self::Whole(sum), Value::Plain(raw)) => {
                if let Ok(count) = raw.parse::<i64>() {
                    *sum = sum.saturating_add(count.into());
                    return;
                }
            }
            _ => {}
        }
        self.add(kind, Self::of(kind, value, count), false);
    }

    /// Adds the same field of a later record, or, if `beside`, of another host or key.
    pub fn add(&mut self, kind: Option<&Kind>, other: Self, beside: bool) {
        let own = std::mem::replace(self, Self::Null);
        *self = match (own, other) {
            (Self::Null, other) => other,
            (own, Self::Null) => own,
            (Self::Whole(a), Self::Whole(b)) => Self::Whole(a.saturating_add(b)),
            (Self::Whole(a), Self::Real(b)) => Self::Real(a as f64 + b),
            (Self::Real(a), Self::Whole(b)) => Self::Real(a + b as f64),
            (Self::Real(a), Self::Real(b)) => Self::Real(a + b),
            (Self::Mean(a, m), Self::Mean(b, n)) => Self::Mean(a + b, m + n),
            (Self::Single(_), Self::Single(_)) => Self::Single(None),
            (Self::Buckets(mut a), Self::Buckets(b)) => {
                a.extend(&b);
                Self::Buckets(a)
            }
            (Self::Bounded(mut a), Self::Bounded(b)) => {
                a.extend(&b);
                Self::Bounded(a)
            }
            (Self::Other(a), Self::Other(b)) => Self::Other(one_of(kind, a, b, beside)),
            (_, other) => other,
        };
    }

    /// The size of what it holds that has no fixed size, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Other(value) | Self::Single(Some(value)) => value.text().len(),
            // A bound, a count, and their share of a tree.
            Self::Buckets(buckets) => buckets.bounds() * 32,
            Self::Bounded(buckets) => buckets.bounds() * 32,
            _ => 0,
        }
    }

    /// The resulting value, unless it is computed from other fields.
    pub fn value(&self) -> Value<'static> {
        match self {
            Self::Null | Self::Single(None) => Value::Null,
            Self::Whole(sum) => Value::Plain(sum.to_string().into()),
            Self::Real(sum) => Value::number(*sum),
            Self::Mean(_, many) if *many == 0.0 => Value::Null,
            // Of seconds, three digits after the point may be none.
            Self::Mean(sum, many) if (sum / many).abs() < SMALL => Value::number(sum / many),
            Self::Mean(sum, many) => Value::number(round3(sum / many)),
            Self::Buckets(buckets) => {
                let all: Vec<_> =
                    buckets.iter().map(|(upper, count)| (upper as f64 / 1_000.0, count)).collect();
                Value::Nested(serde_json::to_string(&all).unwrap_or_default().into())
            }
            Self::Bounded(buckets) => {
                let all: Vec<_> = buckets.iter().collect();
                Value::Nested(serde_json::to_string(&all).unwrap_or_default().into())
            }
            Self::Other(value) | Self::Single(Some(value)) => value.clone(),
        }
    }

    /// The bound that this share of all values does not exceed, if these are buckets with bounds of their own.
    pub fn bound(&self, share: f64) -> Option<Option<f64>> {
        match self {
            Self::Bounded(buckets) => Some(buckets.quantile(share)),
            _ => None,
        }
    }

    /// The histogram, if these are buckets.
    pub fn hist(&self) -> Option<Hist> {
        let Self::Buckets(buckets) = self else { return None };
        let mut hist = Hist::default();
        buckets.iter().for_each(|(upper, count)| hist.add_bucket(upper as f64 / 1_000.0, count));
        Some(hist)
    }
}

/// Chooses one of two values that are not added; gauges of several keys are added.
fn one_of(kind: Option<&Kind>, a: Value<'static>, b: Value<'static>, beside: bool) -> Value<'static> {
    let (Ok(x), Ok(y)) = (a.text().parse::<f64>(), b.text().parse::<f64>()) else { return b };
    match kind {
        Some(Kind::Minimum) if x <= y => a,
        Some(Kind::Maximum) if x >= y => a,
        Some(Kind::Gauge) if beside => match (a.whole(), b.whole()) {
            (Some(a), Some(b)) => Value::Plain(a.saturating_add(b).to_string().into()),
            _ => Value::number(x + y),
        },
        _ => b,
    }
}
