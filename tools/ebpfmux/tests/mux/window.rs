//! `ebpfmux --window`: combines records into longer intervals.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use test_support::records::parse;
use test_support::streams::{Streams, record, ts};

/// The upper bound, in microseconds, of the bucket of a value in nanoseconds, as docs/record.md
/// defines it: 16 buckets in each power of two.
fn upper_us(ns: u64) -> f64 {
    let width = 1u64 << ns.ilog2().saturating_sub(4);
    (ns / width + 1) as f64 * width as f64 / 1e3
}

/// A record of biolat with these latencies, in nanoseconds.
fn biolat(at: f64, host: &str, op: &str, values: &[u64]) -> String {
    let mut buckets: BTreeMap<u64, (f64, u64)> = BTreeMap::new();
    for value in values {
        let upper = upper_us(*value);
        buckets.entry(upper.to_bits()).or_insert((upper, 0)).1 += 1;
    }
    let buckets: Vec<&(f64, u64)> = buckets.values().collect();
    let sum: u64 = values.iter().sum();
    let mean = (sum as f64 / values.len() as f64).round() / 1e3;
    let (min, max) = (values.iter().min().expect("one"), values.iter().max().expect("one"));
    let latency = format!(
        r#""count":{},"min_us":{},"mean_us":{mean},"p50_us":1,"p90_us":1,"p99_us":1,"p999_us":1,"max_us":{}"#,
        values.len(),
        *min as f64 / 1e3,
        *max as f64 / 1e3
    );
    record(
        at,
        host,
        "biolat",
        &format!(
            r#""disk":"vda","op":"{op}",{latency},"bytes":{},"errors":1,"buckets":{}"#,
            4096 * values.len(),
            json!(buckets)
        ),
    )
}

/// Latencies of the interval of this number: 100 and some, from 10 µs to 50 ms.
fn latencies(interval: u64) -> Vec<u64> {
    (0..100 + interval).map(|i| 10_000 + (i * i * i * 7919 + interval * 104_729) % 50_000_000).collect()
}

fn near(reported: &Value, sorted: &[u64], quantile: f64) {
    let exact = sorted[(quantile * sorted.len() as f64).ceil() as usize - 1] as f64 / 1e3;
    let reported = reported.as_f64().expect("a number");
    assert!(
        (reported - exact).abs() <= exact * 0.032,
        "quantile {quantile}: reported {reported}, expected {exact}"
    );
}

#[test]
fn ten_seconds_are_the_sum_of_ten() {
    let streams = Streams::default();
    streams.write("a", (1..=10).map(|n| biolat(n as f64, "web1", "read", &latencies(n))).collect::<String>());
    streams.write(
        "b",
        (1..=10).map(|n| biolat(n as f64, "web2", "read", &latencies(n + 50))).collect::<String>(),
    );
    let window = |options: &str| parse(&streams.good(&format!("ebpfmux a b --window 10 {options}")));

    let per_host = window("");
    assert_eq!(per_host.len(), 2);
    let both = window("--by disk");
    assert_eq!((both.len(), both[0].get("host"), both[0].get("op")), (1, None, None));
    let values = |shift: u64| (1..=10).flat_map(move |n| latencies(n + shift));
    for (reported, mut values) in [
        (&per_host[0], values(0).collect::<Vec<_>>()),
        (&per_host[1], values(50).collect()),
        (&both[0], values(0).chain(values(50)).collect()),
    ] {
        values.sort_unstable();
        let count = values.len() as u64;
        assert_eq!((&reported["ts"], &reported["interval_s"]), (&json!(ts(10.0)), &json!(10.0)));
        assert_eq!((&reported["count"], &reported["bytes"]), (&json!(count), &json!(count * 4096)));
        assert_eq!((&reported["lost"], &reported["disk"]), (&json!(0), &json!("vda")));
        let mean = values.iter().sum::<u64>() as f64 / count as f64 / 1e3;
        assert!((reported["mean_us"].as_f64().expect("a number") - mean).abs() < 0.002, "{reported}");
        assert_eq!(reported["min_us"].as_f64(), Some(values[0] as f64 / 1e3));
        assert_eq!(reported["max_us"].as_f64(), Some(values[values.len() - 1] as f64 / 1e3));
        for (field, quantile) in [("p50_us", 0.5), ("p90_us", 0.9), ("p99_us", 0.99), ("p999_us", 0.999)] {
            near(&reported[field], &values, quantile);
        }
        let buckets: Vec<(f64, u64)> = serde_json::from_value(reported["buckets"].clone()).expect("buckets");
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), count);
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0), "one of each bound");
    }
    assert_eq!((&per_host[0]["errors"], &both[0]["errors"]), (&json!(10), &json!(20)));
    // Windows of windows are the same, except for means, which are rounded twice; a single record
    // is unchanged.
    let but_means = |line: &str| streams.good(&format!("{line} | jq -c 'del(.mean_us)'"));
    assert_eq!(
        but_means("ebpfmux a b --window 2 | ebpfmux --window 10"),
        but_means("ebpfmux a b --window 10")
    );
    assert_eq!(streams.good("ebpfmux a --window 1"), streams.good("cat a"));
    // Fields keep their order, for CSV and readers.
    let names = |line: &str| streams.good(&format!("{line} | head -1 | jq -c keys_unsorted"));
    assert_eq!(names("ebpfmux a --window 10"), names("cat a"));
}

