//! A recording of an hour of six tools: the size of its page, and how long it takes.

use std::time::Instant;

use fastrand::Rng;
use record::histogram::Hist;
use test_support::streams::{Streams, record};

/// Six tools, four of which tell who does it.
fn hour() -> String {
    let mut random = Rng::with_seed(11);
    let mut lines = String::new();
    for second in 1..=3600 {
        let at = f64::from(second);
        for (tool, key) in [("biolat", "op"), ("syncsnoop", "call")] {
            for operation in ["read", "write"] {
                let mut hist = Hist::default();
                (0..40).for_each(|_| hist.add_ns(random.u64(20_000..60_000) << random.u32(..8)));
                let buckets = serde_json::to_string(&hist.non_empty()).unwrap();
                let comm = format!("c{}", random.u8(..40));
                let values = format!(
                    r#""{key}":"{operation}","comm":"{comm}","count":40,"bytes":163840,"errors":0,"buckets":{buckets}"#
                );
                lines += &record(at, "web1", tool, &values);
            }
        }
        for (tool, fields) in
            [("vfsstat", ["reads", "writes", "opens"]), ("inetstat", ["sends", "receives", "tx_bytes"])]
        {
            for _ in 0..4 {
                let [a, b, c] = [random.u32(..999), random.u32(..999), random.u32(..9999)];
                let (pid, comm) = (random.u16(..), random.u8(..40));
                let values = format!(
                    r#""pid":{pid},"comm":"c{comm}","{}":{a},"{}":{b},"{}":{c}"#,
                    fields[0], fields[1], fields[2]
                );
                lines += &record(at, "web1", tool, &values);
            }
        }
        let [a, b] = [random.u32(..99), random.u32(..9)];
        lines += &record(at, "web1", "proclife", &format!(r#""forks":{a},"execs":{b},"zombies":{b}"#));
        lines += &record(at, "web1", "cachestat", &format!(r#""accesses":{a},"hits":{b},"misses":{b}"#));
    }
    lines
}

#[test]
fn an_hour_of_six_tools_is_a_small_page() {
    let streams = Streams::default();
    let lines = hour();
    streams.write("hour", &lines);
    let begin = Instant::now();
    let page = streams.good("ebpfmux report hour");
    let [before, after] = [lines.len(), page.len()].map(|bytes| bytes as f64 / 1e6);
    println!("{before:.1} MB of records, {after:.2} MB of page, {:.2} s", begin.elapsed().as_secs_f64());
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    for tool in ["biolat", "syncsnoop", "vfsstat", "inetstat", "proclife", "cachestat"] {
        assert!(page.contains(&format!("<h2 id=\"{tool}\">")), "{tool}");
    }
}
