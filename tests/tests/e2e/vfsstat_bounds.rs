//! vfsstat: what counts as a synchronous write, a new file or an fsync, and what does not; by every kind of hook.
#![allow(clippy::expect_used, reason = "tests")]

use jiff::Timestamp;
use serde_json::Value;
use tests::cgroup::{self, Cgroup};
use tests::comparison::Comparison;
use tests::kernel::{self, Allows};
use tests::records::{count, sum};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock, programs};

/// Fields and their sums; null where vfsstat says no number.
type Expected = Vec<(&'static str, Option<u64>)>;

/// A workload, in a cgroup of its own.
struct Part {
    what: &'static str,
    workload: &'static [&'static str],
    /// The workload's option for joining its cgroup.
    join: &'static str,
    /// What vfsstat must report, given the kind of hook.
    expected: fn(&str) -> Expected,
}

/// The write by which a workload joins its cgroup: it is in it when the call returns.
const JOIN: u64 = 1;

/// See `tests/src/bin/workload/synced.rs`.
const PLAIN: u64 = 11 + 2;
const SYNCED: u64 = 7 + 3 + 13 + 5 + 1;

/// What `syncs` calls; see `tests/src/bin/workload/syncs.rs`.
const FSYNCS: u64 = 211 + 7 + 103 + 5;
const FAILED_FSYNCS: u64 = 7 + 5;

const PARTS: [Part; 4] = [
    Part {
        what: "synchronous writes are no fsyncs",
        workload: &["synced"],
        join: "--join",
        expected: |kind| {
            vec![
                ("writes", Some(PLAIN + SYNCED + JOIN)),
                ("synced_writes", (kind == "fentry").then_some(SYNCED)),
                ("fsyncs", Some(0)),
                ("fsync_errors", Some(0)),
            ]
        },
    },
    Part {
        what: "a file without a name is created, too",
        workload: &["tmpfiles"],
        join: "--join",
        expected: |kind| {
            let sees_errors = kind == "fentry";
            vec![
                ("opens", Some(23 + 5)),
                ("open_errors", Some(5)),
                ("creates", Some(23 + if sees_errors { 5 } else { 0 })),
                ("create_errors", sees_errors.then_some(5)),
            ]
        },
    },
    Part {
        what: "fsyncs of 32-bit programs",
        workload: &["syncs", "--threads", "2", "--ia32"],
        join: "--cgroup",
        expected: |kind| {
            // Tracepoints of system calls are those of 64-bit programs, as `--check` says.
            let [all, failed] = if kind == "tracepoint" { [0; 2] } else { [FSYNCS, FAILED_FSYNCS] };
            vec![("fsyncs", Some(all)), ("fsync_errors", Some(failed))]
        },
    },
    // They are no calls: `--help` says so. At its end the workload writes what it did.
    Part {
        what: "requests of io_uring do not count",
        workload: &["uring"],
        join: "--join",
        expected: |_| {
            let nothing = ["reads", "opens", "creates", "fsyncs"].map(|field| (field, Some(0)));
            [&nothing[..], &[("writes", Some(JOIN + 1))]].concat()
        },
    },
];

/// Whether the kernel lets the workload do what it is for, by what it printed.
fn could_work(said: &[Value]) -> bool {
    let refused = |line: &Value| line["ia32"] == false || line["uring"] == false;
    let could = !said.iter().any(refused);
    assert!(could || kernel::of_guest().is_none(), "each guest's kernel has both");
    could
}

/// Asserts that the records of a part tell its numbers.
fn compare(kind: &str, part: &Part, records: &[&Value], lost: u64) {
    let mut comparison = Comparison::by("vfsstat", kind).part(part.what);
    for (field, expected) in (part.expected)(kind) {
        let known = records.iter().filter(|record| !record[field].is_null());
        match expected {
            Some(expected) => {
                let told = known.map(|record| count(record, field)).sum();
                comparison = comparison.field(field, told, expected);
            }
            None => assert_eq!(known.count(), 0, "{kind}, {}: {field} is not null", part.what),
        }
    }
    comparison.lost(lost).equal();
}

/// Counts all parts by this kind of hook, under one vfsstat.
fn counted_by(kind: &str) {
    if !can_run() || kernel::allows(kind) != Allows::Yes {
        return;
    }
    let _machine = lock::machine();
    let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
    let directory = scratch.path().to_str().expect("UTF-8");
    let all = Cgroup::new();
    let options = ["-q", "--cgroup", all.path(), "--by", "cgroup", "--attach", kind, "0.1"];
    let tool = Tool::start("vfsstat", &options);
    let done: Vec<_> = PARTS
        .into_iter()
        .map(|part| {
            let own = all.child();
            let words = [part.workload, &["--directory", directory, part.join, own.path()]].concat();
            let said = Workload::run(&words);
            (part, own, said)
        })
        .collect();
    tool.until_interval_after(Timestamp::now());
    let records = tool.interrupt().records;
    for (part, own, said) in &done {
        let name = cgroup::name(own.path());
        let of_part: Vec<_> = records.iter().filter(|record| record["cgroup"] == name.as_str()).collect();
        if could_work(said) {
            compare(kind, part, &of_part, sum(&records, "lost"));
        }
    }
    let bound = kernel::bound("vfsstat", &["--attach", kind], "fsyncs").unwrap_or_default();
    assert_eq!(bound.contains("only calls of 64-bit programs"), kind == "tracepoint", "{bound}");
}

#[test]
fn what_counts_by_fentry() {
    counted_by("fentry");
}

#[test]
fn what_counts_by_kprobes() {
    counted_by("kprobe");
}

#[test]
fn what_counts_by_tracepoints() {
    counted_by("tracepoint");
}
