//! `biolat 0.25 | ebpfmux --window 2` tells of a real disk what `biolat 2` tells, which runs beside it.
#![allow(clippy::expect_used, reason = "tests")]

use jiff::Timestamp;
use serde_json::Value;
use tests::block_trace::Collector;
use tests::disk::Disk;
use tests::mux::Streams;
use tests::records::{of_disk, parse};
use tests::tool::Tool;
use tests::wait::until_moment;
use tests::wait::{For, until};
use tests::workload::Workload;
use tests::{can_run, lock};

/// Milliseconds of a window, and of the intervals that it is made of.
const WINDOW: i64 = 2_000;
const SHORT: i64 = 250;
/// How far the long intervals may be off the windows: they begin when the tool has attached.
const OFF: i64 = 250;
/// Reads and writes in each window.
const WORK: [[u64; 2]; 3] = [[211, 53], [101, 0], [53, 37]];

/// What was measured.
struct WindowRecords {
    long: Vec<Value>,
    short: Vec<Value>,
    /// When the window ends that has the last of the work.
    last: i64,
    /// Reads and writes that no BPF program could observe: see `tests::tracer`.
    unobserved: [u64; 2],
}

/// `None` if the machine was too slow for the work to be done far from the windows' ends.
fn measured(disk: &Disk) -> Option<WindowRecords> {
    let collector = Collector::start(&disk.name);
    let mut workers = Vec::new();
    // What the tool takes to attach is well within what the intervals may be off.
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

/// The one record of a disk and operation in the window that ends then.
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
        // The clock is asked twice for each request, once by each tool: on a busy machine much may lie between.
        match compare(measured, &disk) {
            Ok(()) => return,
            Err(why) if attempt == 5 => panic!("{why}"),
            Err(_) => {}
        }
    }
}

/// Counts must agree, but for what was unobserved; times that do not are told.
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
            let (Some(told), Some(long)) = (of(&one), of(&long)) else {
                assert_eq!(count, 0, "{op} in window {number}");
                continue;
            };
            for field in ["count", "queue_count", "errors", "bytes", "lost"] {
                assert_eq!(told[field], long[field], "{field}: {told} {long}");
            }
            let seen = told["count"].as_u64().expect("a count");
            assert!(
                seen <= count && told["bytes"] == seen * 4096,
                "{op} in window {number}: {told} of {count}"
            );
            *missing += count - seen;
            let sum = of(&merged).expect("both hosts together");
            for field in ["p50_us", "p90_us", "p99_us", "p999_us", "min_us", "max_us", "queue_p99_us"] {
                assert_eq!(told[field], sum[field], "of twice the same: {field}");
            }
            assert_eq!(sum["count"].as_u64(), Some(2 * seen));
            // Not of the time in the queue: it is so short that it is mostly what the other tool's programs take.
            for field in ["p50_us", "p90_us", "p99_us"] {
                if (bucket(&told[field]) - bucket(&long[field])).abs() > 1 {
                    return Err(format!("{field}, {op} in window {number}: {told} {long}"));
                }
            }
            let mean = |record: &Value| record["mean_us"].as_f64().expect("a mean");
            if (mean(&told) - mean(&long)).abs() > mean(&long) / 16.0 {
                return Err(format!("mean_us, {op} in window {number}: {told} {long}"));
            }
        }
    }
    assert!(
        missing == [0; 2] || missing == unobserved,
        "{missing:?} reads and writes missing, {unobserved:?} unobserved"
    );
    Ok(())
}
