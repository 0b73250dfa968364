//! fslat --events: a record for each operation, with the right particulars, and the intervals' figures beside it.
#![allow(clippy::expect_used, reason = "tests")]

use serde_json::Value;
use tests::caller_timing::{
    Reported, by_thread, durations_off, interval_off, pairs, reported_by, slow_ones_off, stopped,
};
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::mounted::Mounted;
use tests::records::{count, with};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock, timing};

const OPS: [&str; 4] = ["read", "write", "open", "sync"];
/// Of the threads' calls some wait for a processor, too.
const THREADS: &str = "5";

/// Runs the workload on a file system of its own, in a cgroup under several fslats: its process, what it said, and what
/// each told.
fn watched(options: &[&[&str]], threads: &str) -> (u32, Vec<Value>, Vec<Reported>) {
    let mounted = Mounted::new("ext4");
    let directory = mounted.path().canonicalize().expect("a path");
    let cgroup = Cgroup::new();
    let always = ["-v", "--fs", "ext4", "--cgroup", cgroup.path()];
    let tools: Vec<Tool> =
        options.iter().map(|more| Tool::start("fslat", &[&always, *more].concat())).collect();
    // Not by system calls: there is no file that would tell the file system.
    let sees_failing_opens = !tools[0].rung("ext4 open").starts_with("tracepoint:");
    let directory = directory.to_str().expect("UTF-8");
    // Slow enough for the reader of the events, wherever it runs.
    let how = ["--threads", threads, "--join", cgroup.path(), "--pause"];
    let workload = Workload::start(&[&["files", "--directory", directory][..], &how].concat());
    let (pid, said) = (workload.id(), workload.finish());
    // That is told of nfs only.
    let seen = |said: &Value| said["op"] != "getattr" && (!fails_to_open(said) || sees_failing_opens);
    (
        pid,
        said.into_iter().filter(seen).collect(),
        tools.into_iter().map(|tool| reported_by("fslat", tool)).collect(),
    )
}

/// What an interval counts of an operation.
const FIELDS: [&str; 2] = ["count", "errors"];

/// As many events as operations.
fn all_are_told(events: &[Value], said: &[Value], lost: u64) {
    let comparison = Comparison::of("fslat", &["--fs", "ext4"]).part("--events");
    comparison.field("events", events.len() as u64, said.len() as u64).lost(lost).equal();
}

fn fails_to_open(said: &Value) -> bool {
    said["op"] == "open" && said["ret"].as_i64() < Some(0)
}

/// Whether what a caller said and an event are of one operation.
fn same(said: &Value, told: &Value) -> bool {
    let (ret, found) = (said["ret"].as_i64(), told["ret"].as_i64());
    // The file system's own function opens no descriptor.
    let opened = said["op"] == "open" && ret >= Some(0) && found == Some(0);
    ["op", "path", "offset"].iter().all(|field| said[field] == told[field]) && (opened || ret == found)
}

#[test]
fn each_operation_is_told_as_its_caller_saw_it() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (pid, said, told) = watched(&[&["--events"]], THREADS);
    let (events, lost) = &told[0];
    all_are_told(events, &said, *lost);
    let times: Vec<&str> = events.iter().map(|event| event["ts"].as_str().expect("text")).collect();
    assert!(times.is_sorted(), "a record's time is before its predecessor's");
    let (said, told) = (by_thread(&said), by_thread(events));
    for (tid, told) in &told {
        for (_, told) in pairs(&said[tid], told, *lost, same) {
            assert_eq!((count(told, "pid"), &told["comm"]), (pid.into(), &Value::from("files")));
            let moved =
                matches!(told["op"].as_str(), Some("read" | "write")).then(|| told["ret"].as_u64()).flatten();
            assert_eq!((told["bytes"].as_u64(), &told["fs"]), (moved, &Value::from("ext4")), "{told}");
        }
    }
}

/// What `--min-us` is told.
const LEAST_US: f64 = 300.0;

#[test]
fn times_are_those_that_the_caller_and_the_events_tell() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    timing::agrees(times_off);
}

/// What is told wrong of times: in events beside the caller's clock, in intervals beside the events, and where only slow
/// operations are asked for.
fn times_off() -> Vec<String> {
    // What is compared with the events is told by a tool that was attached right before or after theirs: the programs of
    // one run between those of the others.
    let options: [&[&str]; 3] = [&["3600"], &["--events"], &["--events", "--min-us", "300"]];
    let (_, said, told) = watched(&options, "1");
    let [(intervals, lost_of_intervals), (events, lost), (slow, _)] = &told[..] else {
        panic!("three tools")
    };
    all_are_told(events, &said, *lost);
    let mut wrong = durations_off(pairs(
        &said.iter().collect::<Vec<_>>(),
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
        // A failed one is missing twice; of either of the two tools.
        comparison.lost(lost + lost_of_intervals).each_of(2).equal_within_lost();
        wrong.extend(interval_off(interval, &events, &with(&said, "op", op), stopped(), op));
    }
    wrong.extend(slow_ones_off(events, slow, LEAST_US));
    wrong
}
