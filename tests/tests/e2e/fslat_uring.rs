//! fslat against requests of io_uring whose numbers are known (`tests/src/bin/workload/uring.rs`): buffered and direct, tried
//! without waiting first, or left to io_uring's threads from the beginning.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;

use serde_json::Value;
use tests::caller_timing::reported_by;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::kernel::{self, Allows};
use tests::mounted::Mounted;
use tests::records::{count, sum};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock};

const FILE_SYSTEMS: [&str; 4] = ["ext4", "xfs", "btrfs", "tmpfs"];

/// EIOCBQUEUED: a direct request that is in progress.
const QUEUED: i64 = -529;

/// Per file or file system, and operation: how many, and how many of them failed.
type Counts = BTreeMap<(String, String), [u64; 2]>;

/// What was done on each file system: a line per file and kind of operation.
type Done = Vec<(&'static str, Vec<Value>)>;

/// Before Linux 5.12 io_uring's threads are the kernel's own: their work belongs to no process.
fn threads_are_the_programs() -> bool {
    kernel::release() >= (5, 12)
}

/// Does the work on each file system in a cgroup, under two fslats: what was done, and the tools. None if the kernel
/// has no io_uring.
fn watched(kind: &str, mounts: &[(&'static str, Mounted)]) -> Option<(Done, [Tool; 2])> {
    let cgroup = Cgroup::new();
    let mut workloads = Vec::new();
    for (fs, mounted) in mounts {
        let directory = mounted.path().canonicalize().expect("a path").join(kind);
        std::fs::create_dir(&directory).expect("a directory");
        let directory = directory.to_str().expect("UTF-8");
        let workload = Workload::start(&["uring", "--directory", directory, "--join", cgroup.path()]);
        let said = workload.line().expect("the workload says whether it can");
        if said != "ready" {
            assert!(kernel::of_guest().is_none(), "each guest's kernel has io_uring");
            return None;
        }
        workloads.push((*fs, workload));
    }
    let names = FILE_SYSTEMS.join(",");
    let always = ["--attach", kind, "-v", "--fs", &names];
    // One is told of by the files' paths: not every kernel's io_uring works in the program's cgroup.
    let tools = [&["--events"][..], &["--cgroup", cgroup.path(), "3600"]]
        .map(|more| Tool::start("fslat", &[&always[..], more].concat()));
    let done = workloads.into_iter().map(|(fs, workload)| (fs, workload.finish())).collect();
    Some((done, tools))
}

/// Sums over records, per what this field says and operation.
fn sums(records: &[Value], field: &str, numbers: impl Fn(&Value) -> [u64; 2]) -> Counts {
    let mut sums = Counts::new();
    for record in records {
        if let (Some(of), Some(op)) = (record[field].as_str(), record["op"].as_str()) {
            let sum = sums.entry((of.to_string(), op.to_string())).or_default();
            let [all, failed] = numbers(record);
            *sum = [sum[0] + all, sum[1] + failed];
        }
    }
    sums
}

/// Asserts that as many are reported as were done, and that none failed.
fn compare(kind: &str, part: &str, reported: &Counts, done: &Counts, lost: u64) {
    let mut comparison = Comparison::by("fslat", kind).part(part);
    for (key, expected) in done {
        let reported = reported.get(key).copied().unwrap_or_default();
        let names = ["count", "errors"].map(|field| format!("{} {} {field}", key.0, key.1));
        comparison = comparison.fields(&names, &reported, expected);
    }
    comparison.lost(lost).equal();
}

/// Counts whatever io_uring has to try until it is done, by this kind of hook.
fn counted_by(kind: &str) {
    if !can_run() || kernel::allows(kind) != Allows::Yes {
        return;
    }
    let _machine = lock::machine();
    let mounts = FILE_SYSTEMS.map(|fs| (fs, Mounted::new(fs)));
    let Some((done, [events, intervals])) = watched(kind, &mounts) else { return };
    let ended = intervals.interrupt();
    let rungs = ended.rungs();
    // System calls are not how io_uring works, and some kernels' tmpfs has no function for opens.
    let sees = |fs: &str, op: &str| {
        rungs.get(&format!("{fs} {op}")).is_some_and(|rung| !rung.starts_with("tracepoint:"))
    };
    assert_eq!(sees("ext4", "read"), kind != "tracepoint", "{rungs:?}");
    let (mut by_path, mut by_fs) = (Counts::new(), Counts::new());
    for (fs, lines) in &done {
        assert!(!lines.is_empty(), "{fs}: nothing was done");
        for line in lines {
            let [path, op] = ["path", "op"].map(|field| line[field].as_str().expect("text").to_string());
            let times = if sees(fs, &op) { count(line, "count") } else { 0 };
            by_fs.entry((fs.to_string(), op.clone())).or_default()[0] += times;
            by_path.insert((path, op), [times, 0]);
        }
    }
    let (told, lost) = reported_by(events);
    let one =
        |event: &Value| [1, u64::from(event["ret"].as_i64().is_some_and(|ret| ret < 0 && ret != QUEUED))];
    compare(kind, "--events", &sums(&told, "path", one), &by_path, lost);
    if threads_are_the_programs() {
        let numbers = |record: &Value| [count(record, "count"), count(record, "errors")];
        let told = sums(&ended.records, "fs", numbers);
        compare(kind, "per interval", &told, &by_fs, sum(&ended.records, "lost"));
    }
}

#[test]
fn each_request_counts_once_by_fentry() {
    counted_by("fentry");
}

#[test]
fn each_request_counts_once_by_kprobes() {
    counted_by("kprobe");
}

#[test]
fn each_request_counts_once_by_tracepoints() {
    counted_by("tracepoint");
}
