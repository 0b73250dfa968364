//! fdstat against known numbers of descriptors, made and given up in each way (`tests/src/bin/workload/fds.rs`).
#![allow(clippy::expect_used, reason = "tests")]

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use tests::cgroup::{self, Cgroup};
use tests::comparison::Comparison;
use tests::kernel::{self, Allows};
use tests::records::{count, sum};
use tests::tool::Tool;
use tests::wait::{For, until_or};
use tests::workload::Workload;
use tests::{can_run, lock, programs};

/// The counts of a part, in this order.
const FIELDS: [&str; 6] = ["opens", "open_errors", "created", "closes", "close_errors", "dropped"];
/// The places of those that only functions tell.
const CREATED: usize = 2;
const DROPPED: usize = 5;

/// A way to make and give up descriptors, and what it counts, but for the workload's own beginning and end.
struct Part {
    what: &'static str,
    counts: [u64; 6],
    /// Whether tracepoints of system calls see it.
    by_calls: bool,
    /// How often all that the workload had from the beginning is dropped: at its exit, and at that of each child.
    exits: u64,
}

impl Part {
    const fn new(what: &'static str, counts: [u64; 6]) -> Self {
        Self { what, counts, by_calls: true, exits: 1 }
    }

    const fn unseen_by_calls(self) -> Self {
        Self { by_calls: false, ..self }
    }
}

/// What the workload does in its cgroup before its work: it closes the file by which it joined.
const JOIN: u64 = 1;
/// The opens and closes by io_uring that fail.
const URING: [u64; 2] = [5, 7];

const PARTS: [Part; 12] = [
    Part::new("opened", [401, 0, 401, 401, 0, 0]),
    Part::new("left", [101, 0, 101, 0, 0, 101]),
    Part::new("failing", [148, 148, 0, 0, 0, 0]),
    Part::new("sockets", [0, 0, 401, 401, 0, 0]),
    Part::new("copies", [0, 0, 0, 0, 0, 401 + 1]),
    Part::new("range", [0, 0, 101, 0, 0, 101]),
    Part::new("received", [0, 0, 2 + 101, 0, 0, 2 + 101]),
    Part::new("bad", [0, 0, 0, 37, 37, 0]),
    Part { exits: 102, ..Part::new("children", [4, 0, 4, 0, 0, 102 * 4]) },
    Part::new("handles", [101, 0, 101, 101, 0, 0]),
    Part::new("ia32", [101, 0, 101, 101, 0, 0]).unseen_by_calls(),
    Part::new("uring", [101 + URING[0], URING[0], 101, 101 + URING[1], URING[1], 0]).unseen_by_calls(),
];

/// Compares the records of a part with what it did. `had`: the descriptors that the workload had from the beginning.
fn compare(kind: &str, part: &Part, had: u64, records: &[&Value], lost: u64) {
    let functions = ["fentry", "kprobe"].into_iter().any(|kind| kernel::allows(kind) == Allows::Yes);
    let calls_only = kernel::takes("fdstat", &["--attach", kind], "closes").starts_with("tracepoint:");
    let mut expected = if part.by_calls || !calls_only { part.counts } else { [0; 6] };
    // These have hooks of their own, which may be functions beside calls.
    expected[CREATED] = part.counts[CREATED];
    if part.what == "uring" && functions {
        expected[..CREATED].copy_from_slice(&part.counts[..CREATED]);
    }
    expected[3] += JOIN;
    expected[DROPPED] += had * part.exits;
    // io_uring's own function is inlined there, as the bound of that rung says.
    let bound = kernel::bound("fdstat", &["--attach", kind], "closes").unwrap_or_default();
    if part.what == "uring" && bound.contains("that are not open") {
        expected[3] -= URING[1];
        expected[4] -= URING[1];
    }
    let mut comparison = Comparison::by("fdstat", kind).part(part.what);
    for (field, expected) in FIELDS.into_iter().zip(expected) {
        // Without functions to watch, what only they tell is null.
        let unknown = calls_only && (field == FIELDS[DROPPED] || field == FIELDS[CREATED] && !functions);
        if unknown {
            assert!(records.iter().all(|record| record[field].is_null()), "{field}: {records:?}");
        } else {
            comparison = comparison.field(field, sum(records.iter().copied(), field), expected);
        }
    }
    comparison.lost(lost).equal();
}

/// Whether the kernel lets the workload do what it is for, by what it printed.
fn could_work(said: &[Value]) -> bool {
    let cannot = |what: &str| said.iter().any(|line| line[what] == false);
    // Only x86 runs programs of x86's 32 bits.
    for (what, has) in [("uring", true), ("ia32", cfg!(target_arch = "x86_64"))] {
        assert!(!(cannot(what) && has && kernel::of_guest().is_some()), "each guest's kernel has {what}");
    }
    !cannot("ia32") && !cannot("uring")
}

