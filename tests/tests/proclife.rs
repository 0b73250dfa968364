//! proclife counts exactly what a known workload does.
#![allow(clippy::expect_used, reason = "tests")]

use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::kernel::{self, Allows};
use tests::reaps::Reaps;
use tests::records::{count, sum, with};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock};

const FORKS: u64 = 10_007;
const THREADS: u64 = 1_009;
const EXECS: u64 = 503;
const FAILING_EXECS: u64 = 31;
const FAILING_FORKS: u64 = 7;
const ZOMBIES: u64 = 11;

/// The workload of the numbers above, up to its zombies; `src/bin/workload/processes.rs` tells how they arise.
fn processes(more: &[&str]) -> Workload {
    let numbers = [
        ("--forks", FORKS),
        ("--threads", THREADS),
        ("--execs", EXECS),
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

/// Runs a workload to its end: its process id, and what it said.
fn run(args: &[&str]) -> (u32, Vec<Value>) {
    let workload = Workload::start(args);
    (workload.id(), workload.finish())
}

/// The sums of all counts, and the last gauge. To `reaped` comes what the kernel withheld from BPF programs, where
/// it did: where only with it all are there that are expected.
fn totals(records: &[Value], withheld: u64, reaped: u64) -> [(&'static str, u64); 10] {
    let last = |field| count(records.last().expect("a record"), field);
    let fields =
        ["forks", "threads", "execs", "exits", "thread_exits", "reaped", "fork_errors", "exec_errors"];
    let sums = fields.map(|field| (field, sum(records, field)));
    let mut all = [("", 0); 10];
    all[..8].copy_from_slice(&sums);
    all[5].1 = completed(all[5].1, withheld, reaped);
    all[8] = ("zombies", last("zombies"));
    all[9] = ("lost", sum(records, "lost"));
    all
}

/// A count with what was withheld: see `tests::tracer`.
fn completed(told: u64, withheld: u64, expected: u64) -> u64 {
    if told == expected { told } else { told + withheld }
}

fn expected(exits: u64, reaped: u64, zombies: u64) -> [(&'static str, u64); 10] {
    [
        ("forks", FORKS),
        ("threads", THREADS),
        ("execs", EXECS),
        ("exits", exits),
        ("thread_exits", THREADS),
        ("reaped", reaped),
        ("fork_errors", FAILING_FORKS),
        ("exec_errors", FAILING_EXECS),
        ("zombies", zombies),
        ("lost", 0),
    ]
}

/// A process counts as reaped one RCU grace period after it was: waits until the number does not change over
/// three new records, so that one too many is seen as well.
fn settled(tool: &Tool) -> Vec<Value> {
    let before = tool.records().len();
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
    let cgroup = Cgroup::new();
    let tool = Tool::start("proclife", &["--cgroup", cgroup.path(), "0.25"]);
    let reaps = Reaps::start();
    let mut workload = processes(&["--cgroup", cgroup.path()]);
    let family = [workload.id()];
    let told = |records: &[Value], reaped| totals(records, reaps.withheld(&family), reaped);
    workload.until_says("held");
    let (reaped, held) = (FORKS - ZOMBIES, settled(&tool));
    assert_eq!(told(&held, reaped), expected(FORKS, reaped, ZOMBIES));
    workload.go_on();
    workload.until_says("held");
    assert_eq!(told(&settled(&tool), FORKS), expected(FORKS, FORKS, 0));
    // The workload's own exit comes to its children's.
    workload.finish();
    settled(&tool);
    assert_eq!(told(&tool.interrupt().records, FORKS + 1), expected(FORKS + 1, FORKS + 1, 0));
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
    let reaps = Reaps::start();
    let (below, _) = run(&["processes", "--forks", "101", "--cgroup", inner.path()]);
    run(&["processes", "--forks", "1009", "--cgroup", other.path()]);
    let (within, _) = run(&["processes", "--forks", "17", "--threads", "3", "--cgroup", outer.path()]);
    settled(&tool);
    let records = tool.interrupt().records;
    let reaped = completed(sum(&records, "reaped"), reaps.withheld(&[below, within]), 120);
    let sums = ["forks", "threads", "exits", "lost"].map(|field| sum(&records, field));
    assert_eq!((sums, reaped), ([118, 3, 120, 0], 120));
}

#[test]
fn a_process_filter_sees_only_that_process() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let mut one = processes(&["--wait"]);
    one.until_says("ready");
    let reaps = Reaps::start();
    let family = [one.id()];
    let tool = Tool::start("proclife", &["-p", &one.pid(), "0.25"]);
    one.go_on();
    Workload::run(&["processes", "--forks", "101", "--threads", "7", "--failing-execs", "3"]);
    one.until_says("held");
    // Its children exec and exit, it does not.
    let mut held = expected(0, FORKS - ZOMBIES, ZOMBIES);
    held[2].1 = 0;
    let records = settled(&tool);
    assert_eq!(totals(&records, reaps.withheld(&family), FORKS - ZOMBIES), held);
    one.go_on();
    one.until_says("held");
    settled(&tool);
    // Its own reaping is its parent's.
    let withheld = reaps.withheld(&family);
    one.finish();
    settled(&tool);
    let mut ended = expected(1, FORKS, 0);
    ended[2].1 = 0;
    assert_eq!(totals(&tool.interrupt().records, withheld, FORKS), ended);
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
    let reaps = Reaps::start();
    for workload in &mut all {
        workload.go_on();
        workload.until_says("held");
    }
    settled(&tool);
    let records = tool.interrupt().records;
    let reaped = completed(sum(&records, "reaped"), reaps.withheld(&[all[0].id(), all[2].id()]), 408);
    assert_eq!((["forks", "exits", "lost"].map(|field| sum(&records, field)), reaped), ([408, 0, 0], 408));
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
    let reaps = Reaps::start();
    let (family, said) = run(&storm);
    let forks = count(&said[0], "forks");
    settled(&tool);
    let records = tool.interrupt().records;
    let reaped = completed(sum(&records, "reaped"), reaps.withheld(&[family]), forks + 1);
    drop(reaps);
    let sums = ["forks", "exits", "lost"].map(|field| sum(&records, field));
    assert_eq!((sums, reaped), ([forks, forks + 1, 0], forks + 1));

    let tool = Tool::start("proclife", &["--cgroup", cgroup.path(), "--events"]);
    let forks = count(&run(&storm).1[0], "forks");
    let records = tool.interrupt().records;
    let told = ["fork", "exit"].map(|event| with(&records, "event", event).len() as u64);
    let missing = (forks - told[0]) + (forks + 1 - told[1]);
    assert!(missing <= sum(&records, "lost"), "{told:?} of {forks} forks and an exit more: {missing} untold");
    // A kernel whose tracepoints can be preempted leaves a program out where another task's run of it was.
    if kernel::release() < (7, 0) {
        assert_eq!(sum(&records, "lost"), 0);
    }
}

#[test]
fn threads_that_end_in_uncommon_ways_are_counted_exactly() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    const FIELDS: [&str; 5] = ["forks", "threads", "execs", "exits", "thread_exits"];
    for (how, repeat, threads, execs) in [
        ("leader-first", 23, 5, 0),
        ("exec", 29, 4, 29),
        ("exit-group", 31, 50, 0),
        ("leader-first", 41, 1, 0),
    ] {
        let cgroup = Cgroup::new();
        let tool = Tool::start("proclife", &["--cgroup", cgroup.path(), "0.1"]);
        let (repeats, per_process) = (repeat.to_string(), threads.to_string());
        let reaps = Reaps::start();
        let base = ["threads", "--how", how, "--repeat", &repeats, "--threads", &per_process];
        let (family, _) = run(&[&base[..], &["--cgroup", cgroup.path()]].concat());
        settled(&tool);
        let records = tool.interrupt().records;
        let all = repeat * threads;
        let reaped = completed(sum(&records, "reaped"), reaps.withheld(&[family]), repeat + 1);
        assert_eq!(
            (FIELDS.map(|field| sum(&records, field)), reaped),
            ([repeat, all, execs, repeat + 1, all], repeat + 1),
            "{how} with {threads} threads: {FIELDS:?}"
        );
        assert_eq!(count(records.last().expect("a record"), "zombies"), 0);
    }
}

/// Functions are watched where the tracepoints of system calls are not there, or by request.
fn functions_see_what_they_can(kind: &str) {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let options = ["--attach", kind];
    if let Allows::Not { status, says } = kernel::allows(kind) {
        return kernel::refuses("proclife", &options, status, says);
    }
    let cgroup = Cgroup::new();
    let tool = Tool::start("proclife", &["--cgroup", cgroup.path(), "0.1", "--attach", kind]);
    let numbers = ["--forks", "211", "--threads", "7", "--failing-forks", "7", "--zombies", "3"];
    run(&[&["processes", "--cgroup", cgroup.path()], &numbers[..]].concat());
    // Counted when it is reaped, not a grace period later: the interval under way has it all.
    let records = tool.interrupt().records;
    let sums = ["forks", "exits", "reaped", "lost"].map(|field| sum(&records, field));
    // Of the 7, the 3 of clone3 are refused before a task is made, which the function never hears of.
    assert_eq!((sums, sum(&records, "fork_errors")), ([211, 212, 212, 0], 4), "--attach {kind}");
}

#[test]
fn trampolines_on_functions_see_what_they_can() {
    functions_see_what_they_can("fentry");
}

#[test]
fn probes_of_functions_see_what_they_can() {
    functions_see_what_they_can("kprobe");
}
