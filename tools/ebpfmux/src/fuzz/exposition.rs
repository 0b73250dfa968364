//! `/metrics`, of records with odd names and values.

use std::collections::HashSet;
use std::sync::Once;

use ::record::fields::Schemas;
use serde_json::value::RawValue;

use crate::metrics::own::counter;
use crate::metrics::{Bounds, Metrics, Naming};
use crate::note;
use crate::record::timestamp::Nanos;
use crate::record::{declared, from_json};
use crate::serve::{self, negotiate::Format};

/// A tool whose fields have names that Prometheus cannot have, or has another use for, and every unit of time.
const ODD: &str = r#"{"title": "odd", "properties": {
    "interval_s": {"x-kind": "interval"}, "n": {"x-kind": "counter"}, "n_total": {"x-kind": "counter"},
    "n-total": {"x-kind": "gauge"}, "n.total": {"x-kind": "counter"}, "read": {"x-kind": "counter", "x-unit": "bytes"},
    "a_us": {"x-kind": "counter", "x-unit": "microseconds"}, "a_ns": {"x-kind": "counter", "x-unit": "nanoseconds"},
    "a_s": {"x-kind": "counter", "x-unit": "seconds"}, "count": {"x-kind": "counter"},
    "mean_us": {"x-kind": "mean", "x-unit": "microseconds", "x-of": "count"},
    "duration_seconds_sum": {"x-kind": "gauge"}, "duration_unbucketed_seconds": {"x-kind": "gauge"},
    "buckets": {"x-kind": "buckets", "x-unit": "microseconds"}}}"#;

/// The same metrics in each format.
pub struct Exposition {
    /// Prometheus's text format 0.0.4.
    pub plain: String,
    /// OpenMetrics 1.0.0.
    pub open: String,
}

/// Between records, between the fields of one, and between a field's name and its value: no byte of a text in UTF-8.
const RECORD: u8 = 0xff;
const FIELD: u8 = 0xfe;
const VALUE: u8 = 0xfd;

/// The metrics of the records in these bytes: lines of NDJSON; or, if the first is none, fields with any names and values,
/// separated by bytes that no text has.
///
/// Whatever the records are, both texts are valid, with the same samples, and the protobuf can be rendered.
pub fn metrics(bytes: &[u8]) -> Exposition {
    declare_odd();
    let mut metrics = Metrics::new(Bounds { series: 50, label_bytes: 256, quiet: true }, Naming::default());
    for (number, line) in lines(bytes).iter().enumerate() {
        if let Ok(fields) = from_json(line) {
            metrics.take(1_700_000_000_000_000_000 + number as Nanos, &fields);
        }
    }
    let own = [counter("ebpfmux_names_dropped", "Left out.", metrics.left_out.names)];
    let text = |format| String::from_utf8(serve::render(&metrics, &own, format)).expect("text");
    let exposition = Exposition { plain: text(Format::Plain), open: text(Format::OpenMetrics) };
    is_readable(&exposition.plain);
    let samples = |text: &str| -> Vec<String> {
        text.split('\n').filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    assert_eq!(samples(&exposition.plain), samples(&exposition.open));
    assert!(exposition.open.ends_with("\n# EOF\n"), "{}", exposition.open);
    let _ = serve::render(&metrics, &own, Format::Protobuf);
    exposition
}

/// Declares the fields of the odd tool, unless records were read before.
pub fn declare_odd() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        note::mute();
        let mut schemas = Schemas::default();
        schemas.declare(ODD).expect("a schema");
        declared::declare(schemas);
    });
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    if bytes.starts_with(b"{") {
        return bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    }
    bytes.split(|byte| *byte == RECORD).map(line).collect()
}

/// A record with these fields. A value that is JSON is taken as it is, any other as text.
fn line(bytes: &[u8]) -> Vec<u8> {
    let mut line = br#"{"ts":"2026-11-21T06:00:00.000000Z""#.to_vec();
    for field in bytes.split(|byte| *byte == FIELD) {
        let (name, value) = match field.iter().position(|byte| *byte == VALUE) {
            Some(at) => (&field[..at], &field[at + 1..]),
            None => (field, &b"1"[..]),
        };
        let quoted = |bytes| serde_json::to_string(&String::from_utf8_lossy(bytes)).expect("text");
        line.extend(format!(",{}:", quoted(name)).as_bytes());
        match serde_json::from_slice::<&RawValue>(value) {
            Ok(_) => line.extend(value),
            Err(_) => line.extend(quoted(value).as_bytes()),
        }
    }
    line.push(b'}');
    line
}

/// Checks metrics in Prometheus's text format: all names are valid, each family is there once and
/// has only its own samples, and no sample is there twice.
pub fn is_readable(text: &str) {
    let (mut families, mut samples, mut family, mut grows) = (HashSet::new(), HashSet::new(), "", false);
    let mut latencies = Vec::new();
    for line in text.split('\n').filter(|line| !line.is_empty() && !line.starts_with("# HELP ")) {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            let (name, kind) = head.split_once(' ').expect("a name and a type");
            assert!(is_name(name) && families.insert(name), "{line}");
            latencies.extend(matches!(kind, "histogram" | "summary").then_some(name));
            (family, grows) = (name, kind != "gauge");
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(value.parse::<f64>().is_ok_and(|value| !value.is_nan()) && samples.insert(sample), "{line}");
        assert!(!grows || !value.starts_with('-'), "{line}: less than nothing");
        let (name, mut labels) =
            sample.find('{').map_or((sample, "}"), |at| (&sample[..at], &sample[at + 1..]));
        let end = name.strip_prefix(family).unwrap_or("?");
        assert!(matches!(end, "" | "_bucket" | "_sum" | "_count"), "{line} of {family}");
        let mut names = HashSet::new();
        while labels != "}" {
            let (name, rest) = labels.split_once("=\"").expect("a label");
            assert!(is_name(name) && !name.starts_with("__") && names.insert(name), "{line}");
            let mut escaped = false;
            let value = rest.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            labels = &rest[value.expect("the value ends") + 1..];
            labels = labels.strip_prefix(',').unwrap_or(labels);
        }
    }
    for name in latencies {
        let samples = ["_bucket", "_sum", "_count"].map(|end| format!("{name}{end}"));
        assert!(!samples.iter().any(|sample| families.contains(sample.as_str())), "{name}");
    }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(fits) && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}
