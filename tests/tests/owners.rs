//! `--by` of all tools that have it: three processes in two cgroups do the same known work; what is told of each process,
//! command and cgroup is just its own, and adds up to what is told of the system.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use tests::cgroup::{self, Cgroup};
use tests::kernel::{self, Allows};
use tests::mounted::Mounted;
use tests::records::{agree, count, sum};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock};

/// A tool, and work for it.
struct Case {
    tool: &'static str,
    options: &'static [&'static str],
    /// The workload's arguments, `DIRECTORY` standing for one of its own, and the option by which it joins a cgroup.
    work: &'static [&'static str],
    joins: &'static str,
    /// The same, of what it needs first.
    prepare: &'static [&'static str],
    /// The name of the threads that work.
    comm: &'static str,
    /// What is told of the work: fields, and their sums over all that one process does.
    expected: &'static [(&'static str, u64)],
    /// How many of these an event that is lost is missing from.
    lost: u64,
}

// A probe of returns on 5.10 has room for one call per possible processor, of which each guest has eight.
const CASES: &[Case] = &[
    Case {
        tool: "syncsnoop",
        options: &[],
        work: &["syncs", "--directory", "DIRECTORY", "--threads", "2"],
        joins: "--cgroup",
        prepare: &[],
        comm: "syncer",
        expected: &[("count", 17 + 32 + 218 + 108 + 48 + 56), ("errors", 3 + 7 + 5 + 7 + 3)],
        lost: 2,
    },
    Case {
        tool: "fslat",
        options: &["--fs", "ext4", "--op", "read,sync"],
        work: &["files", "--directory", "DIRECTORY", "--threads", "1"],
        joins: "--join",
        prepare: &[],
        comm: "files",
        expected: &[("count", 401 + 503 + 11 + 13 + 17 + 7 + 31 + 9 + 13), ("errors", 7)],
        lost: 2,
    },
    Case {
        tool: "cachestat",
        options: &[],
        work: &["cache", "--file", "DIRECTORY/file", "--do", "read", "--bytes", "4096"],
        joins: "--join",
        prepare: &["cache", "--file", "DIRECTORY/file", "--do", "make", "--pages", "1009"],
        comm: "workload",
        expected: &[("reads", 1_009), ("accesses", 1_009), ("hits", 1_009), ("misses", 0)],
        lost: 3,
    },
    Case {
        tool: "dcstat",
        options: &[],
        work: &["lookups", "--directory", "DIRECTORY", "--times", "211"],
        joins: "--join",
        prepare: &[],
        comm: "workload",
        expected: &[("references", 7 * 211), ("slow", 0), ("misses", 0)],
        lost: 1,
    },
];

/// Those that can be had by this kind of hook.
fn cases(kind: &str) -> impl Iterator<Item = &'static Case> {
    let allowed = |kind| kernel::allows(kind) == Allows::Yes;
    // There is no tracepoint of look-ups.
    let functions = allowed("fentry") || allowed("kprobe");
    let kind_allowed = allowed(kind);
    CASES.iter().filter(move |case| kind_allowed && (functions || case.tool != "dcstat"))
}

/// Runs the work of a case in three processes, two in the first cgroup and one in the second; their ids.
fn work(case: &Case, scratch: &Path, cgroups: [&Cgroup; 2], at_once: bool) -> Vec<u32> {
    let of = [cgroups[0], cgroups[0], cgroups[1]];
    let start = |(number, cgroup): (usize, &Cgroup)| {
        let own = scratch.join(number.to_string());
        std::fs::create_dir_all(&own).expect("a directory");
        let own = own.to_str().expect("UTF-8");
        let filled = |words: &[&str]| -> Vec<String> {
            words.iter().map(|word| word.replace("DIRECTORY", own)).collect()
        };
        let (prepare, mut args) = (filled(case.prepare), filled(case.work));
        if !prepare.is_empty() {
            Workload::run(&prepare.iter().map(String::as_str).collect::<Vec<_>>());
        }
        args.extend([case.joins, cgroup.path(), "--wait"].map(str::to_string));
        let mut workload = Workload::start(&args.iter().map(String::as_str).collect::<Vec<_>>());
        workload.until_says("ready");
        workload
    };
    let mut started: Vec<_> = of.into_iter().enumerate().map(start).collect();
    let ids = started.iter().map(Workload::id).collect();
    if at_once {
        started.iter_mut().for_each(Workload::go_on);
    }
    started.into_iter().for_each(|workload| drop(workload.finish()));
    ids
}

