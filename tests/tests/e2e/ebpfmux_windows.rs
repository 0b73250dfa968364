//! `biolat 0.25 | ebpfmux --window 2` agrees with a concurrent `biolat 2` on a real disk.
#![allow(clippy::expect_used, reason = "tests")]

use jiff::Timestamp;
use serde_json::Value;
use tests::block_trace::Collector;
use tests::disk::Disk;
use tests::records::{of_disk, parse};
use tests::streams::Streams;
use tests::tool::Tool;
use tests::wait::until_moment;
use tests::wait::{For, until};
use tests::workload::Workload;
use tests::{can_run, lock};

/// Milliseconds of a window, and of the intervals that it combines.
const WINDOW: i64 = 2_000;
const SHORT: i64 = 250;
/// The maximum offset of the long intervals from the windows: they begin when the tool has
/// attached.
const OFF: i64 = 250;
/// Reads and writes in each window.
const WORK: [[u64; 2]; 3] = [[211, 53], [101, 0], [53, 37]];

/// The measurements.
struct WindowRecords {
    long: Vec<Value>,
    short: Vec<Value>,
    /// The end of the last window with work.
    last: i64,
    /// Reads and writes that no BPF program could observe: see `tests::tracer`.
    unobserved: [u64; 2],
}

/// Returns `None` if the machine was too slow to do the work well within the windows.
fn measured(disk: &Disk) -> Option<WindowRecords> {
    let collector = Collector::start(&disk.name);
    let mut workers = Vec::new();
    // Attaching takes much less time than the allowed offset.
    let first = (now() + 200).div_euclid(WINDOW) * WINDOW + WINDOW;
    until_moment(first - 30);
    let long = Tool::start("biolat", &["--buckets", "2"]);
    let short = Tool::start("biolat", &["--buckets", "0.25"]);
    for (window, [reads, writes]) in (0..).zip(WORK) {
        until_moment(first + window * WINDOW + SHORT + OFF);
        let (reads, writes) = (reads.to_string(), writes.to_string());
        let workload = Workload::start(&[
            "io",
            "--file",
            &disk.path(),
            "--reads",
            &reads,
            "--writes",
            &writes,
            "--bytes",
            "4096",
        ]);
        workers.push(workload.id());
        workload.finish();
        if now() > first + (window + 1) * WINDOW - SHORT - OFF {
            return None;
        }
    }
    let last = first + WORK.len() as i64 * WINDOW;
    until_moment(last + SHORT + OFF);
    let (long, short) = (long.interrupt().records, short.interrupt().records);
    let in_time =
        long.iter().map(end).filter(|end| *end < last + OFF).all(|end| (end - nearest(end)).abs() < OFF);
    let requests = collector.end();
    let unobserved = ["read", "write"].map(|op| {
        let of = requests.iter().filter(|request| request.unobserved && request.op == op);
        of.filter(|request| workers.iter().any(|id| request.is_made_by(*id))).count() as u64
    });
    in_time.then_some(WindowRecords { long, short, last, unobserved })
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// When a record's interval ended.
fn end(record: &Value) -> i64 {
    let ts: Timestamp = record["ts"].as_str().and_then(|ts| ts.parse().ok()).expect("a time");
    ts.as_millisecond()
}

/// The end of the window that is nearest.
fn nearest(end: i64) -> i64 {
    (end + WINDOW / 2).div_euclid(WINDOW) * WINDOW
}

/// The number of the bucket of a latency: 16 in each power of two.
fn bucket(us: &Value) -> i64 {
    let ns = (us.as_f64().expect("a latency") * 1e3) as u64;
    let power = ns.ilog2();
    i64::from(power) * 16 + (ns >> power.saturating_sub(4)) as i64 - 16
}

/// The single record of a disk and operation in the window with this end.
fn of_window<'a>(records: &'a [Value], disk: &str, op: &str, ends: i64) -> Option<&'a Value> {
    let mut found = of_disk(records, disk, op).into_iter().filter(|record| nearest(end(record)) == ends);
    let one = found.next();
    assert!(found.next().is_none(), "one record of {disk} {op} at {ends}");
    one
}

#[test]
fn windows_of_a_real_disk_are_the_longer_intervals() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let disk = Disk::over_file(16);
    for attempt in 1.. {
        let measured = until(For::WorkloadEnd, "work far from the windows' ends", || measured(&disk));
        // Each tool reads the clock for each request: on a busy machine the two times may differ.
        match compare(measured, &disk) {
            Ok(()) => return,
            Err(why) if attempt == 5 => panic!("{why}"),
            Err(_) => {}
        }
    }
}

/// Counts must agree, except for unobserved requests; times that do not agree are returned.
fn compare(measured: WindowRecords, disk: &Disk) -> Result<(), String> {
    let WindowRecords { long, short, last, unobserved } = measured;
    let lines = |records: &[Value]| records.iter().map(|record| format!("{record}\n")).collect::<String>();
    let streams = Streams::default();
    streams
        .write("web1", lines(&short))
        .write("web2", lines(&short).replace("\"host\":\"", "\"host\":\"other-"));
    let window = |arguments: &str| parse(&streams.good(&format!("ebpfmux --window 2 {arguments}")));
    let (one, both, merged) = (window("web1"), window("web1 web2"), window("web1 web2 --by disk,op"));
    assert_eq!(both.len(), one.len() * 2, "each host for itself");
    let mut missing = [0; 2];
    for (number, work) in (1..).zip(WORK) {
        let ends = last - (WORK.len() as i64 - number) * WINDOW;
        for ((op, count), missing) in ["read", "write"].iter().zip(work).zip(&mut missing) {
            let of = |records: &[Value]| of_window(records, &disk.name, op, ends).cloned();
            let (Some(reported), Some(long)) = (of(&one), of(&long)) else {
                assert_eq!(count, 0, "{op} in window {number}");
                continue;
            };
            for field in ["count", "queue_count", "errors", "bytes", "lost"] {
                assert_eq!(reported[field], long[field], "{field}: {reported} {long}");
            }
            let seen = reported["count"].as_u64().expect("a count");
            assert!(
                seen <= count && reported["bytes"] == seen * 4096,
                "{op} in window {number}: {reported} of {count}"
            );
            *missing += count - seen;
            let sum = of(&merged).expect("both hosts together");
            for field in ["p50_us", "p90_us", "p99_us", "p999_us", "min_us", "max_us", "queue_p99_us"] {
                assert_eq!(reported[field], sum[field], "of twice the same: {field}");
            }
            assert_eq!(sum["count"].as_u64(), Some(2 * seen));
            // Not the time in the queue: it is so short that the other tool's programs are most of
            // it.
            for field in ["p50_us", "p90_us", "p99_us"] {
                if (bucket(&reported[field]) - bucket(&long[field])).abs() > 1 {
                    return Err(format!("{field}, {op} in window {number}: {reported} {long}"));
                }
            }
            let mean = |record: &Value| record["mean_us"].as_f64().expect("a mean");
            if (mean(&reported) - mean(&long)).abs() > mean(&long) / 16.0 {
                return Err(format!("mean_us, {op} in window {number}: {reported} {long}"));
            }
        }
    }
    assert!(
        missing == [0; 2] || missing == unobserved,
        "{missing:?} reads and writes missing, {unobserved:?} unobserved"
    );
    Ok(())
}
