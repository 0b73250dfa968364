//! Spans of a config: records of a ring buffer, each a piece of work that has begun and ended.

use record::labels::{SPAN_FIELDS, field_of};

use super::labels::{labels, named};
use crate::decode::Label;
use crate::yaml::{self, Mistake, Place, place_of};

/// The service of spans for which nothing else is said, as ebpf_exporter calls it.
const SERVICE: &str = "ebpf_exporter";
/// The environment variable that says another one.
const SERVICE_VARIABLE: &str = "OTEL_SERVICE_NAME";

/// A kind of spans.
#[derive(Debug)]
pub struct Span {
    /// The ring buffer whose records are spans.
    pub ring: String,
    /// What a span is called whose record does not say it.
    pub name: String,
    /// The service that they are of.
    pub service: String,
    /// The parts of a record, in their order.
    pub labels: Vec<Label>,
    /// What each of these is.
    pub parts: Vec<Part>,
    /// Where the ring buffer's name stands in the config's file.
    pub at: Place,
}

/// What a part of a record is to its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The trace that it belongs to, in hexadecimal.
    Trace,
    /// Its own id.
    Id,
    /// The id of the span that it is a part of.
    Parent,
    /// When it began, by the kernel's monotonic clock.
    Start,
    /// How long it was.
    Duration,
    /// What it is called.
    Name,
    /// Anything else.
    Attribute,
}

impl Part {
    fn of(label: &str) -> Self {
        match label {
            "trace_id" => Self::Trace,
            "span_id" => Self::Id,
            "parent_span_id" => Self::Parent,
            "span_monotonic_timestamp_ns" => Self::Start,
            "span_duration_ns" => Self::Duration,
            "span_name" => Self::Name,
            _ => Self::Attribute,
        }
    }
}

impl Span {
    pub(super) fn of(config: yaml::Span) -> Result<Self, Mistake> {
        let ring = named(&config.ringbuf, "the ring buffer of a span (`ringbuf`)")?;
        let labels = labels(config.labels, attribute)?;
        let at = place_of(&config.ringbuf.referenced);
        let parts = labels.iter().map(|label| Part::of(&label.name)).collect();
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        let by_environment = || said(std::env::var(SERVICE_VARIABLE).ok());
        let service = said(config.service).or_else(by_environment).unwrap_or_else(|| SERVICE.to_owned());
        let name = said(config.name).unwrap_or_else(|| ring.clone());
        Ok(Self { name, ring, service, labels, parts, at })
    }

    /// The labels that are attributes.
    pub fn attributes(&self) -> impl Iterator<Item = &Label> {
        let both = self.labels.iter().zip(&self.parts);
        both.filter(|(_, part)| **part == Part::Attribute).map(|(label, _)| label)
    }
}

/// The name of an attribute's field in records of spans.
pub fn attribute(label: &str) -> String {
    field_of(&SPAN_FIELDS, label)
}
