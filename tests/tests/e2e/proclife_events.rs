//! proclife --events: a record for each event, with the right fields.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;

use serde_json::Value;
use tests::caller_timing::reported_by;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::records::{count, with};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, kernel, lock, programs};

const FORKS: usize = 10_007;
const THREADS: usize = 1_009;
const EXECS: usize = 503;
const FAILING_EXECS: usize = 31;
const FAILING_FORKS: usize = 7;
const ZOMBIES: usize = 11;
/// The documented maximum length of arguments.
const ARGV_MAX: usize = 4096;
/// The length of the argument that does not fit.
const LONG: usize = 5_000;

/// The records of a workload.
struct Watched {
    records: Vec<Value>,
    /// The number of events without a record: 0 unless programs can be preempted.
    lost: u64,
    /// The lines that the workload printed.
    performed: Vec<Value>,
}

/// Runs a workload in a cgroup under `proclife --events`; repeats it a few times if events were
/// lost.
fn watched(options: &[&str], workload: &[&str]) -> Watched {
    let mut tries = 1;
    loop {
        let watched = watched_once(options, workload);
        if watched.lost == 0 || tries == 3 {
            return watched;
        }
        tries += 1;
    }
}

fn watched_once(options: &[&str], workload: &[&str]) -> Watched {
    let cgroup = Cgroup::new();
    let tool = Tool::start("proclife", &[&["--events", "--cgroup", cgroup.path()], options].concat());
    let performed = Workload::run(&[workload, &["--cgroup", cgroup.path()]].concat());
    let (records, lost) = reported_by(tool);
    assert!(lost == 0 || kernel::preempts_programs(), "{lost} lost on {}", kernel::name());
    Watched { records, lost, performed }
}

/// The part of a workload that a test does: all of it, or a tenth in a guest, whose instructions
/// are emulated and where most large runs lose events.
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
    let Watched { records, lost, .. } = watched(&["--threads"], &args);

    let expected = [
        ("exec", execs),
        ("exec_error", FAILING_EXECS),
        ("exit", forks + 1),
        ("fork", forks),
        ("fork_error", FAILING_FORKS),
        ("thread", threads),
        ("thread_exit", threads),
    ];
    let reported = expected.map(|(event, _)| with(&records, "event", event).len() as u64);
    assert_eq!(reported.iter().sum::<u64>(), records.len() as u64, "other events");
    compare(&expected.map(|(event, _)| event), &reported, &expected.map(|(_, number)| number as u64), lost);
    time_never_goes_back(&records);
    each_start_has_its_end(&records, ("fork", "exit", "pid"), lost);
    each_start_has_its_end(&records, ("thread", "thread_exit", "tid"), lost);
    execs_say_what_ran(&records, lost);
    failures_say_why(&records, lost);
}

/// Asserts the number of records of these events.
fn compare(events: &[&str], reported: &[u64], expected: &[u64], lost: u64) {
    Comparison::of("proclife", &["--events"]).fields(events, reported, expected).lost(lost).equal();
}

fn time_never_goes_back(records: &[Value]) {
    let times: Vec<&str> = records.iter().map(|record| record["ts"].as_str().expect("text")).collect();
    assert!(times.is_sorted(), "a record's time is before its predecessor's");
}

/// In this order. The workload itself exits too, but started outside. Process ids may be reused
/// after an exit.
fn each_start_has_its_end(records: &[Value], (start, end, key): (&str, &str, &str), lost: u64) {
    let mut alive = BTreeSet::new();
    let mut strangers = 0_u64;
    for record in records {
        let id = count(record, key);
        if record["event"] == start {
            assert!(alive.insert(id) || lost > 0, "{id} began twice: {record}");
        } else if record["event"] == end && !alive.remove(&id) {
            strangers += 1;
        }
    }
    let expected = u64::from(start == "fork");
    assert!(alive.len() as u64 <= lost, "{start} without {end}: {alive:?}, {lost} lost");
    assert!(
        strangers <= expected + lost && strangers + lost >= expected,
        "{strangers} {end} without {start}"
    );
}

