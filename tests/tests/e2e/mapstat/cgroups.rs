//! Cgroups that come and go while mapstat runs: `bpf/mapstat_cgroups.bpf.c` counts calls of umask(2) by cgroup and argument.

use std::process::Child;

use tests::wait::{For, until};

use super::*;

const HASH: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mapstat_cgroups.bpf.o"));
const STORAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mapstat_cgrp_storage.bpf.o"));
/// From here on the kernel has maps that keep values in cgroups.
const WITH_STORAGE: (u32, u32) = (6, 2);

/// A config that wants cgroups below this one.
fn config(kind: &str, below: &Cgroup) -> String {
    let labels = "labels: [{name: cgroup, size: 8, decoders: [{name: uint}, {name: cgroup}]}, \
                  {name: mask, size: 8, decoders: [{name: uint}]}]";
    let known = "{name: cgroups_known, type: gauge, labels: [{name: cgroup, size: 8, decoders: [{name: uint}, {name: cgroup}]}]}";
    let known = if kind == "hash" { format!("    - {known}\n") } else { String::new() };
    format!(
        "cgroup_id_map:\n  name: cgroups_known\n  type: {kind}\n  regexps: [no such, '^{}/.+']\nmetrics:\n  counters:\n    \
         - {{name: cgroups_all, {labels}}}\n    - {{name: cgroups_wanted, {labels}}}\n{known}",
        below.path()
    )
}

/// A shell in a cgroup that calls umask with 1 until there is such a file, and then 257 times with 2.
fn shell(cgroup: &Cgroup, file: &str) -> Child {
    let path = cgroup.path();
    let line = format!(
        "echo 0 > {path}/cgroup.procs; until [[ -e {file} ]]; do umask 1; done; for i in {{1..257}}; do umask 2; done"
    );
    Command::new("bash").args(["-c", &line]).spawn().expect("bash runs")
}

fn done(mut shell: Child) {
    assert!(shell.wait().expect("it ends").success());
}

/// How often umask was called with 2, by the paths of cgroups.
fn calls(records: &[Value], metric: &str, of: &[&Cgroup]) -> Vec<i64> {
    let all: Vec<_> =
        records.iter().filter(|record| record["metric"] == metric && record["mask"] == "2").collect();
    let sum = |cgroup: &&Cgroup| {
        let mine = all.iter().filter(|record| record["cgroup"] == cgroup.path());
        mine.filter_map(|record| record["value"].as_i64()).sum()
    };
    of.iter().map(sum).collect()
}

#[test]
fn programs_know_the_cgroups_that_a_config_wants() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    programs_know("hash", HASH);
    let folder = Configs::of(&[("cgroups", STORAGE, &config("cgrp_storage", &Cgroup::new()))]);
    if kernel::release() >= WITH_STORAGE {
        return programs_know("cgrp_storage", STORAGE);
    }
    let path = folder.path("cgroups.yaml");
    refuses(&format!("$BIN/mapstat -c {path}"), 3, &["cgroups: "]);
}

fn programs_know(kind: &str, object: &[u8]) {
    let (parent, other) = (Cgroup::new(), Cgroup::new());
    let before = parent.child();
    let configs = Configs::of(&[("cgroups", object, &config(kind, &parent))]);
    let (now, flag) = (configs.path("cgroups.yaml"), configs.path("flag"));
    let tool = configs.start("cgroups", &["--all", "-q", "0.1"]);
    // Made while the tool runs: it has to hear of it before programs do.
    let after = parent.child();
    let waits = shell(&after, &flag);
    tool.until("a call in the new cgroup", |records| {
        of(records, "cgroups_wanted").iter().any(|record| record["cgroup"] == after.path())
    });
    fs::write(&flag, "").expect("it is written");
    done(waits);
    // The others need not wait: they are known, or never will be.
    done(shell(&before, &now));
    done(shell(&other, &now));
    tool.until_interval_after(Timestamp::now());
    let known = |records: &[Value]| {
        let last = records.last().map_or(Value::Null, |last| last["ts"].clone());
        let known = of(records, "cgroups_known").into_iter().filter(|record| record["ts"] == last);
        let mut paths: Vec<_> =
            known.map(|record| record["cgroup"].as_str().expect("a path").to_owned()).collect();
        paths.sort();
        paths
    };
    let mut both = [before.path().to_owned(), after.path().to_owned()];
    both.sort();
    let is_hash = kind == "hash";
    assert!(!is_hash || tool.seen(known) == both);
    let after_path = after.path().to_owned();
    let counted = calls(&tool.records(), "cgroups_wanted", &[&before, &after, &other]);
    let all = calls(&tool.records(), "cgroups_all", &[&before, &after, &other]);
    assert_eq!((counted, all), (vec![257, 257, 0], vec![257; 3]), "{kind}");
    drop(after);
    if is_hash {
        until(For::Record, "the removed cgroup to leave the map", || {
            Some(()).filter(|()| !tool.seen(known).contains(&after_path))
        });
        assert_eq!(tool.seen(known), [before.path()]);
    }
    ended(tool);
}

/// A storm of cgroups, more than the buffer between the kernel and a stopped tool has room for: when it goes on, it finds those
/// that are left, and forgets those that went.
#[test]
fn changes_that_found_no_room_are_made_up_for() {
    /// Each takes some 280 bytes twice, of half a megabyte.
    const STORM: usize = 2_003;
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let parent = Cgroup::new();
    let goes = parent.child();
    let configs = Configs::of(&[("cgroups", HASH, &config("hash", &parent))]);
    let flag = configs.path("flag");
    let tool = configs.start("cgroups", &["--all", "-q", "0.1"]);
    let gone = goes.path().to_owned();
    let knows = |records: &[Value], path: &str| {
        let last = records.last().map_or(Value::Null, |last| last["ts"].clone());
        of(records, "cgroups_known").iter().any(|record| record["ts"] == last && record["cgroup"] == path)
    };
    tool.until("the cgroup that is there", |records| knows(records, &gone));
    tool.signal(Signal::STOP);
    let storm = Cgroup::new();
    (0..STORM).for_each(|_| drop(storm.child()));
    let left = parent.child();
    drop(goes);
    tool.signal(Signal::CONT);
    let waits = shell(&left, &flag);
    tool.until("a call in the cgroup whose creation found no room", |records| {
        of(records, "cgroups_wanted").iter().any(|record| record["cgroup"] == left.path())
    });
    fs::write(&flag, "").expect("it is written");
    done(waits);
    tool.until("the removed one to leave the map", |records| {
        knows(records, left.path()) && !knows(records, &gone)
    });
    let records = ended(tool).records;
    assert_eq!(calls(&records, "cgroups_wanted", &[&left]), [257]);
}

/// Between two looks a cgroup comes, works and goes: it has its path all the same, however many came before it.
#[test]
fn a_cgroup_that_lived_between_two_looks_has_its_path() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let configs = Configs::of(&[("cgroups", HASH, &config("hash", &Cgroup::new()))]);
    let now = configs.path("cgroups.yaml");
    let tool = configs.start("cgroups", &["-q", "3600"]);
    let (path, below) = {
        let parent = Cgroup::new();
        let child = parent.child();
        done(shell(&child, &now));
        (parent.path().to_owned(), child.path().to_owned())
    };
    let records = tool.interrupt().records;
    let counted = by(&records, "cgroups_all", "cgroup");
    assert_eq!(counted.get(&below), Some(&257), "{counted:?}");
    assert!(
        below.starts_with(&path) && !counted.keys().any(|cgroup| cgroup.starts_with("unknown")),
        "{counted:?}"
    );
}