#[test]
fn gauges_are_the_last_and_add_over_hosts() {
    let streams = Streams::default();
    let proclife = |host: &str, zombies: [u64; 3]| {
        let at = |n: usize| {
            record((n + 1) as f64, host, "proclife", &format!("\"forks\":1,\"zombies\":{}", zombies[n]))
        };
        (0..3).map(at).collect::<String>()
    };
    streams.write("a", proclife("web1", [5, 9, 2])).write("b", proclife("web2", [1, 1, 4]));
    let reported = |options: &str| {
        let select = "--select proclife.forks,proclife.zombies";
        streams.good(&format!("ebpfmux a b --window 60 {options} {select}"))
    };
    assert_eq!(reported(""), "{\"forks\":3,\"zombies\":2}\n{\"forks\":3,\"zombies\":4}\n");
    assert_eq!(reported("--by tool"), "{\"forks\":6,\"zombies\":6}\n");
    assert_eq!(streams.good("ebpfmux a --join=60 --select proclife.zombies"), "{\"proclife.zombies\":2}\n");
}

/// What a tool's programs occupy is on the first record of an interval, whatever its keys are: it is one level.
#[test]
fn what_programs_occupy_is_no_level_of_a_key() {
    let streams = Streams::default();
    let interval = |at: f64, host: &str, comms: [&str; 2], bytes: u64| {
        let levels = [format!("{bytes}"), "null".to_owned()];
        let one = |(comm, bytes): (&str, &String)| {
            record(at, host, "vfsstat", &format!("\"comm\":\"{comm}\",\"reads\":1,\"bpf_bytes\":{bytes}"))
        };
        comms.into_iter().zip(&levels).map(one).collect::<String>()
    };
    let host = |host: &str, bytes: [u64; 2]| {
        interval(1.0, host, ["sh", "dd"], bytes[0]) + &interval(2.0, host, ["dd", "sh"], bytes[1])
    };
    streams.write("a", host("web1", [4096, 8192])).write("b", host("web2", [100, 10]));
    let reported = |options: &str| {
        streams.good(&format!("ebpfmux a {options} --window 60 | jq -c '[.comm, .reads, .bpf_bytes]'"))
    };
    assert_eq!(reported(""), "[\"sh\",2,null]\n[\"dd\",2,8192]\n");
    assert_eq!(reported("--by tool"), "[null,4,8192]\n");
    assert_eq!(reported("b --by tool"), "[null,8,8202]\n");
}

/// Each kind as the made-up program `t` declares it, in two intervals and of two disks.
#[test]
fn each_field_becomes_one_as_it_is_declared() {
    let streams = Streams::default();
    let of = |at: f64, disk: &str, [n, bytes, zombies, count]: [u64; 4], [min, mean, max]: [f64; 3]| {
        let buckets = format!("[[102.4,{}],[1048.576,1]]", count - 1);
        record(
            at,
            "web",
            "t",
            &format!(
                r#""disk":"{disk}","n":{n},"bytes":{bytes},"zombies":{zombies},"share":0.1,"rest":1,"count":{count},"min_us":{min},"mean_us":{mean},"p99_us":1,"max_us":{max},"buckets":{buckets}"#
            ),
        )
    };
    streams.write(
        "a",
        of(1.0, "vda", [10, 4, 1000, 3], [7.0, 100.0, 950.0])
            + &of(1.0, "vdb", [1, 5, 30, 2], [5.0, 1.0, 9.0])
            + &of(2.0, "vda", [20, 6, 1000, 1], [8.0, 500.0, 1000.0]),
    );
    let reported = |options: &str| {
        let all =
            "disk, .n, .bytes, .zombies, .share, .rest, .count, .min_us, .mean_us, .p99_us, .max_us, .lost";
        streams.good(&format!("ebpfmux a --window 10 {options} | jq -c '[.{all}]'"))
    };
    // The 99th percentile of 4 values is the largest: from 1015.808 to 1048.576 us. That of a
    // single record is unchanged.
    let vda = r#"["vda",30,10,1000,0.666,20,4,7,200,1031.931,1000,0]"#;
    let vdb = r#"["vdb",1,5,30,0,0,2,5,1,1,9,0]"#;
    assert_eq!(reported(""), format!("{vda}\n{vdb}\n"));
    // Gauges of several keys are added, the other kinds as before.
    let both = "[null,31,15,1030,0.516,16,6,5,133.667,1031.931,1000,0]\n";
    assert_eq!(reported("--by tool"), both);
}

