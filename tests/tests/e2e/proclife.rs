//! proclife counts a known workload exactly.
#![allow(clippy::expect_used, reason = "tests")]

use serde_json::Value;
use tests::caller_timing::reported_by;
use tests::cgroup::{self, Cgroup};
use tests::comparison::Comparison;
use tests::freed_tasks::FreedTasks;
use tests::kernel;
use tests::records::{count, sum, with};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock};

const FAILING_EXECS: u64 = 31;
const FAILING_FORKS: u64 = 7;
const ZOMBIES: u64 = 11;

/// Forks, threads and execs. In a guest, whose instructions are emulated, a fork takes some
/// milliseconds, so there are fewer; the numbers are odd.
fn numbers() -> [u64; 3] {
    if kernel::of_guest().is_some() { [1_009, 103, 53] } else { [10_007, 1_009, 503] }
}

/// The workload of these numbers, up to its zombies; `src/bin/workload/processes.rs` documents how
/// they arise.
fn processes(more: &[&str]) -> Workload {
    let [forks, threads, execs] = numbers();
    let numbers = [
        ("--forks", forks),
        ("--threads", threads),
        ("--execs", execs),
        ("--failing-execs", FAILING_EXECS),
        ("--failing-forks", FAILING_FORKS),
        ("--zombies", ZOMBIES),
    ]
    .map(|(name, number)| [name.to_string(), number.to_string()]);
    let numbers = numbers.as_flattened().iter().map(String::as_str);
    let args: Vec<&str> =
        ["processes", "--hold"].into_iter().chain(numbers).chain(more.iter().copied()).collect();
    Workload::start(&args)
}

/// Runs a workload to its end; returns its process id and the lines that it printed.
fn run(args: &[&str]) -> (u32, Vec<Value>) {
    let workload = Workload::start(args);
    (workload.id(), workload.finish())
}

/// The sums of all counts, and the last gauge. Unobserved processes are added to `reaped` if only
/// with them all expected ones are there.
fn totals(records: &[Value], unobserved: u64, reaped: u64) -> [u64; 9] {
    let last = records.last().expect("a record");
    FIELDS.map(|field| match field {
        "reaped" => completed(sum(records, field), unobserved, reaped),
        "zombies" => count(last, field),
        _ => sum(records, field),
    })
}

/// In this order: counts, and a gauge.
const FIELDS: [&str; 9] =
    ["forks", "threads", "execs", "exits", "thread_exits", "reaped", "fork_errors", "exec_errors", "zombies"];

/// Asserts the values of these fields.
fn compare(what: &str, fields: &[&str], reported: &[u64], expected: &[u64], records: &[Value]) {
    let comparison = Comparison::of("proclife", &[]).part(what);
    comparison.fields(fields, reported, expected).lost(sum(records, "lost")).equal();
}

/// A count including unobserved events: see `tests::tracer`.
fn completed(reported: u64, unobserved: u64, expected: u64) -> u64 {
    if reported == expected { reported } else { reported + unobserved }
}

/// The expected values.
fn expected(exits: u64, reaped: u64, zombies: u64) -> [u64; 9] {
    let [forks, threads, execs] = numbers();
    [forks, threads, execs, exits, threads, reaped, FAILING_FORKS, FAILING_EXECS, zombies]
}

/// The index of execs among them.
const EXECUTED: usize = 2;

/// A process counts as reaped one RCU grace period after it was. Waits until this many of these
/// were freed, and until the number has not changed over three records, to notice one too many.
fn settled(tool: &Tool, freed_tasks: &FreedTasks, roots: &[u32], freed: u64) -> Vec<Value> {
    freed_tasks.until_freed(roots, freed);
    let before = tool.seen(<[Value]>::len);
    tool.until("the last to be reaped", |records| {
        records.len() > before + 3 && sum(&records[records.len() - 3..], "reaped") == 0
    })
}

#[test]
fn a_cgroups_processes_are_counted_exactly() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let [forks, ..] = numbers();
    let cgroup = Cgroup::new();
    let tool = Tool::start("proclife", &["--cgroup", cgroup.path(), "0.25"]);
    let freed_tasks = FreedTasks::start();
    let mut workload = processes(&["--cgroup", cgroup.path()]);
    let family = [workload.id()];
    let compare = |what: &str, records: &[Value], exits, reaped, zombies| {
        let reported = totals(records, freed_tasks.unobserved(&family), reaped);
        compare(what, &FIELDS, &reported, &expected(exits, reaped, zombies), records);
    };
    workload.until_says("held");
    compare(
        "with zombies",
        &settled(&tool, &freed_tasks, &family, forks - ZOMBIES),
        forks,
        forks - ZOMBIES,
        ZOMBIES,
    );
    workload.go_on();
    workload.until_says("held");
    compare("all reaped", &settled(&tool, &freed_tasks, &family, forks), forks, forks, 0);
    // The workload's own exit is added to its children's.
    workload.finish();
    settled(&tool, &freed_tasks, &family, forks + 1);
    compare("at the end", &tool.interrupt().records, forks + 1, forks + 1, 0);
}

