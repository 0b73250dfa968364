//! syncsnoop --events: a record for each call with the right fields, and agreement with the
//! intervals.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use rustix::fs::{MemfdFlags, fsync, memfd_create};
use rustix::process::Signal;
use serde_json::Value;
use tests::bpf::Programs;
use tests::caller_timing::{
    Reported, are_those_of, durations_off, interval_off, pairs, reported_by, slow_ones_off,
};
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::overlay::Overlay;
use tests::records::{count, sum, with};
use tests::tool::Tool;
use tests::wait::{For, until};
use tests::workload::Workload;
use tests::{can_run, lock, programs, timing};

const CALLS: [&str; 6] = ["sync", "syncfs", "fsync", "fdatasync", "msync", "sync_file_range"];
/// Some of the threads' calls also wait for a processor.
const THREADS: &str = "5";

/// Runs the workload in a cgroup under several syncsnoops; returns the workload's process id, the
/// calls that it printed, and what each tool reported.
fn watched(options: &[&[&str]], threads: &str) -> (u32, Vec<Value>, Vec<Reported>) {
    let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
    let directory = scratch.path().canonicalize().expect("a path");
    let directory = directory.to_str().expect("UTF-8");
    let cgroup = Cgroup::new();
    let start = |more: &&[&str]| Tool::start("syncsnoop", &[&["--cgroup", cgroup.path()], *more].concat());
    let tools: Vec<Tool> = options.iter().map(start).collect();
    let workload = Workload::start(&[
        "syncs",
        "--directory",
        directory,
        "--threads",
        threads,
        "--cgroup",
        cgroup.path(),
    ]);
    let (pid, performed) = (workload.id(), workload.finish());
    (pid, performed, tools.into_iter().map(reported_by).collect())
}

/// The counters of a call in an interval.
const FIELDS: [&str; 2] = ["count", "errors"];

/// Asserts that there are as many events as calls.
fn all_are_reported(events: &[Value], performed: &[Value], lost: u64) {
    let comparison = Comparison::of("syncsnoop", &[]).part("--events");
    comparison.field("events", events.len() as u64, performed.len() as u64).lost(lost).equal();
}

/// Whether a performed call and an event are the same.
fn same(call: &Value, reported: &Value) -> bool {
    ["call", "fd", "path", "ret"].iter().all(|field| call[field] == reported[field])
}

#[test]
fn each_call_is_reported_as_its_caller_saw_it() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (pid, performed, reported) = watched(&[&["--events"]], THREADS);
    let (events, lost) = &reported[0];
    all_are_reported(events, &performed, *lost);
    are_those_of(pid, "syncer", &performed, events, *lost, same);
}

#[test]
fn durations_are_those_that_the_caller_measured() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    timing::agrees(|| {
        let (_, performed, reported) = watched(&[&["--events"]], "1");
        let (performed, events): (Vec<&Value>, Vec<&Value>) =
            (performed.iter().collect(), reported[0].0.iter().collect());
        durations_off(pairs(&performed, &events, reported[0].1, same))
    });
}

/// The errors in the times of intervals, compared with events.
fn intervals_off() -> Vec<String> {
    let (_, performed, reported) = watched(&[&["--events"], &["3600"]], "1");
    let mut wrong = Vec::new();
    for call in CALLS {
        let events = with(&reported[0].0, "call", call);
        let found = with(&reported[1].0, "call", call);
        let [interval] = found[..] else { panic!("not one record of {call}: {:?}", reported[1].0) };
        let failed = events.iter().filter(|event| event["ret"].as_i64() < Some(0)).count();
        let seen = [events.len(), failed].map(|number| number as u64);
        let comparison = Comparison::of("syncsnoop", &[]).part(format!("{call} beside the events"));
        let comparison = comparison.fields(&FIELDS, &FIELDS.map(|field| count(interval, field)), &seen);
        // A lost failed call is missing from two fields, in either tool.
        comparison.lost(reported[0].1 + reported[1].1).each_of(2).equal_within_lost();
        wrong.extend(interval_off(interval, &events, &with(&performed, "call", call), 0.0, call));
    }
    all_are_reported(&reported[0].0, &performed, reported[0].1);
    wrong
}

#[test]
fn intervals_tell_what_the_events_tell() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    timing::agrees(intervals_off);
}

/// The value of `--min-us` there.
const LEAST_US: f64 = 300.0;

