//! A metric of a config: its map, and how its values are read.

use super::labels::{field, labels, named};
use crate::decode::Label;
use crate::histogram::Buckets;
use crate::yaml::{self, Mistake, Place, place_of};

/// A metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name, and that of its map.
    pub name: String,
    /// Its meaning.
    pub help: String,
    /// How values are read.
    pub form: Form,
    /// The parts of a key, in their order; of a histogram the bucket, too.
    pub labels: Vec<Label>,
    /// Whether its map is a buffer of samples, each of which counts.
    pub is_samples: bool,
    /// Where its name stands in the config's file.
    pub at: Place,
}

/// How the values of a map are read.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// Events: what is reported is how many came in an interval.
    Counter,
    /// A level.
    Gauge,
    /// Events by size; the bucket is the last label.
    Histogram(Buckets),
}

impl Form {
    /// Its name in records.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

impl Metric {
    pub(super) fn counter(config: yaml::Counter) -> Result<Self, Mistake> {
        let name = named(&config.name, "a counter")?;
        let form = match &config.kind {
            None => Form::Counter,
            Some(kind) if kind.value == "counter" => Form::Counter,
            Some(kind) if kind.value == "gauge" && !config.perf_event_array => Form::Gauge,
            Some(kind) => {
                let what = match kind.value.as_str() {
                    "gauge" => "samples are counted: they are no gauge".to_owned(),
                    other => format!("there is no type `{}`: counter or gauge", cli::text::visible(other)),
                };
                return Err(Mistake::at(&kind.referenced, what));
            }
        };
        let labels = labels(config.labels, field)?;
        let at = place_of(&config.name.referenced);
        Ok(Self { name, help: config.help, form, labels, is_samples: config.perf_event_array, at })
    }

    pub(super) fn histogram(config: yaml::Histogram) -> Result<Self, Mistake> {
        let name = named(&config.name, "a histogram")?;
        let buckets = Buckets::of(&config)?;
        if config.labels.is_empty() {
            return Err(Mistake::at(
                &config.name.referenced,
                "a histogram needs a label, the last one, for the bucket",
            ));
        }
        let labels = labels(config.labels, field)?;
        let at = place_of(&config.name.referenced);
        Ok(Self { name, help: config.help, form: Form::Histogram(buckets), labels, is_samples: false, at })
    }
}
