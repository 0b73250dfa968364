//! syncsnoop against a known number of calls (`tests/src/bin/workload/syncs.rs`): with every kind
//! of hook, for programs of both word sizes.
#![allow(clippy::expect_used, reason = "tests")]

use std::path::Path;

use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::kernel;
use tests::records::{sum, with};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock, programs};

/// Threads that make them at once. A kretprobe on 5.10 has room for one call per possible
/// processor, of which each guest has eight, and a caller that waits for a record uses one.
fn threads(kind: &str) -> &'static str {
    if kind == "kprobe" { "2" } else { "5" }
}

/// For each call the number that the workload makes, and how many of them fail.
const EXPECTED: [(&str, [u64; 2]); 6] = [
    ("sync", [17, 0]),
    ("syncfs", [29 + 3, 3]),
    ("fsync", [211 + 7, 7]),
    ("fdatasync", [103 + 5, 5]),
    ("msync", [41 + 5 + 2, 5 + 2]),
    ("sync_file_range", [53 + 3, 3]),
];

/// The bound of rungs that cannot see calls of 32-bit programs.
const BLIND: [&str; 2] = ["only calls of 64-bit programs", "no calls of 32-bit programs on x86"];

/// Runs the workload in a directory and a cgroup under syncsnoop; returns the records, and the
/// calls that the workload printed.
fn watched(directory: &Path, kind: &str, workload: &[&str]) -> (Vec<Value>, Vec<Value>) {
    let cgroup = Cgroup::new();
    let tool = Tool::start("syncsnoop", &["--cgroup", cgroup.path(), "--attach", kind, "0.1"]);
    let directory = directory.to_str().expect("UTF-8");
    let args = ["syncs", "--directory", directory, "--threads", threads(kind), "--cgroup", cgroup.path()];
    let performed = Workload::run(&[&args, workload].concat());
    tool.until_records(2);
    (tool.interrupt().records, performed)
}

/// Asserts that the records have these counts and errors of each call.
fn compare(kind: &str, what: &str, records: &[Value], expected: [(&str, [u64; 2]); 6]) {
    let mut comparison = Comparison::by("syncsnoop", kind).part(what).lost(sum(records, "lost"));
    for (call, expected) in expected {
        let reported = ["count", "errors"].map(|field| sum(with(records, "call", call), field));
        let names = ["count", "errors"].map(|field| format!("{call} {field}"));
        comparison = comparison.fields(&names, &reported, &expected);
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
    let options = ["--attach", kind];
    if !kernel::allows_or_refuses("syncsnoop", kind) {
        return;
    }
    let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
    let (records, _) = watched(scratch.path(), kind, &[]);
    compare(kind, "64-bit", &records, EXPECTED);

    let (records, performed) = watched(scratch.path(), kind, &["--ia32"]);
    if performed.iter().any(|line| line["ia32"] == false) {
        return;
    }
    // Either all are counted, or the rung's bound says that they are not.
    let expected = EXPECTED.map(|(call, numbers)| {
        let bound = kernel::bound("syncsnoop", &options, call).unwrap_or_default();
        let sees = !BLIND.iter().any(|blind| bound.contains(blind));
        assert!(sees || !kernel::takes("syncsnoop", &options, call).starts_with("fentry:"), "{bound}");
        (call, if sees { numbers } else { [0; 2] })
    });
    compare(kind, "32-bit", &records, expected);
}

#[test]
fn known_calls_are_counted_exactly_by_the_best_rungs() {
    if !kernel::best_rungs_are_tested_by_kind("syncsnoop") {
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
