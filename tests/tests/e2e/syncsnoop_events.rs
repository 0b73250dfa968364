//! syncsnoop --events: a record for each call, with the right particulars, and the intervals' figures beside it.
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
    Reported, by_thread, durations_off, interval_off, pairs, reported_by, slow_ones_off,
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
/// Of the threads' calls some wait for a processor, too.
const THREADS: &str = "5";

/// Runs the workload in a cgroup under several syncsnoops: the workload's process, what it said, and what each told.
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
    let (pid, said) = (workload.id(), workload.finish());
    (pid, said, tools.into_iter().map(|tool| reported_by("syncsnoop", tool)).collect())
}

/// What an interval counts of a call.
const FIELDS: [&str; 2] = ["count", "errors"];

/// As many events as calls.
fn all_are_told(events: &[Value], said: &[Value], lost: u64) {
    let comparison = Comparison::of("syncsnoop", &[]).part("--events");
    comparison.field("events", events.len() as u64, said.len() as u64).lost(lost).equal();
}

/// Whether what a caller said and an event are of one call.
fn same(said: &Value, told: &Value) -> bool {
    ["call", "fd", "path", "ret"].iter().all(|field| said[field] == told[field])
}

#[test]
fn each_call_is_told_as_its_caller_saw_it() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (pid, said, told) = watched(&[&["--events"]], THREADS);
    let (events, lost) = &told[0];
    all_are_told(events, &said, *lost);
    let times: Vec<&str> = events.iter().map(|event| event["ts"].as_str().expect("text")).collect();
    assert!(times.is_sorted(), "a record's time is before its predecessor's");
    let (said, told) = (by_thread(&said), by_thread(events));
    for (tid, told) in &told {
        for (_, told) in pairs(&said[tid], told, *lost, same) {
            assert_eq!((count(told, "pid"), &told["comm"]), (pid.into(), &Value::from("syncer")));
        }
    }
}

#[test]
fn durations_are_those_that_the_caller_measured() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    timing::agrees(|| {
        let (_, said, told) = watched(&[&["--events"]], "1");
        let (said, events): (Vec<&Value>, Vec<&Value>) = (said.iter().collect(), told[0].0.iter().collect());
        durations_off(pairs(&said, &events, told[0].1, same))
    });
}

/// What is told wrong of times in intervals, beside the events.
fn intervals_off() -> Vec<String> {
    let (_, said, told) = watched(&[&["--events"], &["3600"]], "1");
    let mut wrong = Vec::new();
    for call in CALLS {
        let events = with(&told[0].0, "call", call);
        let found = with(&told[1].0, "call", call);
        let [interval] = found[..] else { panic!("not one record of {call}: {:?}", told[1].0) };
        let failed = events.iter().filter(|event| event["ret"].as_i64() < Some(0)).count();
        let seen = [events.len(), failed].map(|number| number as u64);
        let comparison = Comparison::of("syncsnoop", &[]).part(format!("{call} beside the events"));
        let comparison = comparison.fields(&FIELDS, &FIELDS.map(|field| count(interval, field)), &seen);
        // A failed one is missing twice; of either of the two tools.
        comparison.lost(told[0].1 + told[1].1).each_of(2).equal_within_lost();
        wrong.extend(interval_off(interval, &events, &with(&said, "call", call), 0.0, call));
    }
    all_are_told(&told[0].0, &said, told[0].1);
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

/// What `--min-us` is told there.
const LEAST_US: f64 = 300.0;

#[test]
fn only_slow_calls_are_told_where_asked_for() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    timing::agrees(|| {
        let (_, _, told) = watched(&[&["--events"], &["--events", "--min-us", "300"]], "1");
        slow_ones_off(&told[0].0, &told[1].0, LEAST_US)
    });
}

/// What the kernel itself shows of a descriptor.
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
    let gone = scratch.path().join("gone");
    let mut files = vec![
        made(&scratch.path().join("plain")),
        made(&deep.join("file")),
        made(&gone),
        // Other mounts below.
        made(&overlay.path().join("over")),
        File::open(scratch.path()).expect("a directory"),
        File::open(overlay.path()).expect("the root of a mount"),
        File::open("/").expect("the root"),
        File::open("/dev/null").expect("a device"),
    ];
    std::fs::remove_file(gone).expect("it is there");
    let mut expected: Vec<String> = files.iter().map(shown).collect();
    assert!(expected[2].ends_with(" (deleted)") && expected[1].len() > 800, "{expected:?}");
    // In no directory: the kernel's own words for that differ.
    files.push(memfd_create("in-memory", MemfdFlags::CLOEXEC).expect("a memfd").into());
    expected.push("memfd:in-memory".to_string());
    // Too long: the begin is missing.
    let deeper = (0..3).fold(deep, |path, _| path.join("e".repeat(200)));
    std::fs::create_dir_all(&deeper).expect("directories");
    files.push(made(&deeper.join("end")));
    let long = shown(&files[files.len() - 1]);

    let tool = Tool::start("syncsnoop", &["--events", "-p", &std::process::id().to_string()]);
    // Again, where the kernel left a program out: each file is told of in time.
    let paths = |records: &[Value]| -> BTreeSet<String> {
        records.iter().map(|event| event["path"].as_str().expect("a path").to_string()).collect()
    };
    until(For::Record, "a record of each file", || {
        for file in &files {
            // A device without memory has nothing to be synced.
            let _ = fsync(file);
        }
        (tool.seen(paths).len() >= files.len()).then_some(())
    });
    let (records, _) = reported_by("syncsnoop", tool);
    let (cut, whole): (BTreeSet<String>, BTreeSet<String>) =
        paths(&records).into_iter().partition(|path| path.starts_with('…'));
    assert_eq!(whole, expected.into_iter().collect());
    let [end] = &cut.iter().map(|path| path.trim_start_matches('…')).collect::<Vec<_>>()[..] else {
        panic!("not one path that is cut: {cut:?}")
    };
    assert!(long.ends_with(end) && end.len() >= 1024 - 256, "{end} of {long}");
}

/// Calls while nobody reads: the ring buffer has a megabyte, for some 750 of them with their paths.
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
    // A record that comes later tells of the losses before it.
    until(For::Record, "losses of those before", || {
        sync();
        tool.seen(|records| sum(records, "lost") > 0).then_some(())
    });
    let (records, lost) = reported_by("syncsnoop", tool);
    // What is left out of others' calls where programs are preempted is lost, too: the kernel keeps account of it.
    let (told, most) = (records.len() as u64, made.get() + programs.left_out());
    let comparison = Comparison::of("syncsnoop", &["--events"]).part("a burst");
    let comparison = comparison.between("told", told, 0, made.get());
    comparison.between("told and lost", told + lost, made.get(), most).equal();
}
