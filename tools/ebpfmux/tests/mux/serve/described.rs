//! Metrics that records describe themselves, as mapstat's do: a Prometheus that has scraped ebpf_exporter finds the same series.

use test_support::prometheus::Prometheus;
use test_support::wait::{For, until};

use super::orders::{serve, streams};
use super::scraped::COMPARE;
use crate::support::bash;

/// What mapstat prints of a counter by processor, a level, and a histogram, every fifth of a second; what they mean at first.
const MAPS: &str = r##"trap 'exit 0' INT TERM
help=1
line() {
    now
    echo '{"ts":"'$ts'","host":"web","tool":"mapstat","interval_s":0.2,"config":"c",'"${help:+\"help\":\"What \\\"$1\\\" is\\nin words.\",}$2"',"lost":0}'
}
while :; do
    line softirqs '"metric":"softirqs_total","type":"counter","cpu":"0","kind":"net_rx","value":3'
    line softirqs '"metric":"softirqs_total","type":"counter","cpu":"1","kind":"net_rx","value":5'
    line level '"metric":"jit_pages","type":"gauge","level":7'
    line latency '"metric":"bio_latency_seconds","type":"histogram","device":"vda","operation":"read","count":4,"sum":0.0005,"buckets":[[1e-06,1],[2e-06,0],[0.000128,2],[1.048576,1],[134.217728,0]]'
    help=
    sleep 0.2
done
"##;

