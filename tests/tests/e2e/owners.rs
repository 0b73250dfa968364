//! `--by` of all tools that have it: three processes in two cgroups do the same known work. The
//! records of each process, thread, parent, command, cgroup and app must be exactly its own work,
//! and add up to the totals that each tool's own tests verify for the system. oomwatch is tested in
//! `oomwatch.rs`.
#![allow(clippy::expect_used, reason = "tests")]

pub mod cases;
mod compare;
pub mod watch;

use cases::{CASES, Case, TESTED_ELSEWHERE};
use compare::{compare, unobserved};
use rustix::process::Signal;
use serde_json::Value;
use tests::bpf::Programs;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::freed_tasks::FreedTasks;
use tests::kernel::{self, Allows};
use tests::mounted::Mounted;
use tests::programs::{TOOLS, has_option};
use tests::records::sum;
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock};
use watch::{watch, work};

/// The cases that this kind of hook supports.
pub fn cases(kind: &str) -> impl Iterator<Item = &'static Case> {
    let allowed = |kind| kernel::allows(kind) == Allows::Yes;
    // Lookups have no tracepoint.
    let functions = allowed("fentry") || allowed("kprobe");
    let kind_allowed = allowed(kind);
    CASES.iter().filter(move |case| {
        kind_allowed && case.kinds.contains(&kind) && (functions || case.tool != "dcstat")
    })
}

/// A tool with `--by` without a case would not be noticed.
#[test]
fn each_tool_that_attributes_has_a_case() {
    for tool in TOOLS.into_iter().filter(|tool| has_option(tool, "--by")) {
        let tested = CASES.iter().any(|case| case.tool == tool) || TESTED_ELSEWHERE.contains(&tool);
        assert!(tested, "{tool} has --by, and no case in tests/tests/e2e/owners/cases.rs: add one");
    }
}

