//! The records of each owner against its share of the work.

use std::collections::BTreeMap;

use serde_json::Value;
use tests::block_trace::Collector;
use tests::cgroup::{self, Cgroup};
use tests::comparison::Comparison;
use tests::kernel;
use tests::records::{count, sum};

use super::cases::Case;
use super::watch::Watched;

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
pub fn unobserved(collector: Option<Collector>, ids: &[u32]) -> [u64; 3] {
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

/// Compares the records of stopped tools with the work done.
pub fn compare(kind: &str, watched: Watched, worked: Vec<(u32, Vec<Value>)>) {
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
