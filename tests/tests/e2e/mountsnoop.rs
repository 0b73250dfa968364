//! mountsnoop against a known number of calls (`tests/src/bin/workload/mounts.rs`): with every kind of hook, for programs
//! of both word sizes, and each call as an event.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;

use serde_json::Value;
use tests::caller_timing::{durations_off, pairs, reported_by};
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::kernel::{self, Allows};
use tests::records::{count, sum, with};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock, programs, timing};

const TIMES: u64 = 101;
const FAILS: u64 = 37;
const MOVES: u64 = 7;
const NAMESPACES: u64 = 17;
const WORK: [&str; 8] = ["--times", "101", "--fails", "37", "--moves", "7", "--namespaces", "17"];

/// Less of it, as events.
const EVENTS: [&str; 8] = ["--times", "11", "--fails", "7", "--moves", "3", "--namespaces", "5"];
const ENDED: u64 = 5;

/// For each call how often the work makes it, how often it fails, and what that attaches and detaches.
const EXPECTED: [(&str, [u64; 4]); 12] = [
    ("mount", [TIMES + 2 * FAILS + MOVES + NAMESPACES, 2 * FAILS, TIMES + MOVES + NAMESPACES, 0]),
    ("bind", [TIMES, 0, TIMES, 0]),
    ("remount", [TIMES, 0, 0, 0]),
    ("move", [2 * MOVES, 0, 0, 0]),
    ("propagation", [TIMES, 0, 0, 0]),
    ("umount", [4 * TIMES + 2 * FAILS + MOVES, 2 * FAILS, 0, 4 * TIMES + MOVES]),
    ("fsopen", [TIMES, 0, 0, 0]),
    ("fsmount", [TIMES, 0, 0, 0]),
    ("open_tree", [TIMES, 0, 0, 0]),
    ("move_mount", [2 * TIMES, 0, 2 * TIMES, 0]),
    ("fsconfig", [TIMES, 0, 0, 0]),
    ("pivot_root", [NAMESPACES, NAMESPACES, 0, 0]),
];
/// Calls that not all kernels have; of `open_tree` so many more.
const LATER: [(&str, &str, u64); 2] =
    [("mount_setattr", "mount_setattr", TIMES), ("open_tree_attr", "open_tree", MOVES)];
const FIELDS: [&str; 4] = ["count", "errors", "attached", "detached"];
/// The bound of rungs that cannot see calls of 32-bit programs.
const BLIND: &str = "only calls of 64-bit programs";
/// The hook, and in the workload's lines the function, of umount(2) without flags of 32-bit programs.
const OLD: &str = "oldumount";
/// ENOSYS: the kernel does not have the call.
const MISSING: u64 = 38;

/// Mounts of a guest's namespaces that are below the root of all processes: from 7.x on one, which is empty.
const MOST_HIDDEN: u64 = 1;

/// Entries of the kernel, by the workload's option.
const ENTRIES: [&[&str]; 2] = [&[], &["--ia32"]];

/// A workload that has ended: whether it made calls as a 32-bit program, and the lines that it printed.
struct Performed {
    ia32: bool,
    lines: Vec<Value>,
}

/// Runs the workload by each entry in a cgroup under mountsnoop; returns the tool, and what was performed where the kernel
/// has calls of 32-bit programs.
fn watched(options: &[&str], work: &[&str]) -> (Tool, Vec<Performed>) {
    let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
    let directory = scratch.path().to_str().expect("UTF-8");
    let cgroup = Cgroup::new();
    let tool = Tool::start("mountsnoop", &[&["--cgroup", cgroup.path(), "-q"], options].concat());
    let performed = ENTRIES.into_iter().filter_map(|entry| {
        let args = [&["mounts", "--directory", directory, "--join", cgroup.path()], work, entry].concat();
        let lines = Workload::run(&args);
        let there = lines.iter().all(|line| line["ia32"] != false);
        there.then_some(Performed { ia32: !entry.is_empty(), lines })
    });
    let performed = performed.collect();
    (tool, performed)
}