/// Undeclared fields are never summed, and are noted once.
#[test]
fn an_undeclared_field_is_not_summed() {
    let streams = Streams::default();
    let line = |at: f64| record(at, "web", "stranger", r#""level":1000,"pid":7,"note":"x""#);
    streams.write("a", line(1.0) + &line(2.0) + &line(3.0));
    let output = streams.shell("ebpfmux a --window 10 | jq -c '[.pid, .note, .level, .lost]'");
    assert_eq!((output.status, output.out.as_str()), (Some(0), "[7,\"x\",1000,0]\n"), "{}", output.err);
    assert_eq!(output.err.lines().count(), 1, "{}", output.err);
    assert!(output.err.contains("`level` of stranger") && output.err.contains("--schema"), "{}", output.err);
    let declared = r#"{"title":"stranger","properties":{"interval_s":{"x-kind":"interval"},"level":{"x-kind":"gauge"}}}"#;
    streams.write("s.json", declared).write("bad.json", declared.replace("gauge", "guage"));
    assert_eq!(streams.good("ebpfmux a --schema s.json --window 10 | jq .level"), "1000\n");
    for (file, names) in [("bad.json", "`level`: no such kind"), ("none.json", "cannot be read")] {
        let output = streams.shell(&format!("ebpfmux a --schema {file}"));
        assert_eq!((output.status, output.err.lines().count()), (Some(2), 1), "{file}: {}", output.err);
        assert!(output.err.contains(names) && output.err.contains(file), "{}", output.err);
    }
}

#[test]
fn ratios_come_from_the_counts() {
    let streams = Streams::default();
    let cachestat = |at: f64, reads: u64, misses: u64, hits: u64| {
        let ratio = if reads == 0 { "null".into() } else { (hits as f64 / reads as f64).to_string() };
        record(
            at,
            "web",
            "cachestat",
            &format!(
                r#""accesses":{reads},"hits":{hits},"misses":{misses},"hit_ratio":{ratio},"reads":{reads},"read_misses":{misses},"faults":0,"fault_misses":0"#
            ),
        )
    };
    // In the first second more is read ahead than is read: the tool reports no hits, and subtracts
    // the first use of those pages from the hits of the next second.
    streams.write("c", cachestat(1.0, 100, 400, 0) + &cachestat(2.0, 900, 0, 600));
    streams.write("i", cachestat(1.0, 0, 0, 0));
    let dcstat = |at: f64, references: u64, misses: u64| {
        record(
            at,
            "web",
            "dcstat",
            &format!(r#""references":{references},"slow":{misses},"misses":{misses},"hit_ratio":0.5"#),
        )
    };
    streams.write("d", dcstat(1.0, 3, 1) + &dcstat(2.0, 4, 1));
    let reported = |file: &str, fields: &str| {
        streams.good(&format!("ebpfmux {file} --window 10 --select {fields} | jq -c '[.[]]'"))
    };
    assert_eq!(reported("c", "accesses,hits,misses,hit_ratio"), "[1000,600,400,0.6]\n");
    assert_eq!(reported("i", "hits,hit_ratio"), "[0,null]\n");
    let windows = streams.good("ebpfmux c --window 1 --select hits,hit_ratio | jq -c '[.[]]'");
    assert_eq!(windows, "[0,0]\n[600,0.6666666666666666]\n", "hits add up in windows of any length");
    assert_eq!(reported("d", "hit_ratio"), "[0.714285]\n");
}

#[test]
fn idle_intervals_say_nothing_beside_busy_ones() {
    let streams = Streams::default();
    let idle = |at: f64| record(at, "web", "biolat", r#""disk":null,"op":null,"count":0,"p50_us":null"#);
    let busy = |at: f64| record(at, "web", "biolat", r#""disk":"vda","op":"read","count":2,"p50_us":7"#);
    streams.write("a", idle(1.0).replace("\"lost\":0", "\"lost\":3") + &busy(2.0) + &idle(3.0));
    streams.write("b", idle(1.0) + &idle(2.0));
    // A single percentile is unchanged.
    assert_eq!(
        streams.good("ebpfmux a --window 10 | jq -c '[.interval_s, .disk, .count, .p50_us, .lost]'"),
        "[3,\"vda\",2,7,3]\n"
    );
    assert_eq!(
        streams.good("ebpfmux b --window 10 | jq -c '[.disk, .count, .p50_us, .lost]'"),
        "[null,0,null,0]\n"
    );
    let without = streams.shell("(cat a; ebpfmux a | sed s/06:00/06:01/) | ebpfmux --window 600");
    assert!(without.err.contains("--buckets") && without.err.lines().count() == 1, "{}", without.err);
    assert!(without.out.contains("\"p50_us\":null"), "{}", without.out);
}

#[test]
fn windows_join_and_close_when_nothing_comes() {
    let streams = Streams::default();
    streams.write(
        "a",
        (1..=20).map(|n| record(f64::from(n), "web", "t", &format!("\"n\":{n}"))).collect::<String>(),
    );
    assert_eq!(
        streams.good("ebpfmux a --window 10 --join --select interval_s,t.n"),
        "{\"interval_s\":10.0,\"t.n\":55}\n{\"interval_s\":10.0,\"t.n\":155}\n"
    );
    // The window of a live stream that becomes silent is closed by the clock.
    let silent = "(head -3 a; sleep 2) | timeout --preserve-status -s INT 1.5 ebpfmux --window 0.5 --wait 0.2 --select n | head -3";
    assert_eq!(streams.good(silent), "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
}

#[test]
fn what_has_no_window_is_refused() {
    let streams = Streams::default();
    streams.write("a", record(1.0, "web", "t", r#""disk":"vda","n":1"#));
    for (arguments, names) in [
        ("--by disk a", "--window"),
        ("--window 0 a", "at least 0.001"),
        ("--window 10 --by dsik a", "no record had a `dsik`"),
        ("--window 10 --by n a", "`n` is a value"),
        ("--window 10 --by , a", "empty"),
        ("--window 10 <(sed 's/\"interval_s\":1.0,//' a)", "events have no windows"),
    ] {
        let output = streams.shell(&format!("ebpfmux {arguments}"));
        assert_eq!((output.status, output.err.lines().count()), (Some(2), 1), "{arguments}: {}", output.err);
        assert!(output.err.contains(names), "{arguments}: {}", output.err);
    }
}

/// Of mapstat: bounds in any unit, which stay as they are, and percentiles that are bounds.
#[test]
fn histograms_with_bounds_of_their_own_add_up() {
    let streams = Streams::default();
    let one = |at: f64, counts: [u64; 3], sum: f64| {
        let all: u64 = counts.iter().sum();
        let mean = sum / all as f64;
        let fields = format!(
            r#""config":"c","metric":"m","type":"histogram","device":"vda","count":{all},"sum":{sum},"mean":{mean},"p50":9,"p90":9,"p99":9,"p999":9,"buckets":[[1e-06,{}],[2e-06,{}],[0.5,{}]]"#,
            counts[0], counts[1], counts[2]
        );
        record(at, "h", "mapstat", &fields)
    };
    let counter = |at: f64, value: i64| {
        let fields = format!(r#""config":"c","metric":"n","type":"counter","function":"f","value":{value}"#);
        record(at, "h", "mapstat", &fields)
    };
    let lines =
        [one(1.0, [60, 0, 0], 0.00003), counter(1.0, 7), one(2.0, [0, 39, 1], 0.00007), counter(2.0, -2)];
    streams.write("a", lines.concat());
    let records = parse(&streams.good("ebpfmux a --window 10"));
    let of = |metric: &str| records.iter().find(|record| record["metric"] == metric).expect("a record");
    let histogram = of("m");
    assert_eq!(histogram["buckets"], json!([[1e-06, 60], [2e-06, 39], [0.5, 1]]));
    let names = ["count", "mean", "p50", "p90", "p99", "p999"];
    assert_eq!(
        names.map(|name| histogram[name].clone()),
        [json!(100), json!(1e-06), json!(1e-06), json!(2e-06), json!(2e-06), json!(0.5)]
    );
    assert_eq!((&of("n")["value"], records.len()), (&json!(5), 2));
}
