//! The values of an interval.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::config::Form;

/// The texts of a metric's labels, without that of the bucket.
pub type Labels = Rc<[String]>;

/// What a key's label set has in an interval.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// How much came; less than nothing if the value of a fixed key fell.
    Counted(i128),
    /// How long something of this program itself took in the interval.
    Seconds(f64),
    /// The level at the end.
    Level(u128),
    /// How many values came in each bucket, and their sum, if the map keeps one.
    Sized(Vec<u64>, Option<u64>),
}

impl Values {
    /// Nothing came.
    pub(super) fn none(form: &Form) -> Self {
        match form {
            Form::Counter => Self::Counted(0),
            Form::Gauge => Self::Level(0),
            Form::Histogram(buckets) => Self::Sized(vec![0; buckets.bounds.len()], None),
        }
    }

    /// How much came in all.
    pub fn size(&self) -> u64 {
        match self {
            Self::Counted(count) => u64::try_from(count.unsigned_abs()).unwrap_or(u64::MAX),
            Self::Seconds(seconds) => *seconds as u64,
            Self::Level(level) => u64::try_from(*level).unwrap_or(u64::MAX),
            Self::Sized(counts, _) => counts.iter().fold(0, |sum, count| sum.saturating_add(*count)),
        }
    }

    /// Adds the values of another label set of the same metric.
    pub fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Counted(own), Self::Counted(other)) => *own += other,
            (Self::Seconds(own), Self::Seconds(other)) => *own += other,
            (Self::Level(own), Self::Level(other)) => *own += other,
            (Self::Sized(own, own_sum), Self::Sized(other, sum)) => {
                own.iter_mut().zip(other).for_each(|(own, other)| *own = own.saturating_add(*other));
                if let Some(sum) = sum {
                    *own_sum = Some(own_sum.unwrap_or(0).saturating_add(*sum));
                }
            }
            _ => {}
        }
    }
}

/// The values of an interval.
#[derive(Debug, Default)]
pub struct Interval {
    /// By label set.
    pub values: BTreeMap<Labels, Values>,
    /// Events of keys that could not be decoded.
    pub lost: u64,
    /// How many keys could not be when they were first seen.
    pub errors: u64,
    /// Why one could not be.
    pub why: Option<String>,
}