/// Whether the hooks see calls by this entry: all do, or none.
fn sees(kind: &str, ia32: bool) -> bool {
    let options = ["--attach", kind];
    let bound = kernel::bound("mountsnoop", &options, "mount").unwrap_or_default();
    let rung = kernel::takes("mountsnoop", &options, "mount");
    let sees = !ia32 || bound != BLIND;
    assert!(sees || rung.starts_with("tracepoint:"), "{rung}: {bound}");
    sees
}

/// The calls among the lines that this kernel has, in all or with this name.
fn calls(performed: &Performed) -> impl Iterator<Item = &Value> {
    performed.lines.iter().filter(|line| line["call"].is_string() && line["errno"] != MISSING)
}

/// Asserts that the workload did what it says it does: the known numbers are its own, too.
fn check_work(performed: &Performed) {
    let mut made: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
    for line in calls(performed) {
        let numbers = made.entry(line["call"].as_str().expect("a name")).or_default();
        let errors = u64::from(!line["errno"].is_null());
        for (sum, one) in
            numbers.iter_mut().zip([1, errors, count(line, "attached"), count(line, "detached")])
        {
            *sum += one;
        }
    }
    for (call, expected) in known() {
        assert_eq!(made.get(call), Some(&expected), "{call} of the workload");
    }
}

/// What is expected of each call on this kernel.
fn known() -> BTreeMap<&'static str, [u64; 4]> {
    let mut known: BTreeMap<&str, [u64; 4]> = EXPECTED.into_iter().collect();
    let hooks = kernel::hooks("mountsnoop", &[]);
    for (hook, call, times) in LATER {
        if hooks.contains_key(hook) {
            known.entry(call).or_default()[0] += times;
        }
    }
    known
}

/// Asserts that these records have exactly that work.
fn compare(kind: &str, performed: &[Performed], records: &[Value]) {
    performed.iter().for_each(check_work);
    let seen = performed.iter().filter(|performed| sees(kind, performed.ia32)).count() as u64;
    let hooks = kernel::hooks("mountsnoop", &["--attach", kind]);
    // The old call has its own hook, which tracepoints do not offer.
    let blind = performed.len() as u64 - seen;
    let old_umounts = if hooks.contains_key(OLD) { blind * MOVES } else { 0 };
    let mut comparison = Comparison::by("mountsnoop", kind).lost(sum(records, "lost"));
    for (call, once) in known() {
        let reported = FIELDS.map(|field| sum(with(records, "call", call), field));
        let names = FIELDS.map(|field| format!("{call} {field}"));
        let old = if call == "umount" { old_umounts } else { 0 };
        let expected = [seen * once[0] + old, seen * once[1], seen * once[2], seen * once[3] + old];
        comparison = comparison.fields(&names, &reported, &expected);
    }
    // Namespaces end without a call, so by whichever entry.
    let ended = with(records, "call", "ns_end");
    let hooked = hooks.contains_key("ns_end");
    let ends = if hooked { performed.len() as u64 * (NAMESPACES + 1) } else { 0 };
    comparison = comparison.field("ns_end count", sum(ended.iter().copied(), "count"), ends);
    // Each namespace also has what lies below the root of its processes: in all the same.
    let mounts: u64 = performed.iter().flat_map(ends_of).map(|end| count(end, "mounts")).sum();
    let detached = sum(ended, "detached");
    let hidden = detached.saturating_sub(mounts).checked_div(ends).unwrap_or(0);
    assert!(hidden <= MOST_HIDDEN || kernel::of_guest().is_none(), "{hidden} mounts are hidden");
    let expected = if hooked { mounts + hidden * ends } else { 0 };
    comparison = comparison.field("ns_end detached", detached, expected);
    // A lost failed call is missing from two fields, and so is one that attaches.
    comparison.each_of(2).equal();
}