/// The series of a scrape, without their values, and the types.
const EXPECTED: &str = "\
# HELP ebpf_exporter_bio_latency_seconds What \"latency\" is\\nin words.
# TYPE ebpf_exporter_bio_latency_seconds histogram
ebpf_exporter_bio_latency_seconds_bucket{device=\"vda\",operation=\"read\",le=\"1e-06\"}
ebpf_exporter_bio_latency_seconds_bucket{device=\"vda\",operation=\"read\",le=\"2e-06\"}
ebpf_exporter_bio_latency_seconds_bucket{device=\"vda\",operation=\"read\",le=\"0.000128\"}
ebpf_exporter_bio_latency_seconds_bucket{device=\"vda\",operation=\"read\",le=\"1.048576\"}
ebpf_exporter_bio_latency_seconds_bucket{device=\"vda\",operation=\"read\",le=\"134.217728\"}
ebpf_exporter_bio_latency_seconds_bucket{device=\"vda\",operation=\"read\",le=\"+Inf\"}
ebpf_exporter_bio_latency_seconds_sum{device=\"vda\",operation=\"read\"}
ebpf_exporter_bio_latency_seconds_count{device=\"vda\",operation=\"read\"}
# HELP ebpf_exporter_jit_pages What \"level\" is\\nin words.
# TYPE ebpf_exporter_jit_pages gauge
ebpf_exporter_jit_pages
# HELP ebpf_exporter_softirqs_total What \"softirqs\" is\\nin words.
# TYPE ebpf_exporter_softirqs_total counter
ebpf_exporter_softirqs_total{cpu=\"0\",kind=\"net_rx\"}
ebpf_exporter_softirqs_total{cpu=\"1\",kind=\"net_rx\"}
";

#[test]
fn dashboards_of_ebpf_exporter_find_its_series() {
    let streams = streams();
    streams.write("maps", bash(MAPS)).shell("chmod +x maps");
    let served = serve(&streams, &["--run", "./maps", "--serve", "0", "--no-host"]);
    let counted = r#"ebpf_exporter_softirqs_total{cpu="1",kind="net_rx"}"#;
    until(For::Answer, "three intervals", || Some(()).filter(|()| served.value(counted) >= 15.0));
    let accept = |kind: &str| served.body("/metrics", &format!("Accept: {kind}\r\n"));
    let text = accept("text/plain");
    let theirs = text.lines().filter(|line| line.contains("ebpf_exporter_"));
    let series = theirs.map(|line| match line.rsplit_once(' ') {
        Some((series, _)) if !line.starts_with('#') => format!("{series}\n"),
        _ => format!("{line}\n"),
    });
    assert_eq!(series.collect::<String>(), EXPECTED);
    streams.write("metrics", &text).good("promtool check metrics < metrics 2> /dev/null || [ $? = 3 ]");
    streams.write("plain", &text).write("openmetrics", accept("application/openmetrics-text"));
    // Scraped one after the other: the names are the same.
    streams
        .write("compare.py", COMPARE.replace("> 100", "> 15").replace("if new[key] != old[key]", "if False"));
    let compared = streams.good("/usr/bin/python3 compare.py");
    assert!(compared.starts_with("True set() []\n"), "{compared}");
    let (directory, targets) = (streams.path("."), std::slice::from_ref(&served.address));
    for more in [&[][..], &["--enable-feature=native-histograms"]] {
        let prometheus = Prometheus::start(&directory, targets, None, more);
        let query = |text: &str| prometheus.query(text);
        let scrapes = "count_over_time(ebpf_exporter_jit_pages[1m])";
        until(For::Answer, "six scrapes", || query(scrapes).filter(|count| *count >= 6.0));
        assert_eq!(query(r#"count({__name__=~"ebpf_exporter_.*",host=""})"#), Some(11.0));
        assert_eq!(query(r#"count({__name__=~"ebpf_exporter_.*"})"#), Some(11.0));
        for le in ["1e-06", "2e-06", "0.000128", "1.048576", "134.217728", "+Inf"] {
            let bucket = format!(
                r#"count(ebpf_exporter_bio_latency_seconds_bucket{{device="vda",operation="read",le="{le}"}})"#
            );
            assert_eq!(query(&bucket), Some(1.0), "{le}");
        }
        assert_eq!(query("ebpf_exporter_jit_pages"), Some(7.0));
        // Each of whole records: whatever the time of the scrape.
        for (cpu, each) in [(0, 3), (1, 5)] {
            let rest = format!(r#"ebpf_exporter_softirqs_total{{cpu="{cpu}"}} % {each}"#);
            assert_eq!(query(&rest), Some(0.0));
        }
        assert!(query("rate(ebpf_exporter_softirqs_total{cpu=\"1\"}[10s])").is_some_and(|rate| rate > 0.0));
        let median =
            "histogram_quantile(0.5, sum(rate(ebpf_exporter_bio_latency_seconds_bucket[10s])) by (le))";
        // The second of four is the first of two between 2 and 128 microseconds.
        let expected = 2e-6 + (128e-6 - 2e-6) / 2.0;
        let found = query(median).expect("a quantile");
        assert!((found - expected).abs() < 1e-9, "{found}");
        let mean = "rate(ebpf_exporter_bio_latency_seconds_sum[10s]) / rate(ebpf_exporter_bio_latency_seconds_count[10s])";
        assert!(query(mean).is_some_and(|mean| (mean - 0.000_125).abs() < 1e-9));
    }
}

#[test]
fn series_that_nobody_adds_to_are_forgotten() {
    let streams = streams();
    // A second key comes once; the first goes on.
    let once = MAPS.replace(
        "    line level",
        "    [[ $help ]] && line softirqs '\"metric\":\"softirqs_total\",\"type\":\"counter\",\"cpu\":\"2\",\"kind\":\"once\",\"value\":9'\n    line level",
    );
    streams.write("maps", bash(&once)).shell("chmod +x maps");
    let options = ["--run", "./maps", "--serve", "0", "--namespace", "mine", "--series-idle", "2"];
    let served = serve(&streams, &options);
    let has = |text: &str| served.body("/metrics", "").contains(text);
    until(For::Answer, "both", || Some(()).filter(|()| has("kind=\"once\"") && has("cpu=\"1\"")));
    until(For::Answer, "the idle one to be forgotten", || Some(()).filter(|()| !has("kind=\"once\"")));
    assert!(has("mine_softirqs_total{host=\"web\",cpu=\"1\",kind=\"net_rx\"} "));
}
