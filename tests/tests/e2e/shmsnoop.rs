//! shmsnoop against a known number of calls (`tests/src/bin/workload/shm.rs`): with every kind of hook, by every way into
//! the kernel, and each call as an event.
#![allow(clippy::expect_used, reason = "tests")]

use serde_json::Value;
use tests::caller_timing::{durations_off, pairs, reported_by};
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::kernel::{self, Allows};
use tests::records::{count, sum};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock, timing};

const SIZE: u64 = 4_096;
const TIMES: u64 = 101;
const FAILS: u64 = 37;
const EXITS: u64 = 37;
const EXECS: u64 = 7;
const WORK: [&str; 8] = ["--times", "101", "--fails", "37", "--exits", "37", "--execs", "7"];

/// The calls of that work: for the children one segment more.
const CALLS: [(&str, u64); 8] = [
    ("gets", TIMES + FAILS + 1),
    ("get_errors", FAILS),
    ("attaches", 2 * TIMES + FAILS + 1),
    ("attach_errors", FAILS),
    ("detaches", 2 * TIMES + FAILS + 1),
    ("detach_errors", FAILS),
    ("controls", TIMES + FAILS + 1),
    ("control_errors", FAILS),
];
/// What it does to segments: the fields, and the hook of each.
const SEGMENTS: [(&str, u64, &str); 5] = [
    ("created", TIMES + 1, "created"),
    ("created_bytes", SIZE * (TIMES + 1), "created"),
    ("destroyed", TIMES + 1, "destroyed"),
    ("destroyed_bytes", SIZE * (TIMES + 1), "destroyed"),
    ("exit_detaches", EXITS + EXECS, "exit_detaches"),
];
/// The hook of each call.
const HOOKS: [&str; 4] = ["get", "attach", "detach", "control"];
/// The bound of rungs that cannot see calls of 32-bit programs.
const BLIND: [&str; 2] = ["only calls of 64-bit programs", "no calls of 32-bit programs"];

/// How programs enter the kernel: as 64-bit ones, as 32-bit ones, and those by ipc(2).
const ENTRIES: [&str; 3] = ["native", "ia32", "ipc"];

