//! `--by` of all tools that have it: three processes in two cgroups do the same known work; what is told of each process,
//! command and cgroup is just its own, and adds up to what is told of the system.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tests::cgroup::{self, Cgroup};
use tests::kernel::{self, Allows};
use tests::records::{agree, count, sum};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock, programs};

/// A tool, and work for it.
struct Case {
    tool: &'static str,
    /// The workload's arguments, `DIRECTORY` standing for one of its own.
    work: &'static [&'static str],
    /// The name of the threads that work.
    comm: &'static str,
    /// What is told of the work: fields, and their sums over all that one process does.
    expected: &'static [(&'static str, u64)],
    /// How many of these an event that is lost is missing from.
    lost: u64,
}

const CASES: &[Case] = &[Case {
    tool: "syncsnoop",
    // A probe of returns on 5.10 has room for one call per processor, of which each guest has two.
    work: &["syncs", "--directory", "DIRECTORY", "--threads", "2"],
    comm: "syncer",
    expected: &[("count", 17 + 32 + 218 + 108 + 48 + 56), ("errors", 3 + 7 + 5 + 7 + 3)],
    lost: 2,
}];

/// Runs the work of a case in three processes, two in the first cgroup and one in the second; their ids.
fn work(case: &Case, scratch: &Path, cgroups: [&Cgroup; 2], at_once: bool) -> Vec<u32> {
    let of = [cgroups[0], cgroups[0], cgroups[1]];
    let start = |(number, cgroup): (usize, &Cgroup)| {
        let own = scratch.join(number.to_string());
        std::fs::create_dir_all(&own).expect("a directory");
        let own = own.to_str().expect("UTF-8");
        let mut args: Vec<&str> =
            case.work.iter().map(|word| if *word == "DIRECTORY" { own } else { word }).collect();
        args.extend(["--cgroup", cgroup.path(), "--wait"]);
        let mut workload = Workload::start(&args);
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
    for case in CASES.iter().filter(|_| kernel::allows(kind) == Allows::Yes) {
        let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
        let parent = Cgroup::new();
        let cgroups = [parent.child(), parent.child()];
        let start =
            |by| Tool::start(case.tool, &["--cgroup", parent.path(), "--attach", kind, "--by", by, "0.2"]);
        let tools = ["system", "process", "comm", "cgroup"].map(start);
        let ids = work(case, scratch.path(), [&cgroups[0], &cgroups[1]], kind != "kprobe");
        tools.iter().for_each(|tool| drop(tool.until_records(2)));
        let [system, process, comm, cgroup] = tools.map(|tool| tool.interrupt().records);

        let times = |n: u64| case.expected.iter().map(|(_, number)| n * number).collect::<Vec<_>>();
        let what = format!("{} --attach {kind} --by", case.tool);
        let told: Vec<u64> = case.expected.iter().map(|(field, _)| sum(&system, field)).collect();
        agree(&format!("{what} system"), &told, &times(3), case.lost * sum(&system, "lost"));

        let mount = cgroup::mount();
        let path = |cgroup: &Cgroup| {
            let below = Path::new(cgroup.path()).strip_prefix(&mount).expect("below the mount point");
            format!("/{}", below.display())
        };
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
    for case in CASES {
        let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
        let cgroup = Cgroup::new();
        // One interval for all: the next would have room anew.
        let tool =
            Tool::start(case.tool, &["--cgroup", cgroup.path(), "--by", "process", "--map-size", "1", "600"]);
        work(case, scratch.path(), [&cgroup, &cgroup], true);
        let records = tool.interrupt().records;
        let (field, each) = case.expected[0];
        let (told, lost) = (sum(&records, field), sum(&records, "lost"));
        assert_eq!((told + lost, records.len() <= 1), (3 * each, true), "{}: {records:?}", case.tool);
        assert!(lost > 0, "{}: {records:?}", case.tool);
    }
}