/// The sums of the fields over the records of each owner, who is named by a field.
fn by_owner(case: &Case, records: &[Value], field: &str) -> BTreeMap<String, Vec<u64>> {
    let mut owners = BTreeMap::new();
    for record in records.iter().filter(|record| !record[field].is_null()) {
        let owner = record[field].as_str().map_or_else(|| record[field].to_string(), str::to_string);
        let sums = owners.entry(owner).or_insert_with(|| vec![0; case.expected.len()]);
        sums.iter_mut().zip(case.expected).for_each(|(sum, (name, _))| *sum += count(record, name));
    }
    owners
}

/// Compares what is told by each kind of owner, by this kind of hook.
fn told_by(kind: &str) {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let mounted = Mounted::new("ext4");
    for case in cases(kind) {
        let scratch = tempfile::tempdir_in(mounted.path()).expect("a directory");
        let parent = Cgroup::new();
        let cgroups = [parent.child(), parent.child()];
        let path = parent.path();
        let start = |by| {
            let common = ["--cgroup", path, "--attach", kind, "--by", by, "-q", "0.2"];
            Tool::start(case.tool, &[&common, case.options].concat())
        };
        // At once: to attach is mostly to wait for grace periods.
        let tools = std::thread::scope(|scope| {
            let started = ["system", "process", "comm", "cgroup"].map(|by| scope.spawn(move || start(by)));
            started.map(|tool| tool.join().expect("it attaches"))
        });
        let ids = work(case, scratch.path(), [&cgroups[0], &cgroups[1]], kind != "kprobe");
        tools.iter().for_each(|tool| drop(tool.until_records(2)));
        tools.iter().for_each(|tool| tool.signal(Signal::INT));
        let [system, process, comm, cgroup] = tools.map(|tool| tool.wait().records);

        let times = |n: u64| case.expected.iter().map(|(_, number)| n * number).collect::<Vec<_>>();
        let what = format!("{} --attach {kind} --by", case.tool);
        let told: Vec<u64> = case.expected.iter().map(|(field, _)| sum(&system, field)).collect();
        agree(&format!("{what} system"), &told, &times(3), case.lost * sum(&system, "lost"));

        let path = |cgroup: &Cgroup| cgroup::name(cgroup.path());
        let expected = [
            ("pid", &process, ids.iter().map(|id| (id.to_string(), 1)).collect::<BTreeMap<_, _>>()),
            ("comm", &comm, BTreeMap::from([(case.comm.to_string(), 3)])),
            ("cgroup", &cgroup, BTreeMap::from([(path(&cgroups[0]), 2), (path(&cgroups[1]), 1)])),
        ];
        for (field, records, shares) in expected {
            let told = by_owner(case, records, field);
            let owners = |of: &BTreeMap<String, _>| of.keys().cloned().collect::<Vec<_>>();
            assert_eq!(told.keys().cloned().collect::<Vec<_>>(), owners(&shares), "{what} {field}");
            let expected: Vec<u64> = shares.values().flat_map(|share| times(*share)).collect();
            let told: Vec<u64> = told.into_values().flatten().collect();
            agree(&format!("{what} {field}"), &told, &expected, case.lost * sum(records, "lost"));
        }
        // A process bears the name of its first thread.
        let named = process.iter().filter(|record| !record["pid"].is_null());
        assert!(named.clone().count() > 0 && named.clone().all(|record| record["comm"] == "workload"));
    }
}

#[test]
fn owners_add_up_to_the_system_by_the_best_rungs() {
    told_by("auto");
}

#[test]
fn owners_add_up_to_the_system_by_kprobes() {
    told_by("kprobe");
}

#[test]
fn owners_add_up_to_the_system_by_tracepoints() {
    told_by("tracepoint");
}

/// With room for one process only the others' work is lost, and counted so.
#[test]
fn what_finds_no_room_is_lost_and_counted() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let mounted = Mounted::new("ext4");
    for case in cases("auto") {
        let scratch = tempfile::tempdir_in(mounted.path()).expect("a directory");
        let cgroup = Cgroup::new();
        // One interval for all: the next would have room anew.
        let common = ["--cgroup", cgroup.path(), "--by", "process", "--map-size", "1", "-q", "600"];
        let tool = Tool::start(case.tool, &[&common, case.options].concat());
        work(case, scratch.path(), [&cgroup, &cgroup], true);
        let records = tool.interrupt().records;
        let (field, each) = case.expected[0];
        let (told, lost) = (sum(&records, field), sum(&records, "lost"));
        // Where programs can be preempted, what they miss of others' work is in lost, too.
        let all = 3 * each;
        let exact = kernel::release() < (6, 18);
        assert!(told + lost == all || !exact && told + lost > all, "{}: {records:?}", case.tool);
        assert!(told > 0 && told <= each && records.len() == 1, "{}: {records:?}", case.tool);
        assert!(lost > 0, "{}: {records:?}", case.tool);
    }
}
