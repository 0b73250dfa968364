//! `ebpfmux diff` over recordings of a real disk: one that dm-delay makes slower, and the same work again.
#![allow(clippy::expect_used, reason = "tests")]

use serde_json::Value;
use tests::disk::{Delayed, Disk};
use tests::records::parse;
use tests::streams::Streams;
use tests::tool::Tool;
use tests::{can_run, fio, lock};

/// What the disk is made slower by, in milliseconds.
const DELAY_MS: u32 = 2;

/// Reads for some seconds; returns biolat's records of them, and what a read took on average by fio, in microseconds.
fn recorded(disk: &Delayed, seconds: u32) -> (Vec<Value>, f64) {
    let tool = Tool::start("biolat", &["--buckets", "--by", "comm", "0.1"]);
    let runtime = format!("--runtime={seconds}");
    let how = ["--rw=randread", "--bs=4k", "--ioengine=psync", "--time_based", "--randseed=5", "--size=64M"];
    let job = fio::run(&disk.path(), &[&how[..], &[&runtime]].concat());
    (tool.interrupt().records, job["read"]["clat_ns"]["mean"].as_f64().expect("fio's mean") / 1e3)
}

/// As biolat wrote them.
fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// Deals the intervals of a recording to two: the same work at the same time, so that whatever else this machine does, from
/// second to second or minute to minute, is no difference between them.
fn dealt(records: &[Value]) -> [String; 2] {
    let mut dealt = [String::new(), String::new()];
    for (turn, interval) in records.chunk_by(|one, next| one["ts"] == next["ts"]).enumerate() {
        dealt[turn % 2] += &lines(interval);
    }
    dealt
}

fn figure(figures: &[Value], disk: &str, name: &str) -> Value {
    let is = |figure: &&Value| {
        figure["figure"] == name && figure["key"]["disk"] == disk && figure["key"]["op"] == "read"
    };
    figures.iter().find(is).unwrap_or_else(|| panic!("no {name} of {disk}: {figures:?}")).clone()
}

#[test]
fn a_disk_that_dm_delay_makes_slower_is_found_and_the_same_work_is_not() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    // Its times are a timer's, so that an emulated processor is the smaller part of them.
    let lower = Disk::slow();
    let streams = Streams::default();
    let disk = Delayed::over(&lower, 0);
    let (quick, quick_us) = recorded(&disk, 3);
    disk.delay(DELAY_MS);
    let (slow, slow_us) = recorded(&disk, 6);
    let [one, another] = dealt(&slow);
    streams.write("quick", lines(&quick)).write("slow", lines(&slow));
    streams.write("one", one).write("another", another);

    let diff = |files: &str| {
        let output =
            streams.shell(&format!("ebpfmux diff -q {files} --by disk,op -o json --fail-above +20%"));
        (output.status, parse(&output.out), output.err)
    };
    let (status, figures, said) = diff("quick slow");
    assert_eq!(status, Some(5), "{said}");
    for name in ["mean_us", "p50_us"] {
        let figure = figure(&figures, &disk.name, name);
        assert_eq!(figure["verdict"], "changed", "{figure}");
        let of = |field: &str| figure[field].as_f64().unwrap_or_else(|| panic!("{field}: {figure}"));
        let (before, after, change) = (of("before"), of("after"), of("change_percent"));
        // The kernel's timers are late rather than early; the disk's time is a part of what its user waits for.
        if name == "mean_us" {
            assert!(after - before >= f64::from(DELAY_MS) * 1e3, "{figure}");
            assert!(before <= quick_us && after <= slow_us, "fio: {quick_us} and {slow_us} us: {figure}");
        }
        assert!((change - (after / before - 1.0) * 100.0).abs() < 1e-6, "{figure}");
        // Where the processor stood still for long, nothing bounds the factor from above.
        let high = figure["high_percent"].as_f64().unwrap_or(f64::INFINITY);
        assert!(0.0 < of("low_percent") && of("low_percent") <= change && change <= high, "{figure}");
        assert!(of("bound_percent") <= 6.7, "{figure}");
    }
    let (_, figures, _) = diff("one another");
    for name in ["mean_us", "p50_us", "count"] {
        let figure = figure(&figures, &disk.name, name);
        assert_ne!(figure["verdict"], "changed", "{figure}");
    }
}
