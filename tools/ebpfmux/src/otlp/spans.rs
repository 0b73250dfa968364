//! Spans, as mapstat records them with `--events`, as OTLP requests.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, SpanFlags};
use record::labels::{SPAN_FIELDS, label_of};

use super::batch::{Batch, Pending, attribute};
use crate::record::timestamp::Clock;
use crate::record::{Fields, Value, find};

/// The maximum number of spans in a request, after which they are sent at once.
const SPANS: usize = 512;
/// The attribute with the config that a span is of, as ebpf_exporter calls it.
const CONFIG: &str = "ebpf_exporter.config";
/// The flag of a W3C trace context: the span is recorded.
const SAMPLED: u32 = 1;

/// What a span is of: service, host and tool.
type Of = (String, String, String);

/// Spans that are not sent yet.
#[derive(Default)]
pub struct Spans {
    of: BTreeMap<Of, Vec<Span>>,
    count: usize,
}

/// Whether a record is of a span.
pub fn is_span(fields: &Fields<'_>) -> bool {
    find(fields, "event").is_some_and(|event| *event == Value::Text("span".into()))
}

impl Spans {
    /// Adds a record of a span.
    ///
    /// # Errors
    /// Which of its fields is missing or wrong.
    pub fn add(&mut self, fields: &Fields<'_>) -> Result<(), &'static str> {
        let span = span(fields)?;
        let text = |name| find(fields, name).map_or("", Value::text).to_owned();
        self.of.entry((text("service"), text("host"), text("tool"))).or_default().push(span);
        self.count += 1;
        Ok(())
    }

    /// Whether it is time to send them.
    pub fn is_full(&self) -> bool {
        self.count >= SPANS
    }
}

impl Pending for Spans {
    fn batches(&mut self) -> Vec<Batch> {
        let Self { of, count } = std::mem::take(self);
        if count == 0 {
            return Vec::new();
        }
        let request = ExportTraceServiceRequest { resource_spans: of.into_iter().map(resource).collect() };
        vec![Batch::of(&request, count)]
    }
}

fn resource(((service, host, tool), spans): (Of, Vec<Span>)) -> ResourceSpans {
    let attributes = vec![attribute("service.name", &service), attribute("host.name", &host)];
    let scope = InstrumentationScope { name: tool, ..InstrumentationScope::default() };
    ResourceSpans {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_spans: vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }
}

fn span(fields: &Fields<'_>) -> Result<Span, &'static str> {
    let text = |name: &str| match find(fields, name)? {
        Value::Text(text) => Some(text.as_ref()),
        // A table's cell of digits alone.
        Value::Plain(text) => Some(text.as_ref()),
        Value::Null | Value::Nested(_) => None,
    };
    let trace_id = text("trace_id").and_then(id::<16>).ok_or("trace_id")?;
    let span_id = text("span_id").and_then(id::<8>).ok_or("span_id")?;
    let parent = text("parent_span_id").map(|text| id::<8>(text).ok_or("parent_span_id")).transpose()?;
    let start = text("start").and_then(|text| Clock::default().any(text.as_bytes()).ok());
    let start = start.and_then(|start| u64::try_from(start).ok()).ok_or("start")?;
    let duration = text("duration_us").and_then(nanoseconds).ok_or("duration_us")?;
    let config = text("config").map(|config| attribute(CONFIG, config));
    Ok(Span {
        trace_id: trace_id.to_vec(),
        span_id: span_id.to_vec(),
        parent_span_id: parent.map(|id| id.to_vec()).unwrap_or_default(),
        // Whether its parent is of another process is not known.
        flags: SAMPLED & SpanFlags::TraceFlagsMask as u32,
        name: text("span").ok_or("span")?.to_owned(),
        kind: SpanKind::Internal as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: start.saturating_add(duration),
        attributes: attributes(fields).chain(config).collect(),
        ..Span::default()
    })
}

/// What programs have said beside the span's own fields.
fn attributes<'a>(fields: &'a Fields<'_>) -> impl Iterator<Item = KeyValue> + 'a {
    fields.iter().filter_map(|(name, value)| match value {
        Value::Text(text) | Value::Plain(text) if !SPAN_FIELDS.contains(&name.as_ref()) => {
            Some(attribute(label_of(&SPAN_FIELDS, name), text))
        }
        _ => None,
    })
}

/// The bytes of an id that is not all 0.
fn id<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    bytes.iter().any(|byte| *byte != 0).then_some(bytes)
}

/// Microseconds with their fraction, in nanoseconds.
fn nanoseconds(microseconds: &str) -> Option<u64> {
    let microseconds: f64 = microseconds.parse().ok()?;
    (microseconds >= 0.0 && microseconds.is_finite()).then_some((microseconds * 1e3).round() as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::record::from_json;

    const LINE: &str = r#"{"ts":"2026-11-21T06:00:00.000001Z","host":"h","tool":"mapstat","event":"span","config":"c","service":"s","span":"n","trace_id":"beef000000000000feed000000000000","span_id":"beef000000000001","parent_span_id":null,"start":"2026-11-21T06:00:00.000000123Z","duration_us":0.877,"cpu.orig":"1","label_host":"a","label_interval_s":"9","label_x":"b","none":null,"lost":0}"#;

    fn of(line: &str) -> Result<Span, &'static str> {
        let fields = from_json(line.as_bytes()).unwrap();
        assert!(is_span(&fields));
        span(&fields)
    }

    #[test]
    fn a_record_is_its_span() {
        let span = of(LINE).unwrap();
        assert_eq!((span.trace_id[0], span.trace_id[8], span.span_id[7]), (0xbe, 0xfe, 1));
        assert!(span.parent_span_id.is_empty());
        assert_eq!((span.start_time_unix_nano, span.name.as_str()), (1_795_240_800_000_000_123, "n"));
        assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 877);
        let expected =
            [("cpu.orig", "1"), ("host", "a"), ("interval_s", "9"), ("label_x", "b"), (CONFIG, "c")];
        assert_eq!(span.attributes, expected.map(|(key, value)| attribute(key, value)));
        let child = of(&LINE.replace("null,\"start", "\"00000000000000ff\",\"start")).unwrap();
        assert_eq!(child.parent_span_id, [0, 0, 0, 0, 0, 0, 0, 255]);
    }

