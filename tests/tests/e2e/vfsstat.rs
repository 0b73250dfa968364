//! vfsstat against known work (`tests/src/bin/filework.rs`): with every kind of hook, on a file
//! system and on an overlay on it.
#![allow(clippy::expect_used, reason = "tests")]

use std::process::Command;
use std::sync::LazyLock;

use jiff::Timestamp;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::kernel::{self, Allows};
use tests::overlay::Overlay;
use tests::paused_child::PausedChild;
use tests::records::sum;
use tests::tool::Tool;
use tests::{can_run, lock, programs};

/// The work of `filework`, which vfsstat must report: 23 renames there and back and a failing one,
/// and so on.
const EXPECTED: [(&str, u64); 21] = [
    ("reads", 4_099 + 17),
    ("read_bytes", (4_099 + 17) * 4_096),
    ("read_errors", 0),
    ("readvs", 17),
    ("writes", 2_053 + 13),
    ("write_bytes", 2_053 * 512 + 13 * 516),
    ("write_errors", 0),
    ("writevs", 13),
    ("opens", 101 + 401 + 37),
    ("open_errors", 37),
    ("creates", 101),
    ("unlinks", 101 + 3),
    ("unlink_errors", 3),
    ("mkdirs", 19 + 2),
    ("mkdir_errors", 2),
    ("rmdirs", 19 + 1),
    ("rmdir_errors", 1),
    ("renames", 2 * 23 + 1),
    ("rename_errors", 1),
    ("fsyncs", 211 + 5),
    ("fsync_errors", 0),
];

/// The maximum number of counters for one call: as a call, as a failed one, and by its bytes.
const A_CALL: u64 = 2 + 4_096;

/// Counts the work on a file system and on an overlay on it with this kind of hook; returns the
/// kind that all rungs have, if there is one.
fn counted_on_both(kind: &str) -> Option<String> {
    let _machine = lock::machine();
    let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
    let overlay = Overlay::new(scratch.path());
    let cgroup = Cgroup::new();
    let tool = Tool::start("vfsstat", &["-v", "--cgroup", cgroup.path(), "--attach", kind, "0.1"]);
    // Failing opens that would have created a file can only be seen at the entry of a function.
    let sees_create_errors = tool.rung("opens").starts_with("fentry:");
    let mut from = 0;
    for (place, directory) in [("a file system", scratch.path()), ("an overlay", overlay.path())] {
        PausedChild::start("filework", &[directory], &cgroup).finish();
        let end = tool.until_interval_after(Timestamp::now());
        let records = tool.seen(|records| records[from..end].to_vec());
        from = end;
        let reported = EXPECTED.map(|(field, _)| sum(&records, field));
        let expected = EXPECTED.map(|(_, number)| number);
        let comparison = Comparison::by("vfsstat", kind).part(format!("on {place}"));
        let comparison = comparison.fields(&EXPECTED.map(|(field, _)| field), &reported, &expected);
        comparison.lost(sum(&records, "lost")).each_of(A_CALL).equal();
        assert!(records.iter().all(|record| record["create_errors"].is_null() != sees_create_errors));
        assert!(records.iter().all(|record| record["synced_writes"].as_u64().unwrap_or(0) == 0));
    }
    let ended = tool.interrupt();
    let after = EXPECTED.map(|(field, _)| sum(&ended.records[from..], field));
    assert_eq!(after, [0; EXPECTED.len()], "--attach {kind}: events reported while the workload was idle");
    let rungs = ended.rungs();
    let mut kinds = rungs.values().filter_map(|rung| Some(rung.split_once(':')?.0.to_string()));
    let first = kinds.next()?;
    kinds.all(|kind| kind == first).then_some(first)
}

/// With the best rungs, once: the kind that all of them have, if there is one, is tested by this.
static BEST: LazyLock<Option<String>> = LazyLock::new(|| counted_on_both("auto"));

/// Counts the work with this kind of hook.
fn counted_by(kind: &str) {
    if can_run() && kernel::allows_or_refuses("vfsstat", kind) && BEST.as_deref() != Some(kind) {
        counted_on_both(kind);
    }
}

#[test]
fn known_work_is_counted_exactly_by_the_best_rungs() {
    if can_run() {
        LazyLock::force(&BEST);
    }
}

#[test]
fn known_work_is_counted_exactly_by_fentry() {
    counted_by("fentry");
}

#[test]
fn known_work_is_counted_exactly_by_kprobes() {
    counted_by("kprobe");
}

#[test]
fn known_work_is_counted_exactly_by_tracepoints_of_system_calls() {
    counted_by("tracepoint");
}

/// Other functions on the way of an fsync are inlined by some compilers, and pass more than fsyncs.
#[test]
fn fsyncs_are_counted_by_the_same_functions_on_each_kernel() {
    if kernel::of_guest().is_none() {
        return;
    }
    let fsyncs = kernel::takes("vfsstat", &["--attach", "auto"], "fsyncs");
    // Only on x86 do calls of 32-bit programs have functions of their own.
    let functions = if cfg!(target_arch = "aarch64") {
        "__arm64_sys_fsync+__arm64_sys_fdatasync"
    } else {
        "__x64_sys_fsync+__x64_sys_fdatasync+__ia32_sys_fsync+__ia32_sys_fdatasync"
    };
    assert_eq!(fsyncs, format!("fentry:{functions}"));
}

/// A kretprobe has room for few concurrent calls. Waiting calls use it up, and missed calls are
/// lost. The kernel reports them from Linux 6.7 on.
#[test]
fn what_probes_of_returns_miss_is_reported() {
    if !can_run() || kernel::allows("kprobe") != Allows::Yes || kernel::release() < (6, 7) {
        return;
    }
    let _machine = lock::machine();
    let tool = Tool::start("vfsstat", &["--attach", "kprobe", "0.1"]);
    let waiting: Vec<_> = (0..64)
        .map(|_| {
            let mut command = Command::new(programs::built("workload"));
            let command = command.args(["processes", "--wait"]);
            command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn()
        })
        .map(|child| child.expect("the workload starts"))
        .collect();
    tool.until("losses", |records| sum(records, "lost") > 0);
    for mut child in waiting {
        drop(child.stdin.take());
        child.wait().expect("it ends");
    }
    tool.interrupt();
}
