//! `--by` of all tools that have it: three processes in two cgroups do the same known work. The
//! records of each process, thread, parent, command, cgroup and app must be exactly its own work,
//! and add up to the totals that each tool's own tests verify for the system. oomwatch is tested in
//! `oomwatch.rs`.
#![allow(clippy::expect_used, reason = "tests")]

#[path = "owners/cases.rs"]
mod cases;

use std::collections::BTreeMap;
use std::path::Path;

use cases::{CASES, Case};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tests::block_trace::Collector;
use tests::bpf::Programs;
use tests::cgroup::{self, Cgroup};
use tests::comparison::Comparison;
use tests::disk::Disk;
use tests::freed_tasks::FreedTasks;
use tests::kernel::{self, Allows};
use tests::mounted::Mounted;
use tests::records::{count, sum};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock};

/// The cases that this kind of hook supports.
fn cases(kind: &str) -> impl Iterator<Item = &'static Case> {
    let allowed = |kind| kernel::allows(kind) == Allows::Yes;
    // Lookups have no tracepoint.
    let functions = allowed("fentry") || allowed("kprobe");
    let kind_allowed = allowed(kind);
    CASES.iter().filter(move |case| {
        kind_allowed && case.kinds.contains(&kind) && (functions || case.tool != "dcstat")
    })
}

/// The distance in bytes between the areas of a disk that two processes use.
const PLACE: usize = 4 << 20;