/// Counts all parts by this kind of hook, under one fdstat.
fn counted_by(kind: &str) {
    if !can_run() || !kernel::allows_or_refuses("fdstat", kind) {
        return;
    }
    let _machine = lock::machine();
    let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
    let directory = scratch.path().to_str().expect("UTF-8");
    let all = Cgroup::new();
    let options = ["-q", "--cgroup", all.path(), "--by", "cgroup", "--attach", kind, "0.1"];
    let tool = Tool::start("fdstat", &options);
    let done: Vec<_> = PARTS
        .iter()
        .map(|part| {
            let own = all.child();
            let work = ["fds", "--do", part.what, "--directory", directory, "--join", own.path()];
            let said = Workload::run(&work);
            (part, own, said)
        })
        .collect();
    // What exec closes, and no more: the program that is executed opens and closes some files itself.
    let executed = all.child();
    let said = Workload::run(&["fds", "--do", "exec", "--directory", directory, "--join", executed.path()]);
    tool.until_interval_after(Timestamp::now());
    let records = tool.interrupt().records;
    let lost = sum(&records, "lost");
    let of = |own: &Cgroup| -> Vec<&Value> {
        let name = cgroup::name(own.path());
        records.iter().filter(|record| record["cgroup"] == name.as_str()).collect()
    };
    for (part, own, said) in &done {
        if could_work(said) {
            compare(kind, part, count(&said[0], "had"), &of(own), lost);
        }
    }
    let of_executed = of(&executed);
    if of_executed.iter().all(|record| !record["dropped"].is_null()) {
        let dropped = sum(of_executed, "dropped");
        let comparison = Comparison::by("fdstat", kind).part("exec").lost(lost);
        comparison.field("dropped", dropped, 17 + count(&said[0], "had")).equal();
    }
}

#[test]
fn known_numbers_are_counted_exactly_by_the_best_rungs() {
    counted_by("auto");
}

#[test]
fn known_numbers_are_counted_exactly_by_kprobes() {
    counted_by("kprobe");
}

#[test]
fn known_numbers_are_counted_exactly_by_tracepoints_of_system_calls() {
    counted_by("tracepoint");
}

/// The function that close(2) calls is chosen by what it sees: another can be attached to on each kernel.
#[test]
fn closes_are_seen_by_the_function_that_close_calls() {
    if kernel::of_guest().is_none() {
        return;
    }
    let since_then = kernel::release() >= (6, 8);
    let io_uring = if kernel::release() < (5, 15) { "__close_fd_get_file" } else { "io_close" };
    let functions = if since_then { "file_close_fd+filp_flush" } else { "close_fd+filp_close" };
    for kind in ["fentry", "kprobe"] {
        let closes = kernel::takes("fdstat", &["--attach", kind], "closes");
        assert_eq!(closes, format!("{kind}:{functions}+{io_uring}"));
    }
}

/// The last gauge of the records.
fn fds(records: &[Value]) -> Option<u64> {
    records.last().map(|record| count(record, "fds"))
}

#[test]
fn the_open_descriptors_are_those_that_proc_shows() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
    let directory = scratch.path().to_str().expect("UTF-8");
    let cgroup = Cgroup::new();
    let tool = Tool::start("fdstat", &["-q", "--cgroup", cgroup.path(), "0.1"]);
    let mut holder =
        Workload::start(&["fds", "--do", "hold", "--directory", directory, "--join", cgroup.path()]);
    let shown = format!("/proc/{}/fd", holder.id());
    let held = |wanted: usize| {
        assert_eq!(std::fs::read_dir(&shown).expect("/proc").count(), wanted);
        let end = tool.until_interval_after(Timestamp::now());
        assert_eq!(tool.seen(|records| fds(&records[..end])), Some(wanted as u64));
    };
    assert!(holder.line().is_some_and(|line| line.contains("had")), "it says what it had");
    holder.until_says("held");
    held(469);
    // By process, the same, though another process shares them.
    let options = ["-q", "--cgroup", cgroup.path(), "--by", "process", "0.2", "1"];
    let by_process = Tool::start("fdstat", &options).wait().records;
    let [record] = &by_process[..] else { panic!("more than one table: {by_process:?}") };
    assert_eq!((&record["fds"], &record["pid"]), (&Value::from(469), &Value::from(holder.id())));
    holder.go_on();
    holder.until_says("held");
    held(469 + 211);
    holder.finish();
    let end = tool.until_interval_after(Timestamp::now());
    assert_eq!(tool.seen(|records| fds(&records[..end])), Some(0));
    tool.interrupt();
}

/// The descriptors of each process that /proc shows.
fn in_proc() -> BTreeMap<u64, u64> {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let ids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let open = |id: &u64| std::fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count) as u64;
    ids.map(|id| (id, open(&id))).filter(|(_, open)| *open > 0).collect()
}

