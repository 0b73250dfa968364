//! `--comm` and `--user` of all tools that have tasks, together with `--cgroup`: four processes of four users and with four
//! names do the same known work at once, in a cgroup. What a tool is asked for must be exactly theirs.
#![allow(clippy::expect_used, reason = "tests")]

use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use tests::block_trace::Collector;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::hog::Place;
use tests::kernel::Allows;
use tests::mounted::Mounted;
use tests::overlay::Overlay;
use tests::programs::built;
use tests::records::{count, sum};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, kernel, lock};

use crate::owners::cases;
use crate::owners::cases::Case;
use crate::owners::watch::{disk_of, worker};

/// The names of the processes, and their real users; they have the rights of root.
const WHO: [(&str, &str); 4] =
    [("filter-a", "10001"), ("filter-b", "10002"), ("filter-c", "10003"), ("fifteen-bytes-x", "10009")];

/// A filter, and which of the processes pass it.
struct Filter {
    options: &'static [&'static str],
    passing: &'static [usize],
    /// With `--by process`: the records must be of these.
    by_process: bool,
}

const FILTERS: &[Filter] = &[
    Filter { options: &["--comm", "filter-c,filter-a"], passing: &[0, 2], by_process: true },
    Filter { options: &["--user", "10001", "--user", "10009"], passing: &[0, 3], by_process: false },
    // A beginning, all but one, and both options.
    Filter { options: &["--comm", "fi*,!filter-a", "--user", "!10002"], passing: &[2, 3], by_process: true },
];

/// What has most in one: a beginning, all but one, and both options.
const BOTH: &[Filter] = FILTERS.split_at(2).1;

/// Every kind of hook asks for the running task in the same way.
const OF_OTHER_KINDS: &[Filter] = &[Filter {
    options: &["--comm", "filter-b,fifteen-bytes-x", "--user", "10001,10002"],
    passing: &[1],
    by_process: true,
}];

/// Tests the tools of all cases with these filters and this kind of hook.
fn compare_by(kind: &str, filters: &[Filter], tools: impl Fn(&str) -> bool) {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let mounted = Mounted::new("ext4");
    for case in cases(kind).filter(|case| tools(case.tool)) {
        let scratch = tempfile::tempdir_in(mounted.path()).expect("a directory");
        let (disk, collector) = disk_of(case);
        let cgroup = Cgroup::new();
        let all: Vec<Vec<&str>> = filters.iter().map(|filter| options(case, filter, kind, &cgroup)).collect();
        let tools = Tool::start_all(case.tool, &all);
        let start = |(number, (name, user)): (usize, &(&str, &str))| {
            let who = ["--as", name, "--real-uid", user];
            worker(case, scratch.path(), disk.as_ref(), number, &cgroup, &who)
        };
        let mut workers: Vec<Workload> = WHO.iter().enumerate().map(start).collect();
        // A kretprobe on 5.10 has room for one call per possible processor.
        if kind != "kprobe" {
            workers.iter_mut().for_each(Workload::go_on);
        }
        let ids: Vec<u32> = workers.iter().map(Workload::id).collect();
        workers.into_iter().for_each(|workload| drop(workload.finish()));
        if case.tool == "proclife" {
            // The last child may be reaped a moment later.
            tools.iter().for_each(|tool| drop(tool.until_records(2)));
        }
        tools.iter().for_each(|tool| tool.signal(Signal::INT));
        let missed = missed(collector, &ids);
        for (filter, tool) in filters.iter().zip(tools) {
            compare(case, kind, filter, &ids, &missed, &tool.wait().records);
        }
    }
}

fn options<'a>(case: &Case, filter: &Filter, kind: &'a str, cgroup: &'a Cgroup) -> Vec<&'a str> {
    let by: &[&str] = if filter.by_process { &["--by", "process"] } else { &[] };
    let common = ["--cgroup", cgroup.path(), "--attach", kind, "-q"];
    [&common[..], by, filter.options, case.options, &[case.interval]].concat()
}

/// How much of each one's work no BPF program could observe.
fn missed(collector: Option<Collector>, ids: &[u32]) -> Vec<u64> {
    let requests = collector.map_or_else(Vec::new, Collector::end);
    let of = |id| requests.iter().filter(move |request| request.unobserved && request.is_made_by(id));
    ids.iter().map(|id| of(*id).count() as u64).collect()
}