/// A running case: its tools, each with another kind of owner, and the place of its work.
struct Watched {
    case: &'static Case,
    scratch: TempDir,
    disk: Option<Disk>,
    /// The disk's requests that no BPF program can observe; in a guest there are none.
    collector: Option<Collector>,
    cgroups: [Cgroup; 2],
    tools: Vec<(&'static str, Tool)>,
    // Last: its children must be removed first.
    parent: Cgroup,
}

/// Starts the tools of a case at once: attaching mostly waits for grace periods.
fn watch(
    case: &'static Case,
    on: &Path,
    kind: &str,
    bys: &[&'static str],
    room: &str,
    interval: Option<&str>,
) -> Watched {
    let groups = on.join("groups");
    std::fs::write(&groups, "none: nobody\nworkers: workl* # all three\n").expect("a file");
    let groups = groups.to_str().expect("UTF-8");
    let scratch = tempfile::tempdir_in(on).expect("a directory");
    let disk = case.work.contains(&"DISK").then(|| {
        let disk = Disk::over_file(16);
        // Requests of several processes could be merged into one.
        disk.set("nomerges", "2");
        disk
    });
    let collector =
        disk.as_ref().filter(|_| kernel::of_guest().is_none()).map(|disk| Collector::start(&disk.name));
    let parent = Cgroup::new();
    let cgroups = [parent.child(), parent.child()];
    let start = |by: &'static str| {
        let filter: &[&str] = match by {
            "app" => &["--by", by, "--apps", groups],
            "top" => &["--by", "process", "--top", "1"],
            _ => &["--by", by],
        };
        let common = ["--cgroup", parent.path(), "--attach", kind, "--map-size", room, "-q"];
        let interval = [interval.unwrap_or(case.interval)];
        Tool::start(case.tool, &[&common[..], filter, case.options, &interval].concat())
    };
    // `--top` uses the same code in all tools: testing one is sufficient.
    let bys = bys.iter().filter(|by| **by != "top" || case.tool == "vfsstat");
    let tools = std::thread::scope(|scope| {
        let started: Vec<_> = bys.map(|by| (*by, scope.spawn(|| start(by)))).collect();
        started.into_iter().map(|(by, tool)| (by, tool.join().expect("it attaches"))).collect()
    });
    Watched { case, scratch, disk, collector, cgroups, tools, parent }
}

/// Runs the work of a case in three processes, two in the first cgroup and one in the second;
/// returns their ids and the lines that they printed.
fn work(watched: &Watched, at_once: bool) -> Vec<(u32, Vec<Value>)> {
    let Watched { case, scratch, disk, cgroups, .. } = watched;
    let disk = disk.as_ref().map_or_else(String::new, Disk::path);
    let of = [&cgroups[0], &cgroups[0], &cgroups[1]];
    let start = |(number, cgroup): (usize, &Cgroup)| {
        let own = scratch.path().join(number.to_string());
        std::fs::create_dir_all(&own).expect("a directory");
        let own = own.to_str().expect("UTF-8");
        let filled = |words: &[&str]| -> Vec<String> {
            let place = (number * PLACE).to_string();
            let fill =
                |word: &str| word.replace("DIRECTORY", own).replace("DISK", &disk).replace("PLACE", &place);
            words.iter().map(|word| fill(word)).collect()
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
    if at_once {
        started.iter_mut().for_each(Workload::go_on);
    }
    started.into_iter().map(|workload| (workload.id(), workload.finish())).collect()
}

/// The sums of fields over the records of each owner, identified by a field.
fn by_owner(fields: &[&str], records: &[Value], named_by: &str) -> BTreeMap<String, Vec<u64>> {
    let mut owners = BTreeMap::new();
    for record in records.iter().filter(|record| !record[named_by].is_null()) {
        let name = &record[named_by];
        let owner = name.as_str().map_or_else(|| name.to_string(), str::to_string);
        let sums = owners.entry(owner).or_insert_with(|| vec![0; fields.len()]);
        sums.iter_mut().zip(fields).for_each(|(sum, field)| *sum += count(record, field));
    }
    owners
}

/// The field that identifies the owners of one kind, and the share of each in the work.
fn shares(
    case: &Case,
    by: &str,
    ids: &[u32],
    unobserved: [u64; 3],
    cgroups: &[Cgroup; 2],
) -> (&'static str, Shares) {
    let mut shares = Shares::new();
    let mut add = |owner: String, doers: [u64; 3], unobserved: u64| {
        let sum: &mut Share = shares.entry(owner).or_default();
        sum.doers.iter_mut().zip(doers).for_each(|(sum, doers)| *sum += doers);
        sum.unobserved += unobserved;
    };
    let all = unobserved.iter().sum();
    let field = match by {
        "process" | "thread" => {
            // There are too many children to list: their counts are in the sums.
            let each = ids.iter().zip(unobserved);
            each.for_each(|(id, unobserved)| {
                add(id.to_string(), [1, 0, u64::from(by == "process")], unobserved)
            });
            "pid"
        }
        "parent" => {
            add(std::process::id().to_string(), [3, 0, 3], all);
            ids.iter().filter(|_| !case.children.is_empty()).for_each(|id| add(id.to_string(), [0, 1, 0], 0));
            "ppid"
        }
        "comm" => {
            add(case.comm.to_string(), [3, 3, 0], all);
            if !case.threads.is_empty() {
                add("thread".to_string(), [0, 0, 3], 0);
            }
            "comm"
        }
        "cgroup" => {
            let path = |cgroup: &Cgroup| cgroup::name(cgroup.path());
            add(path(&cgroups[0]), [2; 3], unobserved[0] + unobserved[1]);
            add(path(&cgroups[1]), [1; 3], unobserved[2]);
            "cgroup"
        }
        "app" => {
            add("workers".to_string(), [3; 3], all);
            "app"
        }
        other => panic!("{other}: no such owners"),
    };
    (field, shares)
}

/// An owner's share of the work.
#[derive(Default)]
struct Share {
    /// The number of processes whose own work, children's work, and other threads' work count for
    /// this owner.
    doers: [u64; 3],
    /// The part that no BPF program could observe.
    unobserved: u64,
}

/// By owner.
type Shares = BTreeMap<String, Share>;

/// A case with one kind of hook and of owner.
struct Run<'a> {
    case: &'a Case,
    kind: &'a str,
    by: &'a str,
    records: &'a [Value],
}

impl Run<'_> {
    /// Asserts that the sums over records are as expected, except for the unobserved work, which is
    /// missing from each, and the lost events.
    fn compare(&self, of: &str, fields: &[&str], reported: &[u64], expected: &[u64], unobserved: u64) {
        let shown: Vec<u64> = expected.iter().map(|number| number.saturating_sub(unobserved)).collect();
        let all_shown = reported.iter().zip(&shown).all(|(reported, shown)| reported <= shown);
        let Self { case, kind, by, records } = self;
        let comparison = Comparison::of(case.tool, &[&["--attach", kind], case.options].concat());
        let comparison =
            comparison.part(format!("--by {by} {of}")).lost(sum(*records, "lost")).each_of(case.lost);
        let comparison = comparison.fields(fields, reported, if all_shown { &shown } else { expected });
        match case.tool {
            _ if case.interrupts => comparison.equal_minus_lost(),
            // The skipped program may be the one that records the owner of a connection.
            "tcplife" => comparison.equal_within_lost(),
            _ => comparison.equal(),
        }
    }
}

/// The part of each process's work that no BPF program could observe.
fn unobserved(collector: Option<Collector>, ids: &[u32]) -> [u64; 3] {
    let requests = collector.map_or_else(Vec::new, Collector::end);
    let of = |id| requests.iter().filter(move |request| request.unobserved && request.is_made_by(id));
    std::array::from_fn(|place| of(ids[place]).count() as u64)
}

/// Asserts that the records of each owner contain exactly its own work.
fn is_each_ones_own(run: &Run<'_>, (named_by, shares): (&str, Shares)) {
    let Run { case, kind, by, records } = run;
    let what = format!("{} --attach {kind} --by {by}", case.tool);
    let all = case.in_all();
    let fields: Vec<&str> = all.keys().copied().collect();
    let mut reported = by_owner(&fields, records, named_by);
    let missing: Vec<&String> = shares.keys().filter(|owner| !reported.contains_key(*owner)).collect();
    let lost = sum(*records, "lost");
    // While a task is preempted within a program, the kernel skips the program for all other tasks
    // on that processor: this may be all the work of another process.
    assert!(
        missing.is_empty() || lost > 0 && kernel::may_leave_out(case.tool),
        "{what}: owners {missing:?} missing from {reported:?}, lost {lost}"
    );
    for owner in missing {
        reported.insert(owner.clone(), vec![0; fields.len()]);
    }
    // The ids of children and of threads that it starts are unknown here.
    if case.children.is_empty() {
        assert_eq!(reported.len(), shares.len(), "{what}: {reported:?}");
    }
    for (owner, Share { doers, unobserved }) in &shares {
        let number = |of: &[(&str, u64)], field: &str| {
            of.iter().find(|(name, _)| *name == field).map_or(0, |(_, number)| *number)
        };
        let expected = |field: &&str| {
            [case.expected, case.children, case.threads]
                .iter()
                .zip(doers)
                .map(|(of, doers)| doers * number(of, field))
                .sum()
        };
        let expected: Vec<u64> = fields.iter().map(expected).collect();
        // By thread, the work of its other threads is separate.
        let reported = match case.threads.is_empty() || named_by != "pid" || doers[2] > 0 {
            true => reported[owner].clone(),
            false => {
                let first: Vec<_> =
                    records.iter().filter(|record| record["tid"] == record["pid"]).cloned().collect();
                by_owner(&fields, &first, named_by)[owner].clone()
            }
        };
        run.compare(owner, &fields, &reported, &expected, *unobserved);
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

/// Compares the records of stopped tools with the work done.
fn compare(kind: &str, watched: Watched, worked: Vec<(u32, Vec<Value>)>) {
    // In this order, because the last one bound is dropped first.
    let Watched { parent: _parent, case, cgroups, tools, collector, scratch: _scratch, disk } = watched;
    let ids: Vec<u32> = worked.iter().map(|(id, _)| *id).collect();
    let mut reported: BTreeMap<&str, Vec<Value>> =
        tools.into_iter().map(|(by, tool)| (by, tool.wait().records)).collect();
    if let Some(disk) = &disk {
        // A process that must page in its own program reads from another disk.
        let own = |record: &Value| record["disk"].is_null() || record["disk"] == disk.name.as_str();
        reported.values_mut().for_each(|records| records.retain(own));
    }
    let unobserved = unobserved(collector, &ids);
    let (fields, once): (Vec<&str>, Vec<u64>) = case.in_all().into_iter().unzip();
    let three: Vec<u64> = once.iter().map(|number| 3 * number).collect();
    for (by, records) in &reported {
        let sums: Vec<u64> = fields.iter().map(|field| sum(records, field)).collect();
        let run = Run { case, kind, by, records };
        run.compare("in all", &fields, &sums, &three, unobserved.iter().sum());
        if *by != "top" {
            is_each_ones_own(&run, shares(case, by, &ids, unobserved, &cgroups));
        }
    }
    if case.tool == "proclife" {
        all_are_reaped(kind, &reported);
    }
    names_are_right(case, &reported, &worked);
}

/// Reaped processes add up to the same for all owners; `proclife.rs` tests their number.
fn all_are_reaped(kind: &str, reported: &BTreeMap<&str, Vec<Value>>) {
    let (first, of_first) = reported.iter().next().expect("it was asked for some owners");
    let reaped = sum(of_first, "reaped");
    assert!(reaped > 0, "--by {first}: {of_first:?}");
    for (by, records) in reported {
        let comparison = Comparison::by("proclife", kind).part(format!("--by {by} beside --by {first}"));
        let lost = sum(of_first, "lost") + sum(records, "lost");
        comparison.field("reaped", sum(records, "reaped"), reaped).lost(lost).equal_within_lost();
    }
}

/// A process has the name of its first thread, a thread its own, a parent its own; with --top all
/// but one are in the row of others.
fn names_are_right(case: &Case, reported: &BTreeMap<&str, Vec<Value>>, worked: &[(u32, Vec<Value>)]) {
    let ids: Vec<u32> = worked.iter().map(|(id, _)| *id).collect();
    let ours = |record: &&Value| ids.iter().any(|id| record["pid"] == *id);
    let of = |by: &str| reported.get(by).into_iter().flatten();
    assert!(
        of("process").filter(ours).all(|record| record["comm"] == "workload"),
        "{:?}",
        reported.get("process")
    );
    let own = std::fs::read_to_string("/proc/self/comm").expect("our name");
    let us = of("parent").filter(|record| record["ppid"] == std::process::id());
    assert!(us.into_iter().all(|record| record["parent"] == own.trim_end()), "{:?}", reported.get("parent"));
    if case.children.is_empty() {
        assert!(of("thread").filter(ours).all(|record| record["comm"] == case.comm));
    }
    if case.tool == "syncsnoop" {
        let records: Vec<Value> = of("thread").cloned().collect();
        let mut each: BTreeMap<String, u64> = BTreeMap::new();
        let performed =
            worked.iter().flat_map(|(_, performed)| performed).filter(|line| !line["tid"].is_null());
        performed.for_each(|line| *each.entry(line["tid"].to_string()).or_default() += 1);
        let threads = by_owner(&["count"], &records, "tid");
        if reported.contains_key("thread") {
            assert!(
                threads.keys().all(|tid| each.contains_key(tid)),
                "reported threads {threads:?}, expected {each:?}"
            );
            let comparison = Comparison::of("syncsnoop", &[]).part("--by thread").lost(sum(&records, "lost"));
            let count = |tid: &String| threads.get(tid).map_or(0, |sums| sums[0]);
            let fields = each.iter();
            fields
                .fold(comparison, |all, (tid, made)| all.field(format!("count of {tid}"), count(tid), *made))
                .equal();
        }
    }
    let mut intervals: Vec<&Value> = of("top").map(|record| &record["ts"]).collect();
    intervals.dedup();
    for ts in intervals {
        let records = of("top").filter(|record| record["ts"] == *ts);
        let (others, named): (Vec<_>, Vec<_>) = records
            .filter(|record| !record["comm"].is_null())
            .partition(|record| record["comm"] == "(other)");
        let mut pids: Vec<String> = named.iter().map(|record| record["pid"].to_string()).collect();
        pids.sort();
        pids.dedup();
        assert!(pids.len() <= 1 && others.iter().all(|record| record["pid"].is_null()), "{named:?}");
    }
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

#[test]
fn processes_cgroups_and_apps_add_up_of_the_other_tools() {
    compare_by("auto", &["process", "cgroup", "app", "top"], |tool| !of_calls_and_tasks(tool));
}

#[test]
fn commands_add_up_of_the_tools_of_files() {
    compare_by("auto", &["comm"], of_files);
}

/// Tools that the three tests above do not cover.
#[test]
fn the_other_owners_add_up_of_the_other_tools() {
    compare_by("auto", &["thread", "parent"], of_files);
    compare_by("auto", &["comm", "thread", "parent"], |tool| !of_calls_and_tasks(tool) && !of_files(tool));
}

/// The current task is read in the same way with every hook: one kind of owner is sufficient.
#[test]
fn processes_add_up_by_kprobes() {
    compare_by("kprobe", &["process"], |_| true);
}

#[test]
fn processes_add_up_by_tracepoints() {
    compare_by("tracepoint", &["process"], |_| true);
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
