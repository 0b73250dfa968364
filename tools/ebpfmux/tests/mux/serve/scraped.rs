//! What a scraper reads from `/metrics`, in each format.

use std::time::Duration;

use serde_json::json;
use test_support::prometheus::Prometheus;
use test_support::streams::record;
use test_support::wait::{For, until, until_still};

use super::orders::{BYTES, TOOL, serve, streams};
use crate::support::bash;

/// Reads both text formats with strict parsers; prints the number of values and those that differ.
pub(super) const COMPARE: &str = r#"
from prometheus_client.openmetrics.parser import text_string_to_metric_families as newer
from prometheus_client.parser import text_string_to_metric_families as older
def values(parse, name):
    with open(name, encoding="utf-8", newline="") as file:
        families = list(parse(file.read()))
    units = {family.name: family.unit for family in families if family.unit}
    return units, {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}
units, new = values(newer, "openmetrics")
_, old = values(older, "plain")
print(len(new) > 100, new.keys() ^ old.keys(), [key for key in new if new[key] != old[key]])
print(sorted(units.items()))
"#;

#[test]
fn every_format_tells_the_same() {
    let streams = streams();
    let plain = TOOL.replace(r#","buckets":[[102.4,1],[212.992,2],[491.52,1]]"#, "");
    streams.write("plain.sh", bash(&plain.replace("\"disks\"", "\"plain\"")));
    streams.good("chmod +x plain.sh");
    let served = serve(
        &streams,
        &["--run", "./disks", "--run", "./plain.sh", "--serve", "0", "--otlp", "http://127.0.0.1:1"],
    );
    until(For::Answer, "the first intervals", || Some(()).filter(|()| served.value(BYTES) >= 5.0 * 4096.0));
    for name in ["disks", "plain.sh"] {
        assert_eq!(served.order(&format!("/tools/{name}/disable")), 202);
    }
    until(For::End, "both tools", || {
        let tools = served.tools("");
        Some(()).filter(|()| (0..2).all(|at| tools[at]["running"] == json!(false)))
    });
    // Rendered metrics are cached for a tenth of a second.
    until_still("the bytes of tools that have ended", Duration::from_millis(300), || served.value(BYTES));
    let accept = |kind: &str| served.body("/metrics", &format!("Accept: {kind}\r\n"));
    streams
        .write("plain", accept("text/plain"))
        .write("openmetrics", accept("application/openmetrics-text;q=0.9"));
    streams.write("compare.py", COMPARE);
    assert_eq!(
        streams.good("/usr/bin/python3 compare.py"),
        "True set() []\n[('ebpf_disks_bytes', 'bytes'), ('ebpf_disks_duration_seconds', 'seconds'), \
         ('ebpf_plain_bytes', 'bytes'), ('ebpf_plain_duration_seconds', 'seconds'), \
         ('ebpfmux_last_record_timestamp_seconds', 'seconds')]\n"
    );
    let text = accept("text/plain");
    assert!(
        text.contains("\nebpfmux_otlp_points_sent_total 0\n# HELP ebpfmux_otlp_points_dropped_total "),
        "{text}"
    );
}

#[test]
fn a_prometheus_makes_the_right_numbers_of_it() {
    let streams = streams();
    let served = serve(&streams, &["--run", "./disks", "--serve", "0"]);
    // One requests OpenMetrics, the other protobuf with native histograms.
    let (directory, targets) = (streams.path("."), std::slice::from_ref(&served.address));
    let text = Prometheus::start(&directory, targets, None, &[]);
    let native = Prometheus::start(&directory, targets, None, &["--enable-feature=native-histograms"]);
    for prometheus in [&text, &native] {
        let query = |text: &str| prometheus.query(text);
        let scrapes = "count_over_time(ebpf_disks_bytes_total[1m])";
        until(For::Answer, "six scrapes", || query(scrapes).filter(|count| *count >= 6.0));
        let rate = query("rate(ebpf_disks_bytes_total[2s])").expect("a rate");
        // About five intervals of 4096 bytes per second, fewer on a machine under load.
        assert!((2048.0..7.0 * 4096.0).contains(&rate), "{rate}");
        let off = query("max(ebpf_disks_bytes_total) - 4096 * max(ebpfmux_records_total)");
        assert_eq!(off, Some(0.0), "the sum of what was received");
        assert_eq!(query("up"), Some(1.0));
        assert_eq!(query(r#"count(ebpf_disks_zombies{disk="a\"b\\c"} == 3)"#), Some(1.0));
    }
    let median = text.query("histogram_quantile(0.5, rate(ebpf_disks_duration_seconds_bucket[10s]))");
    let mean = text
        .query("rate(ebpf_disks_duration_seconds_sum[10s]) / rate(ebpf_disks_duration_seconds_count[10s])");
    // The second and third of four values lie in (204.8, 212.992] µs; the bound above is 229.376, that below 196.608.
    assert!(median.is_some_and(|median| (0.000_196..=0.000_230).contains(&median)), "{median:?}");
    assert!(mean.is_some_and(|mean| (mean - 0.000_25).abs() < 1e-9), "{mean:?}");
    assert_eq!(text.query("count(ebpf_disks_duration_seconds)"), None, "no native histogram in text");
    let of = |what: &str| native.query(&what.replace("IT", "rate(ebpf_disks_duration_seconds[10s])"));
    let mean = of("histogram_sum(IT) / histogram_count(IT)");
    assert!(mean.is_some_and(|mean| (mean - 0.000_25).abs() < 1e-9), "{mean:?}");
    let off =
        native.query("max(histogram_count(ebpf_disks_duration_seconds)) - 4 * max(ebpfmux_records_total)");
    assert_eq!(off, Some(0.0), "every bucket");
    // At most 3.3 % from any value of the bucket: native buckets are finer by that much.
    for (quantile, low, high) in [(0.1, 98.304, 102.4), (0.5, 204.8, 212.992), (0.99, 475.136, 491.52)] {
        let reported = of(&format!("histogram_quantile({quantile}, IT)")).expect("a quantile") * 1e6;
        assert!(
            (high * 0.967..=low * 1.033).contains(&reported),
            "quantile {quantile}: reported {reported}, expected {low} to {high}"
        );
    }
    assert_eq!(native.query("count(ebpf_disks_duration_seconds_bucket)"), None, "one histogram, not two");
}

/// Fields whose names Prometheus cannot have, or has another use for.
const ODD: &str = r#"{"title": "odd", "properties": {
    "interval_s": {"x-kind": "interval"}, "n": {"x-kind": "counter"}, "n_total": {"x-kind": "counter"},
    "n-total": {"x-kind": "gauge"}, "n.total": {"x-kind": "counter"}, "read": {"x-kind": "counter", "x-unit": "bytes"},
    "count": {"x-kind": "counter"}, "mean_us": {"x-kind": "mean", "x-unit": "microseconds", "x-of": "count"},
    "duration_seconds_sum": {"x-kind": "gauge"}, "duration_unbucketed_seconds": {"x-kind": "gauge"},
    "buckets": {"x-kind": "buckets", "x-unit": "microseconds"}}}"#;

#[test]
fn odd_names_do_not_make_it_unreadable() {
    let streams = streams();
    streams.write("odd.json", ODD).write("compare.py", COMPARE.replace("> 100", "> 10"));
    let labels = [
        r#""disk":"d""#,
        r#""1st":"a""#,
        r#""":"a""#,
        r#""a-b":"a","a_b":"b""#,
        r#""le":"0.1""#,
        r#""quantile":"0.5""#,
        r#""__name__":"up""#,
        r#""host":"again","tool":"again""#,
        r#""disk":"d","disk":"e""#,
        r#""op":"read","disk":"d""#,
        r#""disk":"d","op":"read""#,
        r#""disk":"""#,
        r#""\u0000":"\u0000","\u202e":"\r\n\"\\""#,
    ];
    let values = [
        r#""n":1,"n_total":2,"n-total":3,"n.total":4,"read":5,"duration_seconds_sum":6"#,
        r#""count":3,"mean_us":1.0,"buckets":[[1.088,3]],"duration_unbucketed_seconds":7"#,
        r#""count":3,"mean_us":1.0"#,
        r#""count":3,"mean_us":1.0,"buckets":[[1.088,1]]"#,
        r#""count":18446744073709551615,"mean_us":1e400,"n":1e400"#,
    ];
    let mut lines = String::new();
    for (at, tool) in ["odd", "od-d", "od_d", "1", ""].into_iter().enumerate() {
        for (of, labels) in labels.iter().enumerate() {
            for values in values {
                let host = format!("web{}", of % 2);
                lines += &record(at as f64, &host, tool, &format!("{labels},{values}"));
            }
        }
    }
    streams
        .write("lines", &lines)
        .write("odd", "#!/bin/sh\ncat lines; exec sleep 100\n")
        .good("chmod +x odd");
    let served = serve(&streams, &["--run", "./odd", "--serve", "0", "--schema", "odd.json"]);
    let last = r#"ebpfmux_records_total{host="web1",tool=""}"#;
    let records = (labels.len() / 2 * values.len()) as f64;
    until(For::Answer, "all records", || Some(()).filter(|()| served.value(last) == records));
    let accept = |kind: &str| served.body("/metrics", &format!("Accept: {kind}\r\n"));
    let text = accept("text/plain");
    streams.write("plain", &text).write("openmetrics", accept("application/openmetrics-text"));
    let compared = streams.good("/usr/bin/python3 compare.py");
    assert!(compared.starts_with("True set() []\n"), "{compared}");
    // It ends with 3 where it would have chosen other names.
    streams.good("promtool check metrics < plain 2> /dev/null || [ $? = 3 ]");
    let left_out = served.value("ebpfmux_names_dropped_total");
    assert!(left_out > 0.0 && text.contains("ebpf_odd_n_total{host=\"web0\",disk=\"d\"}"), "{text}");
    let (directory, targets) = (streams.path("."), std::slice::from_ref(&served.address));
    for arguments in [&[][..], &["--enable-feature=native-histograms"]] {
        let prometheus = Prometheus::start(&directory, targets, None, arguments);
        until(For::Answer, "a scrape", || prometheus.query("up").filter(|up| *up == 1.0));
    }
}