/// Asserts that the records are of all work of those that pass, and of no other's.
fn compare(case: &Case, kind: &str, filter: &Filter, ids: &[u32], missed: &[u64], records: &[Value]) {
    let mut all = case.in_all();
    // What a child executes has another name, by which it ends.
    if filter.options.contains(&"--comm") {
        let execs = all.get_mut("execs").map_or(0, std::mem::take);
        all.entry("exits").and_modify(|exits| *exits -= execs);
    }
    let fields: Vec<&str> = all.keys().copied().collect();
    let compare = |of: &str, records: &[&Value], each: &dyn Fn(&str) -> u64, missed: u64| {
        let reported: Vec<u64> =
            fields.iter().map(|field| records.iter().map(|record| count(record, field)).sum()).collect();
        let expected: Vec<u64> = fields.iter().map(|field| each(field)).collect();
        let shown: Vec<u64> = expected.iter().map(|number| number.saturating_sub(missed)).collect();
        let fits = reported.iter().zip(&shown).all(|(reported, shown)| reported <= shown);
        let comparison = Comparison::of(case.tool, &[&["--attach", kind], filter.options].concat());
        let comparison = comparison.part(of).lost(sum(records.iter().copied(), "lost")).each_of(case.lost);
        let comparison = comparison.fields(&fields, &reported, if fits { &shown } else { &expected });
        match case.tool {
            _ if case.interrupts => comparison.equal_minus_lost(),
            // The skipped program may be the one that records the owner of a connection.
            "tcplife" => comparison.equal_within_lost(),
            _ => comparison.equal(),
        }
    };
    let number = filter.passing.len() as u64;
    let every: Vec<&Value> = records.iter().collect();
    let missed_of = |place: &usize| missed[*place];
    compare("all", &every, &|field| number * all[field], filter.passing.iter().map(missed_of).sum());
    if !filter.by_process {
        return;
    }
    let own = |field: &str| {
        let of = case.expected.iter().chain(case.threads).filter(|(name, _)| *name == field);
        of.map(|(_, number)| number).sum::<u64>()
    };
    for (place, id) in ids.iter().enumerate() {
        let passes = filter.passing.contains(&place);
        // What is lost is said once, in the first record of an interval.
        if passes && sum(records, "lost") > 0 {
            continue;
        }
        let of: Vec<&Value> = records.iter().filter(|record| record["pid"] == *id).collect();
        let missed = if passes { missed[place] } else { 0 };
        compare(WHO[place].0, &of, &|field| u64::from(passes) * own(field), missed);
    }
}

#[test]
fn names_and_users_are_exactly_those_asked_for_by_the_best_rungs() {
    compare_by("auto", FILTERS, |_| true);
}

#[test]
fn names_and_users_are_exactly_those_asked_for_by_kprobes() {
    compare_by("kprobe", OF_OTHER_KINDS, |_| true);
}

#[test]
fn names_and_users_are_exactly_those_asked_for_by_tracepoints() {
    compare_by("tracepoint", OF_OTHER_KINDS, |_| true);
}

/// In guests, where each tool's start takes seconds.
#[test]
fn both_filters_of_every_tool_by_the_best_rungs() {
    compare_by("auto", BOTH, |_| true);
}

/// A tool of calls, and one that remembers who began what ends elsewhere.
fn of_each_way(tool: &str) -> bool {
    ["vfsstat", "biolat"].contains(&tool)
}

#[test]
fn both_filters_of_two_tools_by_kprobes() {
    compare_by("kprobe", OF_OTHER_KINDS, of_each_way);
}

#[test]
fn both_filters_of_two_tools_by_tracepoints() {
    compare_by("tracepoint", OF_OTHER_KINDS, of_each_way);
}

/// Without another filter, where everything else on the machine goes on.
#[test]
fn a_users_processes_and_the_zombies_it_leaves() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let filters: [&[&str]; 4] = [
        &["--user", "10001"],
        &["--comm", "filter-b"],
        &["--comm", "filter-b", "--user", "10001"],
        &["--user", "!10001", "--comm", "filter-*"],
    ];
    let all: Vec<Vec<&str>> = filters.iter().map(|filter| [filter, &["-q", "0.2"][..]].concat()).collect();
    let tools = Tool::start_all("proclife", &all);
    let work = |number: usize, forks: &str, zombies: &str| {
        let (name, user) = WHO[number];
        let who = ["--as", name, "--real-uid", user];
        let work = ["processes", "--forks", forks, "--zombies", zombies, "--hold"];
        let mut workload = Workload::start(&[&work[..], &who].concat());
        workload.until_says("held");
        workload
    };
    let held = [work(0, "31", "3"), work(1, "47", "5")];
    let shown =
        |zombies: u64| move |records: &[Value]| records.iter().any(|record| record["zombies"] == zombies);
    for (tool, zombies) in tools.iter().zip([3, 5, 0, 5]) {
        tool.until("the zombies", shown(zombies));
    }
    // Each holds twice.
    held.into_iter().for_each(|workload| drop(workload.finish()));
    let most = |records: &[Value]| records.iter().map(|record| count(record, "zombies")).max();
    for (tool, ((forks, zombies), options)) in
        tools.into_iter().zip([(31, 3), (47, 5), (0, 0), (47, 5)].into_iter().zip(all))
    {
        // The last to be reaped are told a moment later on some kernels.
        tool.until_records(2);
        let records = tool.interrupt().records;
        assert_eq!(most(&records), Some(zombies), "{options:?}");
        let comparison = Comparison::of("proclife", &options).lost(sum(&records, "lost"));
        let comparison = comparison.field("forks", sum(&records, "forks"), forks);
        // It waits for all of them, and another process for itself.
        let comparison =
            comparison.field("exits", sum(&records, "exits"), if forks > 0 { forks + 1 } else { 0 });
        comparison.equal();
    }
}