#[test]
fn a_cgroup_holds_those_below_it_and_no_others() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (outer, other) = (Cgroup::new(), Cgroup::new());
    let inner = outer.child();
    let tool = Tool::start("proclife", &["--cgroup", outer.path(), "0.1"]);
    let freed_tasks = FreedTasks::start();
    let (below, _) = run(&["processes", "--forks", "101", "--cgroup", inner.path()]);
    run(&["processes", "--forks", "307", "--cgroup", other.path()]);
    let (within, _) = run(&["processes", "--forks", "17", "--threads", "3", "--cgroup", outer.path()]);
    settled(&tool, &freed_tasks, &[below, within], 120);
    let records = tool.interrupt().records;
    let reaped = completed(sum(&records, "reaped"), freed_tasks.unobserved(&[below, within]), 120);
    let [forks, threads, exits] = ["forks", "threads", "exits"].map(|field| sum(&records, field));
    let (reported, expected) = ([forks, threads, exits, reaped], [118, 3, 120, 120]);
    compare("--cgroup", &["forks", "threads", "exits", "reaped"], &reported, &expected, &records);
}

#[test]
fn a_process_filter_sees_only_that_process() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let [forks, ..] = numbers();
    let mut one = processes(&["--wait"]);
    one.until_says("ready");
    let freed_tasks = FreedTasks::start();
    let family = [one.id()];
    let tool = Tool::start("proclife", &["-p", &one.pid(), "0.25"]);
    one.go_on();
    Workload::run(&["processes", "--forks", "101", "--threads", "7", "--failing-execs", "3"]);
    one.until_says("held");
    // Its children exec and exit, the process itself does not.
    let mut held = expected(0, forks - ZOMBIES, ZOMBIES);
    held[EXECUTED] = 0;
    let records = settled(&tool, &freed_tasks, &family, forks - ZOMBIES);
    let reported = totals(&records, freed_tasks.unobserved(&family), forks - ZOMBIES);
    compare("-p, with zombies", &FIELDS, &reported, &held, &records);
    one.go_on();
    one.until_says("held");
    settled(&tool, &freed_tasks, &family, forks);
    // Its own reaping counts for its parent.
    let unobserved = freed_tasks.unobserved(&family);
    one.finish();
    settled(&tool, &freed_tasks, &family, forks + 1);
    let mut ended = expected(1, forks, 0);
    ended[EXECUTED] = 0;
    let records = tool.interrupt().records;
    compare("-p, at the end", &FIELDS, &totals(&records, unobserved, forks), &ended, &records);
}

#[test]
fn two_processes_can_be_asked_for() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let start = |forks: &str| {
        let mut workload = Workload::start(&["processes", "--wait", "--hold", "--forks", forks]);
        workload.until_says("ready");
        workload
    };
    let mut all = ["101", "211", "307"].map(start);
    let tool = Tool::start("proclife", &["-p", &all[0].pid(), "-p", &all[2].pid(), "0.1"]);
    let freed_tasks = FreedTasks::start();
    for workload in &mut all {
        workload.go_on();
        workload.until_says("held");
    }
    settled(&tool, &freed_tasks, &[all[0].id(), all[2].id()], 408);
    let records = tool.interrupt().records;
    let reaped = completed(sum(&records, "reaped"), freed_tasks.unobserved(&[all[0].id(), all[2].id()]), 408);
    let [forks, exits] = ["forks", "exits"].map(|field| sum(&records, field));
    compare("-p twice", &["forks", "exits", "reaped"], &[forks, exits, reaped], &[408, 0, 408], &records);
    all.into_iter().for_each(|workload| drop(workload.finish()));
}