#[test]
fn only_slow_calls_are_reported_where_asked_for() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    timing::agrees(|| {
        let (_, _, reported) = watched(&[&["--events"], &["--min-us", "300"]], "1");
        slow_ones_off(&reported[0].0, &reported[1].0, LEAST_US)
    });
}

/// The path of a descriptor in /proc.
fn shown(file: &impl AsFd) -> String {
    let link = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    std::fs::read_link(link).expect("a link").to_str().expect("UTF-8").to_string()
}

#[test]
fn paths_are_those_that_the_kernel_shows() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
    let overlay = Overlay::new(scratch.path());
    let made = |path: &Path| File::create(path).expect("a file");
    let deep = (0..4).fold(scratch.path().join("deep"), |path, _| path.join("d".repeat(200)));
    std::fs::create_dir_all(&deep).expect("directories");
    let removed = scratch.path().join("gone");
    let mut files = vec![
        made(&scratch.path().join("plain")),
        made(&deep.join("file")),
        made(&removed),
        // With other mounts below it.
        made(&overlay.path().join("over")),
        File::open(scratch.path()).expect("a directory"),
        File::open(overlay.path()).expect("the root of a mount"),
        File::open("/").expect("the root"),
        File::open("/dev/null").expect("a device"),
    ];
    std::fs::remove_file(removed).expect("it is there");
    let mut expected: Vec<String> = files.iter().map(shown).collect();
    assert!(expected[2].ends_with(" (deleted)") && expected[1].len() > 800, "{expected:?}");
    // Not in a directory: the kernel's own text differs.
    files.push(memfd_create("in-memory", MemfdFlags::CLOEXEC).expect("a memfd").into());
    expected.push("memfd:in-memory".to_string());
    // Too long: the beginning is missing.
    let deeper = (0..3).fold(deep, |path, _| path.join("e".repeat(200)));
    std::fs::create_dir_all(&deeper).expect("directories");
    files.push(made(&deeper.join("end")));
    let long = shown(&files[files.len() - 1]);

    let tool = Tool::start("syncsnoop", &["--events", "-p", &std::process::id().to_string()]);
    // Retried, in case the kernel skipped a program; each file is reported in time.
    let paths = |records: &[Value]| -> BTreeSet<String> {
        records.iter().map(|event| event["path"].as_str().expect("a path").to_string()).collect()
    };
    until(For::Record, "a record of each file", || {
        for file in &files {
            // A device without memory cannot be synced.
            let _ = fsync(file);
        }
        (tool.seen(paths).len() >= files.len()).then_some(())
    });
    let (records, _) = reported_by(tool);
    let (cut, whole): (BTreeSet<String>, BTreeSet<String>) =
        paths(&records).into_iter().partition(|path| path.starts_with('…'));
    assert_eq!(whole, expected.into_iter().collect());
    let [end] = &cut.iter().map(|path| path.trim_start_matches('…')).collect::<Vec<_>>()[..] else {
        panic!("not one path that is cut: {cut:?}")
    };
    assert!(long.ends_with(end) && end.len() >= 1024 - 256, "{end} of {long}");
}

/// Calls while the output is not read: the ring buffer has a megabyte, for about 750 events with
/// paths.
const BURST: u64 = 3_001;

#[test]
fn what_finds_no_room_is_counted_as_lost() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let file = File::from(memfd_create("burst", MemfdFlags::CLOEXEC).expect("a memfd"));
    let tool = Tool::start("syncsnoop", &["--events", "-p", &std::process::id().to_string()]);
    let made = std::cell::Cell::new(0);
    let sync = || {
        made.set(made.get() + 1);
        fsync(&file).expect("fsync");
    };
    let programs = Programs::of(tool.pid());
    tool.signal(Signal::STOP);
    (0..BURST).for_each(|_| sync());
    tool.signal(Signal::CONT);
    // A later record reports the losses before it.
    until(For::Record, "losses of those before", || {
        sync();
        tool.seen(|records| sum(records, "lost") > 0).then_some(())
    });
    let (records, lost) = reported_by(tool);
    // Where programs can be preempted, skipped runs for other calls are lost, too; the kernel
    // counts them.
    let (reported, most) = (records.len() as u64, made.get() + programs.left_out());
    let comparison = Comparison::of("syncsnoop", &["--events"]).part("a burst");
    let comparison = comparison.between("reported", reported, 0, made.get());
    comparison.between("reported and lost", reported + lost, made.get(), most).equal();
}