/// Beneath an overlay the kernel reads with the rights of who mounted it.
#[test]
fn what_an_overlay_reads_beneath_is_of_its_caller() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let mounted = Mounted::new("ext4");
    let overlay = Overlay::new(mounted.path());
    let file = overlay.path().join("file");
    let file = file.to_str().expect("UTF-8");
    Workload::run(&["cache", "--file", file, "--do", "make", "--pages", "211"]);
    let cgroup = Cgroup::new();
    let common = ["-q", "--fs", "ext4", "--op", "read", "--cgroup", cgroup.path(), "3600"];
    let filters: [&[&str]; 3] = [&[], &["--user", "10001"], &["--user", "0"]];
    let all: Vec<Vec<&str>> = filters.iter().map(|filter| [filter, &common[..]].concat()).collect();
    let tools = Tool::start_all("fslat", &all);
    let work = ["cache", "--file", file, "--do", "read", "--bytes", "4096", "--lock"];
    Workload::run(&[&work[..], &["--cgroup", cgroup.path(), "--real-uid", "10001"]].concat());
    let counts: Vec<u64> = tools.into_iter().map(|tool| sum(&tool.interrupt().records, "count")).collect();
    assert_eq!((counts[1], counts[2]), (counts[0], 0));
    // System calls are of the overlay alone.
    let functions = ["fentry", "kprobe"].into_iter().any(|kind| kernel::allows(kind) == Allows::Yes);
    assert_eq!(counts[0] >= 211, functions, "{counts:?}");
}

#[test]
fn a_victim_is_asked_for_by_its_name_and_user() {
    if !can_run() || !kernel::allows_or_refuses("oomwatch", "btf") {
        return;
    }
    let _machine = lock::machine();
    let filters = [["--comm", "filter-a"], ["--user", "10002"], ["--user", "!10002"]];
    let all: Vec<Vec<&str>> = filters.iter().map(|filter| [&filter[..], &["-q"]].concat()).collect();
    let tools = Tool::start_all("oomwatch", &all);
    let ids = [0, 1].map(|number| {
        let (name, user) = WHO[number];
        let place = Place::new(64 << 20);
        let hog = place.hog(&["--name", name, "--uid", user, "--anon", "32768"]);
        let id = hog.id();
        hog.killed();
        id
    });
    for (tool, id) in tools.into_iter().zip([ids[0], ids[1], ids[0]]) {
        tool.until("the kill", |records| !records.is_empty());
        let records = tool.interrupt().records;
        let pids: Vec<&Value> = records.iter().map(|record| &record["pid"]).collect();
        assert_eq!(pids, [&Value::from(id)], "{records:?}");
    }
}

#[test]
fn sockets_are_asked_for_by_who_made_them() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let sockets = |user: &str, pairs: &str| {
        let work =
            ["sockets", "--listeners", "1", "--udp", "2", "--pairs", pairs, "--hold", "--fs-uid", user];
        let workload = Workload::start(&[&work[..], &["--cgroup", cgroup.path()]].concat());
        while workload.line().expect("it holds them").trim() != "held" {}
        workload
    };
    let held = [sockets("10001", "3"), sockets("10002", "7"), sockets("10003", "11")];
    let told = |filter: &[&str]| {
        let options = [filter, &["-q", "--proto", "tcp,udp", "--cgroup", cgroup.path()]].concat();
        let records = Tool::spawn(Command::new(built("sockls")).args(options)).wait().records;
        let mut users: Vec<&str> = records.iter().filter_map(|record| record["user"].as_str()).collect();
        users.sort_unstable();
        users.dedup();
        (users.join(","), sum(&records, "sockets"))
    };
    // One listener and two of UDP each, and two sockets a pair.
    assert_eq!(told(&["--user", "10001,10003"]), ("10001,10003".to_string(), 2 * 3 + 2 * 14));
    assert_eq!(told(&["--user", "!10001"]), ("10002,10003".to_string(), 2 * 3 + 2 * 18));
    assert_eq!(told(&["--user", "10002", "--comm", "work*"]), ("10002".to_string(), 3 + 2 * 7));
    assert_eq!(told(&["--user", "10002", "--comm", "!workload"]), (String::new(), 0));
    held.into_iter().for_each(|workload| drop(workload.finish()));
}
