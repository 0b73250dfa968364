//! vfsstat: what counts as a synchronous write, a new file or an fsync, and what does not; by every kind of hook.
#![allow(clippy::expect_used, reason = "tests")]

use jiff::Timestamp;
use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::kernel::{self, Allows};
use tests::records::{count, sum};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock, programs};

const KINDS: [&str; 3] = ["fentry", "kprobe", "tracepoint"];

/// The kinds of hook that this kernel allows.
fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.into_iter().filter(|kind| kernel::allows(kind) == Allows::Yes)
}

/// Runs a workload under vfsstat in a cgroup, which it joins by this option: the records, and what the workload said.
fn watched(kind: &str, workload: &[&str], join: &str) -> (Vec<Value>, Vec<Value>) {
    let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
    let cgroup = Cgroup::new();
    let tool = Tool::start("vfsstat", &["-q", "--cgroup", cgroup.path(), "--attach", kind, "0.1"]);
    let directory = scratch.path().to_str().expect("UTF-8");
    let said = Workload::run(&[workload, &["--directory", directory, join, cgroup.path()]].concat());
    tool.until_interval_after(Timestamp::now());
    (tool.interrupt().records, said)
}

/// Asserts that the records tell these numbers; null where none is expected.
fn compare(kind: &str, what: &str, records: &[Value], expected: &[(&str, Option<u64>)]) {
    let mut comparison = Comparison::by("vfsstat", kind).part(what);
    for (field, expected) in expected {
        let known = records.iter().filter(|record| !record[*field].is_null());
        match expected {
            Some(expected) => {
                let told = known.map(|record| count(record, field)).sum();
                comparison = comparison.field(field, told, *expected);
            }
            None => assert_eq!(known.count(), 0, "{kind}, {what}: {field} is not null"),
        }
    }
    comparison.lost(sum(records, "lost")).equal();
}

/// The write by which a workload joins its cgroup: it is in it when the call returns.
const JOIN: u64 = 1;

/// See `tests/src/bin/workload/synced.rs`.
const PLAIN: u64 = 11 + 2;
const SYNCED: u64 = 7 + 3 + 13 + 5 + 1;

#[test]
fn synchronous_writes_are_no_fsyncs() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for kind in kinds() {
        let (records, _) = watched(kind, &["synced"], "--join");
        let expected = [
            ("writes", Some(PLAIN + SYNCED + JOIN)),
            ("synced_writes", (kind == "fentry").then_some(SYNCED)),
            ("fsyncs", Some(0)),
            ("fsync_errors", Some(0)),
        ];
        compare(kind, "synchronous writes", &records, &expected);
    }
}

#[test]
fn a_file_without_a_name_is_created_too() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for kind in kinds() {
        let (records, _) = watched(kind, &["tmpfiles"], "--join");
        let sees_errors = kind == "fentry";
        let expected = [
            ("opens", Some(23 + 5)),
            ("open_errors", Some(5)),
            ("creates", Some(23 + if sees_errors { 5 } else { 0 })),
            ("create_errors", sees_errors.then_some(5)),
        ];
        compare(kind, "O_TMPFILE", &records, &expected);
    }
}

/// What `syncs` calls; see `tests/src/bin/workload/syncs.rs`.
const FSYNCS: u64 = 211 + 7 + 103 + 5;
const FAILED_FSYNCS: u64 = 7 + 5;

#[test]
fn fsyncs_of_32_bit_programs_count() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for kind in kinds() {
        let (records, said) = watched(kind, &["syncs", "--threads", "2", "--ia32"], "--cgroup");
        if said.iter().any(|line| line["ia32"] == false) {
            return;
        }
        // Tracepoints of system calls are those of 64-bit programs, as they say.
        let bound = kernel::bound("vfsstat", &["--attach", kind], "fsyncs").unwrap_or_default();
        let sees = kind != "tracepoint";
        assert_eq!(bound.contains("only calls of 64-bit programs"), !sees, "{bound}");
        let [all, failed] = if sees { [FSYNCS, FAILED_FSYNCS] } else { [0; 2] };
        let expected = [("fsyncs", Some(all)), ("fsync_errors", Some(failed))];
        compare(kind, "32-bit programs", &records, &expected);
    }
}

/// Requests of io_uring are no calls: `--help` says so.
#[test]
fn requests_of_io_uring_do_not_count() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for kind in kinds() {
        let (records, said) = watched(kind, &["uring"], "--join");
        if said.iter().any(|line| line["uring"] == false) {
            assert!(kernel::of_guest().is_none(), "each guest's kernel has io_uring");
            return;
        }
        let nothing = ["reads", "opens", "creates", "fsyncs"].map(|field| (field, Some(0)));
        // At its end it says what it did.
        let expected = [&nothing[..], &[("writes", Some(JOIN + 1))]].concat();
        compare(kind, "io_uring", &records, &expected);
    }
}