/// On a machine where nothing else happens. Here another process may open a file just between the two, and this kernel
/// may hide process 1.
#[test]
fn the_open_descriptors_of_all_are_those_that_proc_shows() {
    if kernel::of_guest().is_none() || !can_run() {
        return;
    }
    let _machine = lock::machine();
    let tool = Tool::start("fdstat", &["-q", "--by", "process", "0.1"]);
    // Both take some while they look.
    let own = [u64::from(std::process::id()), u64::from(tool.pid())];
    let differences = RefCell::new(String::new());
    let agree = || {
        let before = in_proc();
        let end = tool.until_interval_after(Timestamp::now());
        let mut told: BTreeMap<u64, u64> = tool.seen(|records| {
            let of_interval = records[..end].iter().filter(|record| record["ts"] == records[end - 1]["ts"]);
            of_interval.map(|record| (count(record, "pid"), count(record, "fds"))).collect()
        });
        let mut shown = in_proc();
        if before != shown {
            return None;
        }
        own.iter().for_each(|id| {
            assert!(told.remove(id).is_some_and(|open| open > 0), "{id} is not in {told:?}");
            shown.remove(id);
        });
        *differences.borrow_mut() = format!("told {told:?}, shown {shown:?}");
        (told == shown).then_some(())
    };
    until_or(For::Record, "a record with what /proc shows", agree, || differences.borrow().clone());
    tool.interrupt();
}

/// How each failing open and close is told.
fn told(event: &Value) -> [Value; 5] {
    ["event", "path", "flags", "fd", "errno"].map(|field| event[field].clone())
}

/// Events of this kind of hook, of which only those that fail.
fn events_by(kind: &str) {
    if !can_run() || kernel::allows(kind) != Allows::Yes {
        return;
    }
    let _machine = lock::machine();
    let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
    let directory = scratch.path().canonicalize().expect("a path");
    let directory = directory.to_str().expect("UTF-8");
    let cgroup = Cgroup::new();
    let options = ["-q", "--cgroup", cgroup.path(), "--attach", kind, "--events"];
    let all = Tool::start("fdstat", &options);
    let failing = Tool::start("fdstat", &[&options[..], &["--errors"]].concat());
    let mut pids = Vec::new();
    for what in ["opened", "failing", "bad", "handles"] {
        let workload =
            Workload::start(&["fds", "--do", what, "--directory", directory, "--join", cgroup.path()]);
        pids.push(workload.id());
        workload.finish();
    }
    let file = format!("{directory}/file");
    let open = |flags: &str| ["open".into(), file.as_str().into(), flags.into(), Value::Null, Value::Null];
    let error = |path: Value, flags: &str, errno: i32| {
        ["open_error".into(), path, flags.into(), Value::Null, errno.into()]
    };
    let mut expected: Vec<(u32, [Value; 5], usize)> = vec![
        (pids[0], open("O_RDONLY"), 101),
        (pids[0], open("O_RDWR"), 100),
        (pids[1], error("/nowhere/at-all".into(), "O_RDONLY", libc::ENOENT), 37),
        (pids[1], error(Value::Null, "O_RDONLY", libc::EFAULT), 37),
        (pids[1], error(file.as_str().into(), "O_RDONLY|0x10000000000", libc::EINVAL), 37),
        (pids[1], error(file.as_str().into(), "O_RDONLY", libc::EMFILE), 37),
        (pids[3], ["open".into(), Value::Null, "O_RDONLY".into(), Value::Null, Value::Null], 101),
    ];
    if cfg!(target_arch = "x86_64") {
        expected.push((pids[0], open("O_WRONLY"), 100));
        expected.push((pids[0], open("O_WRONLY|O_CREAT|O_TRUNC"), 100));
    } else {
        expected.push((pids[0], open("O_WRONLY"), 200));
    }
    for index in 0..37 {
        let closed =
            ["close_error".into(), Value::Null, Value::Null, (700 + index).into(), libc::EBADF.into()];
        expected.push((pids[2], closed, 1));
    }
    for (tool, errors) in [(all, false), (failing, true)] {
        let wanted: Vec<_> = expected.iter().filter(|(_, event, _)| !errors || event[0] != "open").collect();
        let number: usize = wanted.iter().map(|(.., times)| times).sum();
        let (records, lost) = tests::caller_timing::reported_by(tool);
        let options = ["--events", "--attach", kind];
        let mut comparison = Comparison::of("fdstat", &options).part(if errors { "--errors" } else { "" });
        comparison = comparison.field("events", records.len() as u64, number as u64);
        for (pid, event, times) in wanted {
            let same = |record: &&Value| {
                let mut told = told(record);
                // Any descriptor, of an open.
                if told[0] == "open" && told[3].is_u64() {
                    told[3] = Value::Null;
                }
                record["pid"] == *pid && record["comm"] == "workload" && told == *event
            };
            let found = records.iter().filter(same).count() as u64;
            comparison = comparison.field(format!("{event:?}"), found, *times as u64);
        }
        // A lost event is missing from both.
        comparison.lost(lost).each_of(2).equal();
        let timed = |record: &Value| record["duration_us"].as_f64().is_some_and(|us| us > 0.0);
        assert!(records.iter().all(|record| timed(record) != (record["event"] == "close_error")));
        assert!(records.iter().all(|record| record["fd"].is_u64() != (record["event"] == "open_error")));
    }
}

#[test]
fn each_open_and_failing_close_is_told_by_the_best_rungs() {
    events_by("auto");
}

#[test]
fn each_open_and_failing_close_is_told_by_kprobes() {
    events_by("kprobe");
}

#[test]
fn each_open_and_failing_close_is_told_by_tracepoints() {
    events_by("tracepoint");
}
