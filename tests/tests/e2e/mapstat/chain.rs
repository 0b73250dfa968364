//! From programs to a receiver of OTLP: mapstat's spans and metrics through one `ebpfmux`.

use std::collections::BTreeMap;

use tests::otlp::{Answer, Receiver};
use tests::wait::{For, until, until_or};

use super::spans::{SPANS, clocks, span};
use super::*;

/// How many spans are counted.
const MANY: u64 = 129;
/// Before them: until spans arrive.
const EARLIER: u64 = 7;

#[test]
fn spans_and_metrics_arrive_at_a_receiver() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let configs = Configs::of(&[SPANS]);
    // Each answers one connection after the other.
    let receiver = || Receiver::start(vec![Answer::Status("200 OK\r\n", Vec::new())]);
    let (of_metrics, of_spans) = (receiver(), receiver());
    let mapstat = format!("{} -q -c {}", built("mapstat").display(), configs.path("spans.yaml"));
    let (metrics, spans) = (format!("{mapstat} 0.1"), format!("{mapstat} --events"));
    let mut mux = Command::new(built("ebpfmux"));
    mux.args(["--run", &metrics, "--run", &spans, "--otlp-interval", "0.2"]);
    mux.args(["--otlp", &of_metrics.url, "--otlp-traces", &of_spans.url]);
    let tool = Tool::spawn(&mut mux);
    let has = |what: fn(&Value) -> bool| tool.seen(|records| records.iter().any(what));
    until(For::Attach, "an interval", || has(|record| record.get("interval_s").is_some()).then_some(()));
    let mut earlier = 0;
    until(For::Attach, "a span", || {
        earlier += 1;
        span(EARLIER, clocks().0, 0);
        has(|record| record["event"] == "span").then_some(())
    });
    let begun = clocks().0;
    let start = |number: u64| begun + number * 1_000;
    (0..MANY).for_each(|number| span(1000 + number, start(number), number * 11));
    let arrived = || {
        let got = of_spans.got.lock().expect("no thread panicked");
        let spans: Vec<_> = got.iter().flat_map(|got| got.spans.clone()).collect();
        let got = of_metrics.got.lock().expect("no thread panicked");
        let total =
            got.iter().flat_map(|got| &got.points).rfind(|point| point.metric.1.contains("spans_total"));
        (spans, total.map(|point| point.value))
    };
    let work = || {
        let (spans, _) = arrived();
        let work = spans.into_iter().filter(|(resource, ..)| resource["service.name"] == "tested");
        let attributes = |span: &tests::otlp::Span| tests::otlp::keys(&span.attributes);
        let numbered = work.map(|(_, scope, span)| (attributes(&span)["number"].clone(), scope, span));
        numbered.filter(|(number, ..)| *number != EARLIER.to_string()).collect::<Vec<_>>()
    };
    let counted = (earlier + MANY) as f64;
    until_or(
        For::Record,
        "all spans, and their number",
        || (work().len() as u64 >= MANY && arrived().1 == Some(counted)).then_some(()),
        || format!("{} spans, {:?} instead of {counted}: {}", work().len(), arrived().1, tool.stderr()),
    );
    let ended = tool.interrupt();
    let work = work();
    assert_eq!((work.len() as u64, arrived().1), (MANY, Some(counted)));
    let by_number: BTreeMap<String, _> =
        work.iter().map(|(number, scope, span)| (number.clone(), (scope, span))).collect();
    for number in 0..MANY {
        let (scope, span) = by_number[&(1000 + number).to_string()];
        let (id, trace) = (0xbeef_0000_0000_0000 | (1000 + number), [0xfeed << 48, 1000 + number]);
        assert_eq!(
            (scope.as_str(), span.name.as_str()),
            ("mapstat", format!("work{}", number % 10).as_str())
        );
        assert_eq!(span.span_id, u64::to_be_bytes(id));
        assert_eq!(span.trace_id, trace.map(u64::to_be_bytes).concat());
        let parent = if number % 4 == 0 { Vec::new() } else { u64::to_be_bytes(999 + number).to_vec() };
        assert_eq!(span.parent_span_id, parent);
        assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, number * 11);
    }
    // Each has its record on stdout, too.
    let earlier = EARLIER.to_string();
    let is_counted = |record: &&Value| record["service"] == "tested" && record["number"] != earlier.as_str();
    assert_eq!(ended.records.iter().filter(is_counted).count() as u64, MANY);
}
