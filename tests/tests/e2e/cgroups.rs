//! `--cgroup` and `--by cgroup` where cgroup v2 is mounted beside v1, and of cgroups that come and go while a tool runs.
#![allow(clippy::expect_used, reason = "tests")]

use std::process::Command;

use serde_json::Value;
use tests::cgroup::{self, Cgroup};
use tests::comparison::Comparison;
use tests::records::{sum, with};
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