/// The lines of the processes whose namespaces ended.
fn ends_of(performed: &Performed) -> impl Iterator<Item = &Value> {
    performed.lines.iter().filter(|line| line["mounts"].is_u64())
}

/// Counts the work with this kind of hook.
fn counted_by(kind: &str) {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    if !kernel::allows_or_refuses("mountsnoop", kind) {
        return;
    }
    let (tool, performed) = watched(&["--attach", kind, "0.1"], &WORK);
    tool.until_records(2);
    compare(kind, &performed, &tool.interrupt().records);
}

#[test]
fn known_calls_are_counted_exactly_by_the_best_rungs() {
    if !kernel::best_rungs_are_tested_by_kind("mountsnoop") {
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

/// The fields that an event and its call have in common.
const SAME: [&str; 10] =
    ["call", "source", "target", "fs", "flags", "options", "attached", "detached", "ret", "errno"];

/// Whether a performed call and an event are the same.
fn same(call: &Value, event: &Value) -> bool {
    SAME.iter().all(|field| call[field] == event[field])
}

/// An event for each call, with its fields, by this kind of hook; returns what is wrong with their durations.
fn events_are_the_calls(kind: &str) -> Vec<String> {
    let (tool, performed) = watched(&["--attach", kind, "--events"], &EVENTS);
    let (events, lost) = reported_by(tool);
    let mut wrong = Vec::new();
    for performed in &performed {
        let seen = sees(kind, performed.ia32);
        let old = kernel::hooks("mountsnoop", &["--attach", kind]).contains_key(OLD);
        let pids: Vec<u64> = ends_of(performed).map(|end| count(end, "pid")).collect();
        let own = |event: &&Value| pids.contains(&count(event, "pid"));
        let (ends, events): (Vec<&Value>, Vec<&Value>) =
            events.iter().filter(own).partition(|event| event["call"] == "ns_end");
        // The children, who are last, print theirs before their parent.
        let mut made: Vec<&Value> =
            calls(performed).filter(|line| seen || old && line["function"] == OLD).collect();
        if seen {
            made.rotate_left(2 * ENDED as usize);
        }
        let comparison =
            Comparison::by("mountsnoop", kind).part(format!("--events, ia32 {}", performed.ia32));
        comparison.field("events", events.len() as u64, made.len() as u64).lost(lost).equal();
        let paired = pairs(&made, &events, lost, same);
        assert!(paired.iter().all(|(_, event)| event["comm"] == "workload"));
        if seen {
            wrong.extend(durations_off(paired));
        }
        namespaces_end_with_their_mounts(kind, performed, &ends, &events, lost);
    }
    wrong
}

/// A namespace that ended had as many mounts as it had after the last call in it, and as its process saw.
fn namespaces_end_with_their_mounts(
    kind: &str,
    performed: &Performed,
    ends: &[&Value],
    events: &[&Value],
    lost: u64,
) {
    if !kernel::hooks("mountsnoop", &["--attach", kind]).contains_key("ns_end") {
        assert!(ends.is_empty(), "{ends:?}");
        return;
    }
    let comparison = Comparison::by("mountsnoop", kind).part("--events, namespaces");
    comparison.field("ends", ends.len() as u64, ENDED + 1).lost(lost).equal_within_lost();
    for end in ends {
        let of = |line: &&Value| line["mntns"] == end["mntns"];
        let child = ends_of(performed).find(of).expect("the namespace of a child");
        let (gone, visible) = (count(end, "detached"), count(child, "mounts"));
        let hidden = gone.checked_sub(visible).expect("no fewer than it saw");
        assert!(hidden <= MOST_HIDDEN || kernel::of_guest().is_none(), "{end} {child}");
        if let Some(last) = events.iter().copied().rfind(of) {
            assert_eq!(count(last, "mounts"), gone, "{last} {end}");
        }
    }
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
