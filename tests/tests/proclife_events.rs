//! proclife --events: a record for each thing that happened, with the right particulars.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::Signal;
use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::records::{count, sum, with};
use tests::tool::{Ended, Tool};
use tests::workload::Workload;
use tests::{can_run, kernel, lock, programs};

const FORKS: usize = 10_007;
const THREADS: usize = 1_009;
const EXECS: usize = 503;
const FAILING_EXECS: usize = 31;
const FAILING_FORKS: usize = 7;
const ZOMBIES: usize = 11;
/// The documented room for arguments.
const ARGV_MAX: usize = 4096;
/// The length of the argument that does not fit.
const LONG: usize = 5_000;

/// Runs a workload in a cgroup under `proclife --events` and returns the records, with what it said: of a run without
/// losses, which needs some tries where programs can be preempted.
fn watched(options: &[&str], workload: &[&str]) -> (Vec<Value>, Vec<Value>) {
    let without_losses = || {
        let (records, said) = watched_once(options, workload);
        records.map(|records| (records, said)).ok()
    };
    (0..10).find_map(|_| without_losses()).expect("something was lost in each of ten tries")
}

/// The same, once; the records of a run with losses, which may be told by the tool's end alone, are an error.
fn watched_once(options: &[&str], workload: &[&str]) -> (Result<Vec<Value>, Vec<Value>>, Vec<Value>) {
    let cgroup = Cgroup::new();
    let tool = Tool::start("proclife", &[&["--events", "--cgroup", cgroup.path()], options].concat());
    let said = Workload::run(&[workload, &["--cgroup", cgroup.path()]].concat());
    tool.signal(Signal::INT);
    let Ended { status, records, stderr } = tool.wait();
    if status.success() && sum(&records, "lost") == 0 {
        return (Ok(records), said);
    }
    assert!(kernel::preempts_programs(), "{status}: {stderr}");
    (Err(records), said)
}

/// How much of a workload a test does: all of it, or a tenth in a guest, whose instructions are emulated, and where a run
/// without losses is a matter of luck.
fn share(number: usize) -> usize {
    if kernel::of_guest().is_none() && !kernel::preempts_programs() { number } else { number / 10 }
}

#[test]
fn a_record_for_each_event() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let [forks, threads, execs] = [FORKS, THREADS, EXECS].map(share);
    let numbers = [
        ("--forks", forks),
        ("--threads", threads),
        ("--execs", execs),
        ("--failing-execs", FAILING_EXECS),
        ("--failing-forks", FAILING_FORKS),
        ("--zombies", ZOMBIES),
        ("--argv-bytes", LONG),
    ]
    .map(|(name, number)| [name.to_string(), number.to_string()]);
    let numbers = numbers.as_flattened().iter().map(String::as_str);
    let args: Vec<&str> = std::iter::once("processes").chain(numbers).collect();
    let (records, _) = watched(&["--threads"], &args);

    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for record in &records {
        *kinds.entry(record["event"].as_str().expect("text")).or_default() += 1;
    }
    let expected = [
        ("exec", execs),
        ("exec_error", FAILING_EXECS),
        ("exit", forks + 1),
        ("fork", forks),
        ("fork_error", FAILING_FORKS),
        ("thread", threads),
        ("thread_exit", threads),
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
    time_never_goes_back(&records);
    each_start_has_its_end(&records, ("fork", "exit", "pid"));
    each_start_has_its_end(&records, ("thread", "thread_exit", "tid"));
    execs_say_what_ran(&records);
    failures_say_why(&records);
}

fn time_never_goes_back(records: &[Value]) {
    let times: Vec<&str> = records.iter().map(|record| record["ts"].as_str().expect("text")).collect();
    assert!(times.is_sorted(), "a record's time is before its predecessor's");
}

/// In this order; the workload itself ends too, but began outside. Numbers may be used again after an end.
fn each_start_has_its_end(records: &[Value], (start, end, key): (&str, &str, &str)) {
    let mut alive = BTreeSet::new();
    let mut strangers = 0;
    for record in records {
        let id = count(record, key);
        if record["event"] == start {
            assert!(alive.insert(id), "{id} began twice: {record}");
        } else if record["event"] == end && !alive.remove(&id) {
            strangers += 1;
        }
    }
    assert!(alive.is_empty(), "{start} without {end}: {alive:?}");
    assert_eq!(strangers, usize::from(start == "fork"), "{end} without {start}");
}