#[test]
fn the_highest_fork_rate_is_counted_exactly() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let storm = ["storm", "--processes", "2", "--millis", "2000", "--cgroup", cgroup.path()];
    let tool = Tool::start("proclife", &["--cgroup", cgroup.path(), "0.25"]);
    let freed_tasks = FreedTasks::start();
    let (family, performed) = run(&storm);
    let forks = count(&performed[0], "forks");
    settled(&tool, &freed_tasks, &[family], forks + 1);
    let records = tool.interrupt().records;
    let reaped = completed(sum(&records, "reaped"), freed_tasks.unobserved(&[family]), forks + 1);
    drop(freed_tasks);
    let [reported, exits] = ["forks", "exits"].map(|field| sum(&records, field));
    let (reported, expected) = ([reported, exits, reaped], [forks, forks + 1, forks + 1]);
    compare("a storm", &["forks", "exits", "reaped"], &reported, &expected, &records);

    let tool = Tool::start("proclife", &["--cgroup", cgroup.path(), "--events"]);
    let forks = count(&run(&storm).1[0], "forks");
    let (records, lost) = reported_by(tool);
    let reported = ["fork", "exit"].map(|event| with(&records, "event", event).len() as u64);
    let comparison = Comparison::of("proclife", &[]).part("a storm, --events").lost(lost);
    comparison.fields(&["fork", "exit"], &reported, &[forks, forks + 1]).equal();
}

/// Each way in its own cgroup, with one tool `--by cgroup`.
#[test]
fn threads_that_end_in_uncommon_ways_are_counted_exactly() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let parent = Cgroup::new();
    let tool = Tool::start("proclife", &["--cgroup", parent.path(), "--by", "cgroup", "0.1"]);
    let freed_tasks = FreedTasks::start();
    let ways = [
        ("leader-first", 23, 5, 0),
        ("exec", 29, 4, 29),
        ("exit-group", 31, 50, 0),
        ("leader-first", 41, 1, 0),
    ];
    let done = ways.map(|(how, repeat, threads, execs)| {
        let cgroup = parent.child();
        let (repeats, per_process) = (repeat.to_string(), threads.to_string());
        let base = ["threads", "--how", how, "--repeat", &repeats, "--threads", &per_process];
        let (family, _) = run(&[&base[..], &["--cgroup", cgroup.path()]].concat());
        let expected = [repeat, repeat * threads, execs, repeat + 1, repeat * threads, repeat + 1];
        (format!("{how} with {threads} threads"), cgroup, family, expected)
    });
    // A thread that executes a program takes over the first thread's id: the tracer cannot identify
    // it.
    let followed = done.iter().filter(|(how, ..)| !how.starts_with("exec"));
    followed.for_each(|(_, _, family, expected)| freed_tasks.until_freed(&[*family], expected[5]));
    settled(&tool, &freed_tasks, &[], 0);
    let records = tool.interrupt().records;
    let mut comparison = Comparison::of("proclife", &[]).part("--by cgroup").lost(sum(&records, "lost"));
    for (how, cgroup, family, expected) in &done {
        let own = with(&records, "cgroup", &cgroup::name(cgroup.path()));
        for (field, expected) in FIELDS.into_iter().zip(*expected) {
            let reported = match field {
                "reaped" => completed(sum(own.clone(), field), freed_tasks.unobserved(&[*family]), expected),
                _ => sum(own.clone(), field),
            };
            comparison = comparison.field(format!("{field} of {how}"), reported, expected);
        }
    }
    comparison.equal();
    let ours: Vec<String> = done.iter().map(|(_, cgroup, ..)| cgroup::name(cgroup.path())).collect();
    let known =
        |record: &&Value| record["cgroup"].as_str().is_none_or(|name| ours.iter().any(|own| own == name));
    assert!(records.iter().all(|record| known(&record)), "others: {records:?}");
    let last = &records.last().expect("a record")["ts"];
    assert_eq!(sum(records.iter().filter(|record| record["ts"] == *last), "zombies"), 0);
}

/// Functions are traced where tracepoints of system calls are missing, or on request.
fn functions_see_what_they_can(kind: &str) {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    if !kernel::allows_or_refuses("proclife", kind) {
        return;
    }
    let cgroup = Cgroup::new();
    let tool = Tool::start("proclife", &["--cgroup", cgroup.path(), "0.1", "--attach", kind]);
    let numbers = ["--forks", "211", "--threads", "7", "--failing-forks", "7", "--zombies", "3"];
    run(&[&["processes", "--cgroup", cgroup.path()], &numbers[..]].concat());
    // Counted when it is reaped, not a grace period later: the current interval has all of it.
    let records = tool.interrupt().records;
    let fields = ["forks", "exits", "reaped", "fork_errors"];
    // Of the 7, the kernel refuses the 3 of clone3 before it calls the function.
    let comparison = Comparison::by("proclife", kind).lost(sum(&records, "lost"));
    comparison.fields(&fields, &fields.map(|field| sum(&records, field)), &[211, 212, 212, 4]).equal();
}

#[test]
fn trampolines_on_functions_see_what_they_can() {
    functions_see_what_they_can("fentry");
}

#[test]
fn probes_of_functions_see_what_they_can() {
    functions_see_what_they_can("kprobe");
}