/// Tests these tools with each kind of owner and this kind of hook.
fn compare_by(kind: &str, bys: &[&'static str], tools: impl Fn(&str) -> bool) {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let mounted = Mounted::new("ext4");
    let mut ending = None;
    for case in cases(kind).filter(|case| tools(case.tool)) {
        // Each of the three processes has 101 children, which may all be in one interval.
        let watched = watch(case, mounted.path(), kind, bys, "1024", None);
        // The previous tools have detached since.
        ending.take().into_iter().for_each(|(watched, worked)| compare(kind, watched, worked));
        let worked = work(&watched, kind != "kprobe");
        for (_, tool) in &watched.tools {
            if case.tool == "proclife" {
                // The last child may be reaped a moment later.
                tool.until_records(2);
            }
        }
        watched.tools.iter().for_each(|(_, tool)| tool.signal(Signal::INT));
        ending = Some((watched, worked));
    }
    ending.into_iter().for_each(|(watched, worked)| compare(kind, watched, worked));
}

/// One tool of calls, one of tasks: all tools determine the owner in the same way.
fn of_calls_and_tasks(tool: &str) -> bool {
    ["syncsnoop", "proclife"].contains(&tool)
}

/// Tools of files, which have the most code between the work and its owner.
fn of_files(tool: &str) -> bool {
    ["cachestat", "dcstat", "fslat"].contains(&tool)
}

#[test]
fn all_kinds_of_owners_add_up_of_two_tools() {
    compare_by("auto", &["process", "comm", "cgroup", "thread", "parent", "app"], of_calls_and_tasks);
}

/// Tools whose work ends in another task's context: they remember who began it.
fn that_remember(tool: &str) -> bool {
    ["biolat", "tcplife"].contains(&tool)
}

#[test]
fn processes_add_up_of_the_other_tools() {
    compare_by("auto", &["process"], |tool| !of_calls_and_tasks(tool));
}

#[test]
fn cgroups_and_apps_add_up_of_the_tools_that_remember() {
    compare_by("auto", &["cgroup", "app", "top"], that_remember);
}

/// Kinds that the tests above have for some tools only: what a kind reads of the task is the same in all.
#[test]
fn the_other_owners_add_up_of_the_other_tools() {
    compare_by("auto", &["comm", "thread", "parent", "cgroup", "app", "top"], of_files);
    compare_by("auto", &["comm", "thread", "parent"], that_remember);
    compare_by("auto", &["comm", "thread", "parent", "cgroup", "app", "top"], |tool| {
        !of_calls_and_tasks(tool) && !of_files(tool) && !that_remember(tool)
    });
}

/// The current task is read in the same way with every hook: one kind of owner is sufficient.
#[test]
fn processes_add_up_by_kprobes() {
    compare_by("kprobe", &["process"], of_each_sort);
}

#[test]
fn processes_add_up_by_tracepoints() {
    compare_by("tracepoint", &["process"], of_each_sort);
}

/// The tools that are not of these sorts read it by the same lines.
fn of_each_sort(tool: &str) -> bool {
    of_calls_and_tasks(tool) || of_files(tool) || that_remember(tool)
}

#[test]
fn processes_of_similar_tools_add_up_by_kprobes() {
    compare_by("kprobe", &["process"], |tool| !of_each_sort(tool));
}

#[test]
fn processes_of_similar_tools_add_up_by_tracepoints() {
    compare_by("tracepoint", &["process"], |tool| !of_each_sort(tool));
}

/// With room for a single process, the work of the others is counted as lost.
#[test]
fn what_finds_no_room_is_lost_and_counted() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let mounted = Mounted::new("ext4");
    // One interval for all work: the next would have room again. Tools that count, that time, and
    // that remember which process began what another ends.
    for case in cases("auto").filter(|case| ["dcstat", "fslat", "biolat"].contains(&case.tool)) {
        let mut watched = watch(case, mounted.path(), "auto", &["process"], "1", Some("600"));
        let ids: Vec<u32> = work(&watched, true).into_iter().map(|(id, _)| id).collect();
        let (_, tool) = watched.tools.remove(0);
        let programs = Programs::of(tool.pid());
        let records = tool.interrupt().records;
        let unobserved: u64 = unobserved(watched.collector.take(), &ids).iter().sum();
        let total = |records: &[Value]| case.events.iter().map(|field| sum(records, field)).sum::<u64>();
        let each: u64 = case.events.iter().map(|field| case.in_all()[field]).sum();
        let (reported, lost) = (total(&records), sum(&records, "lost"));
        let (known, all) = (reported * case.loses + lost, 3 * each * case.loses);
        adds_up(case.tool, known, all, unobserved * case.loses, &programs);
        assert!(reported > 0 && reported <= each, "{}: {records:?}", case.tool);
        assert!(lost > 0, "{}: {records:?}", case.tool);
    }
}

/// Asserts that reported and lost work add up to all work, except for what no BPF program could
/// observe. Where the kernel skips programs, which it counts, the skipped runs for other tasks'
/// work are in `lost`, too.
fn adds_up(tool: &str, known: u64, all: u64, unobserved: u64, programs: &Programs) {
    let known = if known + unobserved == all { all } else { known };
    let most = all + programs.left_out();
    Comparison::of(tool, &[]).part("--map-size").between("reported and lost", known, all, most).equal();
}

/// A thousand processes with room for sixteen: reported and lost work add up.
#[test]
fn a_thousand_processes_in_room_for_sixteen() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let options = ["--cgroup", cgroup.path(), "--by", "process", "--map-size", "16", "-q", "600"];
    let tool = Tool::start("proclife", &options);
    let (freed_tasks, programs) = (FreedTasks::follow(), Programs::of(tool.pid()));
    let workload = Workload::start(&["processes", "--forks", "1000", "--cgroup", cgroup.path()]);
    let id = workload.id();
    workload.finish();
    freed_tasks.until_freed(&[id], 1_001);
    let records = tool.interrupt().records;
    let reported: u64 = ["forks", "exits", "reaped"].iter().map(|field| sum(&records, field)).sum();
    let lost = sum(&records, "lost");
    // It and its children exit and are reaped; for some kernels see `proclife.rs`.
    let all = 1_000 + 2 * 1_001;
    adds_up("proclife", reported + lost, all, freed_tasks.unobserved(&[id]), &programs);
    assert_eq!(records.len(), 16, "{records:?}");
    assert!(lost > 0);
}
