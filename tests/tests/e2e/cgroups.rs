//! `--cgroup` and `--by cgroup` where cgroup v2 is mounted beside v1, and of cgroups that come and go while a tool runs.
#![allow(clippy::expect_used, reason = "tests")]

use std::process::Command;

use serde_json::Value;
use tests::cgroup::{self, Cgroup};
use tests::comparison::Comparison;
use tests::programs::{TOOLS, has_option};
use tests::records::{sum, with};
use tests::refusal::{refuses, run};
use tests::tool::Tool;
use tests::wait::{For, until};
use tests::workload::Workload;
use tests::{can_run, kernel, lock, programs};

const FORKS: u64 = 101;

/// systemd's hybrid layout: v1 controllers, a v1 hierarchy of processes, and v2 below. Only in a
/// guest; this machine keeps its layout.
const HYBRID: &str = "mount -t tmpfs none /sys/fs/cgroup && mkdir /sys/fs/cgroup/systemd /sys/fs/cgroup/unified && \
    mount -t cgroup -o none,name=systemd none /sys/fs/cgroup/systemd && \
    mount -t cgroup2 none /sys/fs/cgroup/unified && ";

fn forks_in(cgroup: &str) {
    Workload::run(&["processes", "--forks", &FORKS.to_string(), "--cgroup", cgroup]);
}

#[test]
fn cgroups_that_come_and_go_are_reported_by_their_paths_beside_v1() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let parent = Cgroup::new();
    let name = cgroup::name(parent.path());
    let tool = programs::built("proclife");
    let hybrid = if kernel::of_guest().is_some() { HYBRID } else { "" };
    let script = format!("{hybrid}exec {} -q --cgroup {name} --by cgroup 0.3", tool.display());
    let tool = Tool::spawn(Command::new("unshare").args(["--mount", "sh", "-c", &script]));
    tool.until("the tool to count", |records| !records.is_empty());

    // In the cgroup itself, and in a child that is created now, removed, and created again as
    // another cgroup.
    forks_in(parent.path());
    let late = parent.child();
    forks_in(late.path());
    let path = cgroup::name(late.path());
    let reported = |records: &[Value], path: &str| sum(with(records, "cgroup", path), "forks");
    tool.until("its path", |records| reported(records, &path) + sum(records, "lost") >= FORKS);
    drop(late);
    let again = format!("{}/{}", parent.path(), path.rsplit_once('/').expect("a path").1);
    std::fs::create_dir(&again).expect("the cgroup again");
    forks_in(&again);
    tool.until("its path again", |records| reported(records, &path) + sum(records, "lost") >= 2 * FORKS);
    let records = tool.interrupt().records;
    until(For::Freed, "the cgroup to be empty", || std::fs::remove_dir(&again).ok());
    let forks = [reported(&records, &name), reported(&records, &path)];
    let comparison = Comparison::of("proclife", &[]).part("--by cgroup").lost(sum(&records, "lost"));
    let comparison = comparison.field(format!("forks of {name}"), forks[0], FORKS);
    comparison.field(format!("forks of {path}, there twice"), forks[1], 2 * FORKS).equal();
    assert_eq!(sum(&records, "forks"), forks.iter().sum::<u64>(), "others: {records:?}");
}

/// The number of cgroups that are created and removed, one after another.
const SHORT: u64 = 67;
/// Forks in each of them.
const FEW: u64 = 3;

#[test]
fn cgroups_that_exist_only_for_a_moment_have_their_paths() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let parent = Cgroup::new();
    // Names are reused, ids are not.
    let name = |number: u64| format!("{}/{}", parent.path(), number % 32);
    let tool = Tool::start("proclife", &["-q", "--by", "cgroup", "--cgroup", parent.path(), "3600"]);
    for number in 0..SHORT {
        let path = name(number);
        std::fs::create_dir(&path).expect("a cgroup");
        Workload::run(&["processes", "--forks", &FEW.to_string(), "--cgroup", &path]);
        until(For::Freed, "the cgroup to be empty", || std::fs::remove_dir(&path).ok());
    }
    let records = tool.interrupt().records;
    let lost = sum(&records, "lost");
    for number in 0..32 {
        let path = cgroup::name(&name(number));
        let times = (SHORT - number).div_ceil(32);
        let forks = sum(with(&records, "cgroup", &path), "forks");
        let comparison = Comparison::of("proclife", &[]).part(format!("forks of {path}")).lost(lost);
        comparison.field("forks", forks, times * FEW).equal();
    }
    let others: Vec<_> = records
        .iter()
        .filter(|record| !record["cgroup"].as_str().is_some_and(|path| path.starts_with('/')))
        .collect();
    assert!(others.is_empty() || lost > 0, "{others:?}");
}

#[test]
fn a_process_that_leaves_a_cgroup_is_counted_until_then() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let tool = Tool::start("proclife", &["-q", "--cgroup", cgroup.path(), "0.2"]);
    tool.until_records(1);
    // As many again where it goes.
    let forks = format!("n=0; while [ $n -lt {FORKS} ]; do ( : ); n=$((n + 1)); done");
    let line = format!(
        "echo $$ >{}/cgroup.procs; {forks}; echo $$ >{}/cgroup.procs; {forks}",
        cgroup.path(),
        cgroup::mount().display()
    );
    programs::succeed("sh", &["-c", &line]);
    let records = tool.interrupt().records;
    let comparison = Comparison::of("proclife", &[]).part("before it left").lost(sum(&records, "lost"));
    comparison.field("forks", sum(&records, "forks"), FORKS).equal();
}

#[test]
fn without_cgroup_v2() {
    if !can_run() {
        return;
    }
    let apart = |line: &str| {
        format!("unshare --mount bash -c 'mount -t tmpfs none /sys/fs/cgroup && exec '\"{line}\"")
    };
    for tool in TOOLS.into_iter().filter(|tool| has_option(tool, "--by")) {
        let parts = ["--by cgroup: no cgroup v2 file system is mounted"];
        refuses(&apart(&format!("$BIN/{tool} --by cgroup 0.1 1")), 3, &parts);
    }
    refuses(
        &apart("$BIN/proclife --cgroup / 0.1 1"),
        3,
        &["--cgroup /: no cgroup v2 file system is mounted"],
    );
}

#[test]
fn processes_that_only_v1_separates_are_noted() {
    if !can_run() {
        return;
    }
    // v1 hierarchies are the whole machine's: only in guests.
    let prepare = match kernel::of_guest() {
        Some(_) => format!(
            "{HYBRID} mkdir /sys/fs/cgroup/systemd/only-v1 && echo $$ >/sys/fs/cgroup/systemd/only-v1/cgroup.procs && "
        ),
        None => String::new(),
    };
    let line = format!("unshare --mount bash -c '{prepare}exec $BIN/proclife --by cgroup -o json 0.1 1'");
    let (code, out, said) = run(&line);
    assert_eq!((code, out.is_empty()), (Some(0), false), "{said:?}");
    let note = said.iter().find(|line| line.contains("only in v1"));
    let cgroups = std::fs::read_to_string("/proc/self/cgroup").expect("/proc");
    let has_v1 = cgroups.lines().any(|line| !line.starts_with("0::") && !line.ends_with(":/"));
    if kernel::of_guest().is_some() {
        assert!(note.is_some_and(|note| note.contains("(such as name=systemd:/only-v1)")), "{said:?}");
    } else if cgroups.lines().any(|line| line == "0::/") && has_v1 {
        assert!(note.is_some(), "{said:?}");
    }
}