/// A workload that has ended: its entry, its process, and the calls that it printed.
type Performed = (&'static str, u32, Vec<Value>);

/// Runs the workload by each entry in a cgroup under shmsnoop; returns the tool, and what was performed where the kernel
/// has calls of 32-bit programs.
fn watched(options: &[&str]) -> (Tool, Vec<Performed>) {
    let cgroup = Cgroup::new();
    let tool = Tool::start("shmsnoop", &[&["--cgroup", cgroup.path(), "-q"], options].concat());
    let performed = ENTRIES.into_iter().filter_map(|entry| {
        let args = [&["shm", "--entry", entry, "--cgroup", cgroup.path()], &WORK[..]].concat();
        let workload = Workload::start(&args);
        let (pid, lines) = (workload.id(), workload.finish());
        lines.iter().all(|line| line["ia32"] != false).then_some((entry, pid, lines))
    });
    let performed = performed.collect();
    (tool, performed)
}

/// Whether a hook sees calls by this entry: by the best rungs it must see all.
fn sees(kind: &str, entry: &str, hook: &str) -> bool {
    let options = ["--attach", kind];
    let bound = kernel::bound("shmsnoop", &options, hook).unwrap_or_default();
    let sees = entry == "native" || !BLIND.iter().any(|blind| bound.contains(blind));
    let rung = kernel::takes("shmsnoop", &options, hook);
    assert!(sees || rung.starts_with("tracepoint:"), "{hook} by {rung}: {bound}");
    sees
}

/// Asserts that these records have exactly the work by these entries.
fn compare(kind: &str, entries: &[&str], records: &[Value]) {
    let mut comparison = Comparison::by("shmsnoop", kind).part(entries.join(", ")).lost(sum(records, "lost"));
    for (place, (field, once)) in CALLS.into_iter().enumerate() {
        let seen = entries.iter().filter(|entry| sees(kind, entry, HOOKS[place / 2])).count() as u64;
        comparison = comparison.field(field, sum(records, field), seen * once);
    }
    let taken = kernel::hooks("shmsnoop", &["--attach", kind]);
    for (field, once, hook) in SEGMENTS {
        if taken.contains_key(hook) {
            comparison = comparison.field(field, sum(records, field), entries.len() as u64 * once);
        } else {
            assert!(
                records.iter().all(|record| record[field].is_null()),
                "{field} without its hook: {records:?}"
            );
        }
    }
    // A lost failed call is missing from two fields.
    comparison.each_of(2).equal();
}

/// Counts the work with this kind of hook.
fn counted_by(kind: &str) {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    if !kernel::allows_or_refuses("shmsnoop", kind) {
        return;
    }
    let (tool, performed) = watched(&["--attach", kind, "0.1"]);
    tool.until_records(2);
    let entries: Vec<&str> = performed.iter().map(|(entry, ..)| *entry).collect();
    compare(kind, &entries, &tool.interrupt().records);
}

#[test]
fn known_calls_are_counted_exactly_by_the_best_rungs() {
    if !kernel::best_rungs_are_tested_by_kind("shmsnoop") {
        counted_by("auto");
    }
}

#[test]
fn known_calls_are_counted_exactly_by_fentry() {
    counted_by("fentry");
}

#[test]
fn known_calls_are_counted_exactly_by_kprobes() {
    counted_by("kprobe");
}

#[test]
fn known_calls_are_counted_exactly_by_tracepoints_of_system_calls() {
    counted_by("tracepoint");
}

/// Segments that are left for a while.
const LEFT: u64 = 53;

/// The number of segments and their bytes, as the kernel lists them for this process.
fn listed() -> [u64; 2] {
    let list = std::fs::read_to_string("/proc/sysvipc/shm").expect("the kernel has System V shared memory");
    let size = |line: &str| line.split_whitespace().nth(3).and_then(|size| size.parse().ok());
    let sizes: Vec<u64> = list.lines().skip(1).filter_map(size).collect();
    [sizes.len() as u64, sizes.iter().sum()]
}

#[test]
fn segments_that_exist_are_told_at_the_end_of_an_interval() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let before = listed();
    let mut workload = Workload::start(&["shm", "--leave", "53", "--hold"]);
    workload.until_says("held");
    let tool = Tool::start("shmsnoop", &["-q", "0.1"]);
    tool.until_records(1);
    let there = tool.interrupt().records;
    workload.finish();
    let tool = Tool::start("shmsnoop", &["-q", "0.1"]);
    tool.until_records(1);
    let gone = tool.interrupt().records;
    let told = |records: &[Value]| ["segments", "segment_bytes"].map(|field| count(&records[0], field));
    assert_eq!(told(&there), [before[0] + LEFT, before[1] + LEFT * SIZE]);
    assert_eq!(told(&gone), before);
    let tool = Tool::start("shmsnoop", &["-q", "--by", "comm", "0.1"]);
    tool.until_records(1);
    let by_comm = tool.interrupt().records;
    assert!(by_comm.iter().all(|record| record["segments"].is_null() && record["segment_bytes"].is_null()));
}

/// The fields that an event and its call have in common.
const SAME: [&str; 9] = ["call", "key", "shmid", "size_bytes", "addr", "flags", "cmd", "ret", "errno"];

/// Whether a performed call and an event are the same. What a failed attach was given is 0, as the workload's line has it.
fn same(call: &Value, event: &Value) -> bool {
    SAME.iter().all(|field| call[field] == event[field])
}

/// An event for each call, with its fields, by this kind of hook; returns what is wrong with their durations.
fn events_are_the_calls(kind: &str) -> Vec<String> {
    let (tool, performed) = watched(&["--attach", kind, "--events"]);
    let (events, lost) = reported_by(tool);
    let mut wrong = Vec::new();
    for (entry, pid, performed) in &performed {
        let seen = HOOKS.iter().all(|hook| sees(kind, entry, hook));
        let performed: Vec<&Value> = performed.iter().filter(|_| seen).collect();
        let events: Vec<&Value> = events.iter().filter(|event| event["pid"] == *pid).collect();
        let comparison = Comparison::by("shmsnoop", kind).part(format!("--events, {entry}"));
        comparison.field("events", events.len() as u64, performed.len() as u64).lost(lost).equal();
        let paired = pairs(&performed, &events, lost, same);
        assert!(paired.iter().all(|(_, event)| event["comm"] == "workload"));
        if seen {
            wrong.extend(durations_off(paired));
        }
    }
    wrong
}

#[test]
fn each_call_is_reported_as_its_caller_saw_it() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for kind in ["fentry", "kprobe", "tracepoint"] {
        if kernel::allows(kind) == Allows::Yes {
            timing::agrees(|| events_are_the_calls(kind));
        }
    }
}
