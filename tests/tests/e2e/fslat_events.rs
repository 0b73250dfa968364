//! fslat --events: a record for each operation with the right fields, and agreement with the
//! intervals.
#![allow(clippy::expect_used, reason = "tests")]

use serde_json::Value;
use tests::caller_timing::{
    Reported, are_those_of, durations_off, interval_off, pairs, reported_by, slow_ones_off, stopped,
};
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::mounted::Mounted;
use tests::records::{count, with};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock, timing};

const OPS: [&str; 4] = ["read", "write", "open", "sync"];
/// Some of the threads' calls also wait for a processor.
const THREADS: &str = "5";

/// Runs the workload on a file system of its own, in a cgroup, under several fslats; returns its
/// process id, the operations that it printed, and what each tool reported.
fn watched(options: &[&[&str]], threads: &str) -> (u32, Vec<Value>, Vec<Reported>) {
    let mounted = Mounted::new("ext4");
    let directory = mounted.path().canonicalize().expect("a path");
    let cgroup = Cgroup::new();
    let always = ["-v", "--fs", "ext4", "--cgroup", cgroup.path()];
    let tools: Vec<Tool> =
        options.iter().map(|more| Tool::start("fslat", &[&always, *more].concat())).collect();
    // Not through system calls: failing opens have no file whose file system could be known.
    let sees_failing_opens = !tools[0].rung("ext4 open").starts_with("tracepoint:");
    let directory = directory.to_str().expect("UTF-8");
    // Slow enough for the reader of the events on any machine.
    let how = ["--threads", threads, "--join", cgroup.path(), "--pause"];
    let workload = Workload::start(&[&["files", "--directory", directory][..], &how].concat());
    let (pid, performed) = (workload.id(), workload.finish());
    // Only nfs reports it.
    let seen = |call: &Value| call["op"] != "getattr" && (!fails_to_open(call) || sees_failing_opens);
    (pid, performed.into_iter().filter(seen).collect(), tools.into_iter().map(reported_by).collect())
}

/// The counters of an operation in an interval.
const FIELDS: [&str; 2] = ["count", "errors"];

/// Asserts that there are as many events as operations.
fn all_are_reported(events: &[Value], performed: &[Value], lost: u64) {
    let comparison = Comparison::of("fslat", &["--fs", "ext4"]).part("--events");
    comparison.field("events", events.len() as u64, performed.len() as u64).lost(lost).equal();
}

fn fails_to_open(call: &Value) -> bool {
    call["op"] == "open" && call["ret"].as_i64() < Some(0)
}

/// Whether a performed operation and an event are the same.
fn same(call: &Value, reported: &Value) -> bool {
    let (ret, found) = (call["ret"].as_i64(), reported["ret"].as_i64());
    // The file system's function does not return the descriptor.
    let opened = call["op"] == "open" && ret >= Some(0) && found == Some(0);
    ["op", "path", "offset"].iter().all(|field| call[field] == reported[field]) && (opened || ret == found)
}

#[test]
fn each_operation_is_reported_as_its_caller_saw_it() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (pid, performed, reported) = watched(&[&["--events"]], THREADS);
    let (events, lost) = &reported[0];
    all_are_reported(events, &performed, *lost);
    for reported in are_those_of(pid, "files", &performed, events, *lost, same) {
        let moved = matches!(reported["op"].as_str(), Some("read" | "write"))
            .then(|| reported["ret"].as_u64())
            .flatten();
        assert_eq!(
            (reported["bytes"].as_u64(), &reported["fs"]),
            (moved, &Value::from("ext4")),
            "{reported}"
        );
    }
}

/// The value of `--min-us`.
const LEAST_US: f64 = 300.0;

#[test]
fn times_are_those_that_the_caller_and_the_events_tell() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    timing::agrees(times_off);
}

/// The errors in reported times: of events compared with the caller's clock, of intervals compared
/// with events, and of events with a minimum duration.
fn times_off() -> Vec<String> {
    // The tools compared with the events attached right before or after the tool of events, so that
    // the programs of each run between those of the others.
    let options: [&[&str]; 3] = [&["3600"], &["--events"], &["--min-us", "300"]];
    let (_, performed, reported) = watched(&options, "1");
    let [(intervals, lost_of_intervals), (events, lost), (slow, _)] = &reported[..] else {
        panic!("three tools")
    };
    all_are_reported(events, &performed, *lost);
    let mut wrong = durations_off(pairs(
        &performed.iter().collect::<Vec<_>>(),
        &events.iter().collect::<Vec<_>>(),
        *lost,
        same,
    ));
    for op in OPS {
        let events = with(events, "op", op);
        let found = with(intervals, "op", op);
        let [interval] = found[..] else { panic!("not one record of {op}: {intervals:?}") };
        let failed = events.iter().filter(|event| event["ret"].as_i64() < Some(0)).count();
        let seen = [events.len(), failed].map(|number| number as u64);
        let comparison = Comparison::of("fslat", &["--fs", "ext4"]).part(format!("{op} beside the events"));
        let comparison = comparison.fields(&FIELDS, &FIELDS.map(|field| count(interval, field)), &seen);
        // A lost failed operation is missing from two fields, in either tool.
        comparison.lost(lost + lost_of_intervals).each_of(2).equal_within_lost();
        wrong.extend(interval_off(interval, &events, &with(&performed, "op", op), stopped(), op));
    }
    wrong.extend(slow_ones_off(events, slow, LEAST_US));
    wrong
}
