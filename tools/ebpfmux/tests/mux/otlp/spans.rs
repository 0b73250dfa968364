//! `ebpfmux --otlp`: the spans of `mapstat --events`, as a receiver gets them.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use test_support::otlp::{Answer, Receiver, keys};
use test_support::streams::Streams;

use super::points::good;

/// A record as mapstat writes it: the span of this number, which begins that many seconds and nanoseconds after six o'clock.
fn record(number: u64, service: &str) -> String {
    let parent = if number.is_multiple_of(4) { "null".to_owned() } else { format!("\"{number:016x}\"") };
    format!(
        r#"{{"ts":"2026-11-21T06:{:02}:{:02}.000001Z","host":"web1","tool":"mapstat","event":"span","config":"exec-trace","service":"{service}","span":"step {number}","trace_id":"feed{:028x}","span_id":"beef{number:012x}","parent_span_id":{parent},"start":"2026-11-21T06:{:02}:{:02}.{number:09}Z","duration_us":{}.877,"cpu.orig":"{number}","label_host":"a\"b","lost":0}}
"#,
        number / 60,
        number % 60,
        number + 1,
        number / 60,
        number % 60,
        number,
    )
}

#[test]
fn every_field_of_a_span_arrives() {
    let streams = Streams::default();
    let receiver = Receiver::start(vec![good()]);
    // 25 seconds: three intervals of ten.
    let service = |number: u64| if number.is_multiple_of(2) { "even" } else { "odd" };
    streams.write("in", (0..25).map(|number| record(number, service(number))).collect::<String>());
    let output = streams.shell(&format!(
        "OTEL_EXPORTER_OTLP_HEADERS='x-one=1%202' ebpfmux in -v --otlp {} | cmp - in",
        receiver.url
    ));
    assert_eq!(output.status, Some(0), "{}", output.err);
    assert!(output.err.contains(": 25 spans sent, 0 dropped\n"), "{}", output.err);
    let got = receiver.got.lock().expect("no thread panicked");
    let of_spans: Vec<_> = got.iter().filter(|got| !got.spans.is_empty()).collect();
    assert!(
        of_spans
            .iter()
            .all(|got| got.head.starts_with("post /v1/traces ") && got.head.contains("x-one: 1 2\r\n"))
    );
    assert_eq!(of_spans.iter().map(|got| got.spans.len()).collect::<Vec<_>>(), [10, 10, 5]);
    let mut spans: Vec<_> = of_spans.iter().flat_map(|got| &got.spans).collect();
    spans.sort_by_key(|(.., span)| span.start_time_unix_nano);
    for (number, (resource, scope, span)) in (0..25u64).zip(spans) {
        let expected = [("service.name", service(number)), ("host.name", "web1")];
        assert_eq!(*resource, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert_eq!((scope.as_str(), span.name.as_str()), ("mapstat", format!("step {number}").as_str()));
        let trace = [&0xfeed_u16.to_be_bytes()[..], &[0; 6], &(number + 1).to_be_bytes()].concat();
        assert_eq!(span.trace_id, trace);
        assert_eq!(span.span_id, ((0xbeef << 48) | number).to_be_bytes());
        let parent = if number.is_multiple_of(4) { Vec::new() } else { number.to_be_bytes().to_vec() };
        assert_eq!(span.parent_span_id, parent);
        // To the nanosecond.
        let start = 1_795_240_800_000_000_000 + number * 1_000_000_001;
        assert_eq!(
            (span.start_time_unix_nano, span.end_time_unix_nano),
            (start, start + number * 1_000 + 877)
        );
        let number = number.to_string();
        let attributes =
            [("cpu.orig", number.as_str()), ("host", "a\"b"), ("ebpf_exporter.config", "exec-trace")];
        let attributes: BTreeMap<_, _> =
            attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(keys(&span.attributes), attributes);
        // Internal, sampled, without links, events or a status, as ebpf_exporter's.
        assert_eq!((span.kind, span.flags), (1, 1));
        assert!(span.links.is_empty() && span.events.is_empty() && span.status.is_none());
    }
    // The records are counted among the metrics, and have no others.
    let metrics: Vec<_> =
        got.iter().flat_map(|got| &got.points).map(|point| point.metric.1.as_str()).collect();
    assert!(!metrics.is_empty() && metrics.iter().all(|name| name.starts_with("ebpfmux.")), "{metrics:?}");
}

#[test]
fn spans_have_a_receiver_of_their_own() {
    let streams = Streams::default();
    let (metrics, traces) = (Receiver::start(vec![good()]), Receiver::start(vec![good()]));
    streams.write("in", (0..600).map(|number| record(number, "s")).collect::<String>());
    let spans = |receiver: &Receiver| {
        let got = receiver.got.lock().expect("no thread panicked");
        (
            got.iter().map(|got| got.spans.len()).sum::<usize>(),
            got.iter().map(|got| got.points.len()).sum::<usize>(),
        )
    };
    let output = streams.shell(&format!(
        "ebpfmux in --otlp {}/v1/metrics --otlp-traces {} --otlp-interval 3600 | cmp - in",
        metrics.url, traces.url
    ));
    assert_eq!((output.status, output.err.as_str()), (Some(0), ""));
    assert_eq!((spans(&metrics).0, spans(&traces)), (0, (600, 0)));
    assert!(spans(&metrics).1 > 0);
    // One full request, and the rest.
    let sizes: Vec<_> =
        traces.got.lock().expect("no thread panicked").iter().map(|got| got.spans.len()).collect();
    assert_eq!(sizes, [512, 88]);
    // Without metrics; from a table of comma-separated values.
    let other = Receiver::start(vec![good()]);
    let output = streams
        .shell(&format!("ebpfmux in -o csv | ebpfmux -v --otlp-traces {} -o json - > /dev/null", other.url));
    assert!(output.err.ends_with(": 600 spans sent, 0 dropped\n"), "{}", output.err);
    assert_eq!(spans(&other), (600, 0));
    // A path from which no other can be told.
    let output = streams.shell(&format!("ebpfmux in --otlp {}/other > /dev/null", metrics.url));
    assert!(
        output.err.contains("spans are not sent") && output.err.contains("--otlp-traces"),
        "{}",
        output.err
    );
    assert_eq!(output.err.lines().count(), 1, "{}", output.err);
    let output = streams.shell("ebpfmux in --otlp-traces localhost:4318");
    assert_eq!(output.status, Some(2));
    assert!(output.err.contains("--otlp-traces localhost:4318: not http://"), "{}", output.err);
}

#[test]
fn what_is_no_span_or_is_refused_is_counted() {
    let streams = Streams::default();
    let wrong = record(1, "s").replace("beef", "");
    streams.write("in", record(0, "s") + &wrong + &wrong + &record(2, "s") + &record(3, "s"));
    let partly = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess { rejected_spans: 1, error_message: "old".into() }),
    };
    let receiver = Receiver::start(vec![
        Answer::Status("503 No\r\n", Vec::new()),
        Answer::Status("200 OK\r\n", partly.encode_to_vec()),
    ]);
    let output = streams.shell(&format!("ebpfmux in --otlp-traces {} | cmp - in", receiver.url));
    assert_eq!(output.status, Some(0), "{}", output.err);
    assert!(
        output.err.contains("one of the spans was refused, more are only counted: its field span_id"),
        "{}",
        output.err
    );
    assert!(output.err.contains("503") && output.err.contains("retrying"), "{}", output.err);
    assert!(output.err.ends_with(": 2 spans sent, 3 dropped\n"), "{}", output.err);
    let got = receiver.got.lock().expect("no thread panicked");
    assert_eq!(got.iter().map(|got| got.spans.len()).collect::<Vec<_>>(), [3, 3], "the same again");
}