fn execs_say_what_ran(records: &[Value]) {
    let path = programs::built("workload").canonicalize().expect("a path");
    let execs = with(records, "event", "exec");
    let (last, short) = execs.split_last().expect("there are execs");
    for exec in &execs {
        assert_eq!(exec["path"], path.to_str().expect("UTF-8"));
        assert_eq!(exec["comm"], "workload");
    }
    for exec in short {
        assert_eq!(exec["argv"], "workload noop");
    }
    // Cut at the documented length, and it says so. The two words before and their NULs take room as well.
    let room = ARGV_MAX - "workload noop ".len();
    assert_eq!(last["argv"], format!("workload noop {} …", "x".repeat(room)));
}

fn failures_say_why(records: &[Value]) {
    let errors = |event| {
        let failed = with(records, "event", event);
        failed.into_iter().map(|record| count(record, "errno")).collect::<Vec<_>>()
    };
    let (enoent, eacces, einval, eagain) = (2, 13, 22, 11);
    let expected: Vec<u64> = [enoent, eacces].into_iter().cycle().take(FAILING_EXECS).collect();
    assert_eq!(errors("exec_error"), expected);
    let expected: Vec<u64> =
        [einval, einval, eagain, eagain, einval].into_iter().cycle().take(FAILING_FORKS).collect();
    assert_eq!(errors("fork_error"), expected);
}

#[test]
fn without_threads_there_are_none() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (records, _) = watched(&[], &["processes", "--forks", "17", "--threads", "13"]);
    let events = |event| with(&records, "event", event).len();
    assert_eq!(["fork", "exit", "thread", "thread_exit"].map(events), [17, 18, 0, 0]);
}

#[test]
fn exits_tell_code_signal_and_age() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (records, said) = watched(&[], &["ends"]);
    let ends: Vec<_> = said.iter().map(|child| (child["code"].as_u64(), child["signal"].as_u64())).collect();
    let code = |code| (Some(code), None);
    let signal = |signal| (None, Some(signal));
    assert_eq!(ends, [code(0), code(3), code(255), signal(9), signal(11), code(101)]);
    for child in said {
        let exits: Vec<&Value> =
            records.iter().filter(|r| r["event"] == "exit" && r["pid"] == child["pid"]).collect();
        let [exit] = exits[..] else { panic!("not one exit of {child}: {exits:?}") };
        assert_eq!((&exit["exit_code"], &exit["signal"]), (&child["code"], &child["signal"]), "{exit}");
        let age = exit["age_s"].as_f64().expect("a number");
        let bounds = ["min_s", "max_s"].map(|field| child[field].as_f64().expect("a number"));
        assert!(bounds[0] <= age && age <= bounds[1], "{age} s of {child}");
    }
}

#[test]
fn exits_of_processes_with_threads_tell_what_wait_tells() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for (how, threads) in [("leader-first", "5"), ("exec", "4"), ("exit-group", "50")] {
        let (records, said) =
            watched_once(&[], &["threads", "--how", how, "--repeat", "17", "--threads", threads]);
        assert_eq!(said.len(), 17);
        // So many threads hardly ever end without a loss, where there are any.
        let (records, exact) = match records {
            Ok(records) => (records, true),
            Err(records) => (records, false),
        };
        let mut told = 0;
        for child in said {
            let exits: Vec<&Value> =
                records.iter().filter(|r| r["event"] == "exit" && r["pid"] == child["pid"]).collect();
            match exits[..] {
                [exit] => {
                    let (code, tid) = (&exit["exit_code"], &exit["tid"]);
                    assert_eq!((code, tid), (&child["code"], &child["pid"]), "{how}: {exit}");
                    told += 1;
                }
                [] if !exact => {}
                _ => panic!("{how}: not one exit of {child}: {exits:?}"),
            }
        }
        assert!(told >= 13, "{how}: {told} of 17");
    }
}