    #[test]
    fn what_is_no_span_says_why() {
        for (from, to, field) in [
            ("beef000000000000feed000000000000", "beef", "trace_id"),
            ("beef000000000000feed000000000000", "00000000000000000000000000000000", "trace_id"),
            ("\"beef000000000001\"", "null", "span_id"),
            ("beef000000000001", "beef00000000000ü", "span_id"),
            ("null,\"start", "\"x\",\"start", "parent_span_id"),
            ("2026-11-21T06:00:00.000000123Z", "1969-11-21T06:00:00Z", "start"),
            ("0.877", "-1", "duration_us"),
            ("0.877", "1e999", "duration_us"),
            ("\"span\":\"n\"", "\"span\":null", "span"),
        ] {
            assert_eq!(of(&LINE.replace(from, to)), Err(field), "{to}");
        }
        let long = of(&LINE.replace("0.877", "1e300")).unwrap();
        assert_eq!(long.end_time_unix_nano, u64::MAX);
    }

    /// A label that is called like a field that is declared elsewhere (`pid`) is an attribute all the same: so they are listed.
    #[test]
    fn what_is_no_attribute_is_what_mapstat_declares() {
        let schema = include_str!("../../../../common/record/schemas/mapstat.events.json");
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        let declared: BTreeSet<&str> =
            schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        // Tables have the attributes in one column; records of intervals have the other one.
        let others = ["labels", "interval_s"];
        let listed: BTreeSet<&str> = SPAN_FIELDS.into_iter().filter(|name| !others.contains(name)).collect();
        assert_eq!(listed, declared);
    }

    #[test]
    fn full_requests_are_sent_at_once() {
        let fields = from_json(LINE.as_bytes()).unwrap();
        let mut spans = Spans::default();
        (0..SPANS - 1).for_each(|_| spans.add(&fields).unwrap());
        assert!(!spans.is_full() && spans.add(&fields).is_ok() && spans.is_full());
        let batches = spans.batches();
        assert_eq!(batches.iter().map(|batch| batch.items).collect::<Vec<_>>(), [SPANS as u64]);
        assert!(spans.batches().is_empty() && !spans.is_full());
    }
}