fn execs_say_what_ran(records: &[Value], lost: u64) {
    let path = programs::built("workload").canonicalize().expect("a path");
    let execs = with(records, "event", "exec");
    for exec in &execs {
        assert_eq!(exec["path"], path.to_str().expect("UTF-8"));
        assert_eq!(exec["comm"], "workload");
    }
    let (long, short): (Vec<&Value>, Vec<&Value>) =
        execs.into_iter().partition(|exec| exec["argv"] != "workload noop");
    // Truncated at the documented length, and marked so. The two words before and their NULs use
    // some of it.
    let room = ARGV_MAX - "workload noop ".len();
    let cut = format!("workload noop {} …", "x".repeat(room));
    assert!(!short.is_empty() && long.iter().all(|exec| exec["argv"] == cut), "{long:?}");
    assert!(long.len() == 1 || long.is_empty() && lost > 0, "{long:?}");
}

/// Their error numbers, in the order of the calls.
fn failures_say_why(records: &[Value], lost: u64) {
    let errors = |event| {
        let failed = with(records, "event", event);
        failed.into_iter().map(|record| count(record, "errno")).collect::<Vec<_>>()
    };
    let (enoent, eacces, einval, eagain) = (2, 13, 22, 11);
    let expected: Vec<u64> = [enoent, eacces].into_iter().cycle().take(FAILING_EXECS).collect();
    in_this_order(&errors("exec_error"), &expected, lost);
    let expected: Vec<u64> =
        [einval, einval, eagain, eagain, einval].into_iter().cycle().take(FAILING_FORKS).collect();
    in_this_order(&errors("fork_error"), &expected, lost);
}

/// All of them, except for this many that are missing.
fn in_this_order(reported: &[u64], expected: &[u64], lost: u64) {
    let mut rest = expected.iter();
    assert!(
        reported.iter().all(|number| rest.any(|next| next == number)),
        "reported {reported:?}, expected {expected:?}"
    );
    assert!(
        (expected.len() - reported.len()) as u64 <= lost,
        "reported {reported:?}, expected {expected:?}, {lost} lost"
    );
}

#[test]
fn without_threads_there_are_none() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let Watched { records, lost, .. } = watched(&[], &["processes", "--forks", "17", "--threads", "13"]);
    let events = ["fork", "exit", "thread", "thread_exit"];
    let reported = events.map(|event| with(&records, "event", event).len() as u64);
    compare(&events, &reported, &[17, 18, 0, 0], lost);
}

#[test]
fn exits_tell_code_signal_and_age() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let Watched { records, lost, performed } = watched(&[], &["ends"]);
    let ends: Vec<_> =
        performed.iter().map(|child| (child["code"].as_u64(), child["signal"].as_u64())).collect();
    let code = |code| (Some(code), None);
    let signal = |signal| (None, Some(signal));
    assert_eq!(ends, [code(0), code(3), code(255), signal(9), signal(11), code(101)]);
    for child in performed {
        let exits: Vec<&Value> =
            records.iter().filter(|r| r["event"] == "exit" && r["pid"] == child["pid"]).collect();
        let exit = match exits[..] {
            [exit] => exit,
            [] if lost > 0 => continue,
            _ => panic!("not one exit of {child}: {exits:?}"),
        };
        assert_eq!((&exit["exit_code"], &exit["signal"]), (&child["code"], &child["signal"]), "{exit}");
        let age = exit["age_s"].as_f64().expect("a number");
        let bounds = ["min_s", "max_s"].map(|field| child[field].as_f64().expect("a number"));
        assert!(bounds[0] <= age && age <= bounds[1], "{age} s of {child}");
    }
}

#[test]
fn exits_of_processes_with_threads_agree_with_wait() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for (how, threads) in [("leader-first", "5"), ("exec", "4"), ("exit-group", "50")] {
        // This many threads rarely exit without losses, where losses occur.
        let Watched { records, lost, performed } =
            watched_once(&[], &["threads", "--how", how, "--repeat", "17", "--threads", threads]);
        assert_eq!(performed.len(), 17);
        let mut reported = 0_u64;
        for child in performed {
            let exits: Vec<&Value> =
                records.iter().filter(|r| r["event"] == "exit" && r["pid"] == child["pid"]).collect();
            match exits[..] {
                [exit] => {
                    let (code, tid) = (&exit["exit_code"], &exit["tid"]);
                    assert_eq!((code, tid), (&child["code"], &child["pid"]), "{how}: {exit}");
                    reported += 1;
                }
                [] if lost > 0 => {}
                _ => panic!("{how}: not one exit of {child}: {exits:?}"),
            }
        }
        assert!(
            reported + lost >= 17 && reported >= 13,
            "{how}: reported {reported}, expected 17, {lost} lost"
        );
    }
}
