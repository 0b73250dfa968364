//! The records of spans (`--events`): fixed fields, and behind them the attributes that configs give.

use std::borrow::Cow;

use cli::clock::{WallClock, rfc3339_ns};
use common::output::Row;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::Span;
use crate::config::{self, Config, attribute};
use crate::row::Columns;

/// The fields that all of them have. Beside these each attribute is a field, a text.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes records, which are maps")]
struct Fields {
    /// What the record is of: a span.
    #[schemars(extend("x-kind" = "key", "enum" = ["span"]))]
    event: String,
    /// The config: its file's name without .yaml.
    #[schemars(extend("x-kind" = "key", "x-rank" = 4))]
    config: String,
    /// The service that the span is of: as its config says, else OTEL_SERVICE_NAME, else ebpf_exporter.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1))]
    service: String,
    /// What the span is called.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 20))]
    span: String,
    /// The trace that it belongs to: 32 hexadecimal digits.
    #[schemars(extend("x-kind" = "text", "x-rank" = 2, "x-width" = 32))]
    trace_id: String,
    /// Its own id: 16 hexadecimal digits.
    #[schemars(extend("x-kind" = "text", "x-rank" = 3, "x-width" = 16))]
    span_id: String,
    /// The id of the span that it is a part of; null if it is the first of its trace.
    #[schemars(extend("x-kind" = "text", "x-rank" = 3, "x-width" = 16))]
    parent_span_id: Option<String>,
    /// When it began: RFC 3339 in UTC with nanoseconds.
    #[schemars(extend("x-kind" = "text", "format" = "date-time"))]
    start: String,
    /// How long it was, in microseconds.
    #[schemars(extend("x-kind" = "value", "x-rank" = 1, "x-unit" = "microseconds"))]
    duration_us: f64,
}

/// The fields of a record between the header and `lost`.
#[derive(Debug, PartialEq)]
pub struct SpanRow {
    /// By name, in their order.
    fields: Map<String, Value>,
}

impl SpanRow {
    /// Of a span that has its ids. Its times are by this clock; `now` is when it began if that is not known.
    pub fn of(
        columns: &Columns,
        config: &str,
        of: &config::Span,
        span: Span,
        clock: WallClock,
        now: u64,
    ) -> Self {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        put("event", "span".into());
        put("config", config.into());
        put("service", of.service.as_str().into());
        put("span", span.name.into());
        put("trace_id", span.trace_id.into());
        put("span_id", span.span_id.into());
        put("parent_span_id", span.parent_span_id.into());
        put("start", rfc3339_ns(clock.at(span.start_ns.unwrap_or(now))).into());
        put("duration_us", json!(span.duration_ns as f64 / 1e3));
        let attributes = of.attributes().map(|label| attribute(&label.name)).zip(span.attributes);
        match columns {
            Columns::Own => attributes.for_each(|(name, text)| put(&name, text.into())),
            Columns::All(all) => {
                all.iter().for_each(|name| put(name, Value::Null));
                attributes.for_each(|(name, text)| put(&name, text.into()));
            }
            Columns::Table => {
                let all: Vec<_> = attributes.map(|(name, text)| format!("{name}={text}")).collect();
                put("labels", all.join(" ").into());
            }
        }
        Self { fields }
    }
}

impl Serialize for SpanRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

impl JsonSchema for SpanRow {
    fn schema_name() -> Cow<'static, str> {
        "SpanRow".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fields::json_schema(generator)
    }
}

impl Row for SpanRow {
    const EVENT: bool = true;
}

/// The attributes of all these configs' spans, each once, in their order.
pub fn all_attributes(configs: &[&Config]) -> Vec<String> {
    let mut all = Vec::new();
    let spans = configs.iter().flat_map(|config| &config.spans);
    for name in spans.flat_map(config::Span::attributes).map(|label| attribute(&label.name)) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// Adds the attributes of these configs' spans to the properties of a schema.
pub fn describe(properties: &mut Map<String, Value>, configs: &[&Config]) {
    let lost = properties.shift_remove("lost");
    for name in all_attributes(configs) {
        let of = configs.iter().flat_map(|config| &config.spans);
        let of = of.filter(|span| span.attributes().any(|label| attribute(&label.name) == name));
        let of: Vec<_> = of.map(|span| span.name.as_str()).collect();
        let meaning = format!("An attribute of {}.", of.join(", "));
        properties
            .insert(name, json!({"type": ["string", "null"], "description": meaning, "x-kind": "text"}));
    }
    properties.extend(lost.map(|lost| ("lost".to_owned(), lost)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_spans_fields_and_its_attributes() {
        let config = Config::parse(
            "c".to_owned(),
            "tracing: {spans: [{ringbuf: work, service: s, labels: [{name: host, size: 1, decoders: [{name: uint}]}, \
             {name: cpu.orig, size: 1, decoders: [{name: uint}]}]}, {ringbuf: b}]}",
        )
        .unwrap();
        let span = Span {
            start_ns: Some(5),
            duration_ns: 1_234_567,
            name: "n".to_owned(),
            attributes: vec!["1".to_owned(), "2".to_owned()],
            ..Span::default()
        };
        let clock = WallClock::now();
        let row =
            |columns| SpanRow::of(&columns, "c", &config.spans[0], span.clone(), clock, 0).fields.clone();
        let own = row(Columns::Own);
        assert_eq!((&own["duration_us"], &own["parent_span_id"]), (&json!(1_234.567), &Value::Null));
        assert_eq!((&own["label_host"], &own["cpu.orig"]), (&"1".into(), &"2".into()));
        assert_eq!(own["start"], rfc3339_ns(clock.at(5)));
        assert_eq!(row(Columns::Table)["labels"], "label_host=1 cpu.orig=2");
        let all = all_attributes(&[&config]);
        assert_eq!(all, ["label_host", "cpu.orig"]);
        let all = row(Columns::All([&all[..], &["more".to_owned()]].concat()));
        assert_eq!((&all["cpu.orig"], &all["more"]), (&"2".into(), &Value::Null));
        let mut properties = Map::from_iter([("lost".to_owned(), json!({}))]);
        describe(&mut properties, &[&config]);
        let names: Vec<_> = properties.keys().collect();
        assert_eq!(names, ["label_host", "cpu.orig", "lost"]);
        assert_eq!(properties["cpu.orig"]["description"], "An attribute of work.");
    }
}
