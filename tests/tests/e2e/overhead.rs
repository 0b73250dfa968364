//! `--overhead`: what a tool's programs and maps occupy, beside what bpftool says of the same objects, and the entries of
//! its hash maps, of which the number is known.
#![allow(clippy::expect_used, reason = "tests")]

use rustix::process::Signal;
use serde_json::Value;
use tests::bpf::{BpfObject, held_by, memlock};
use tests::cgroup::Cgroup;
use tests::records::count;
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock};

/// Processes, each of which is an owner.
const OWNERS: u64 = 7;

/// Compares an interval's first record with the objects that the tool holds, and returns the entries of its hash maps.
fn compare(record: &Value, held: &[BpfObject], bytes: u64) -> u64 {
    let maps = held.iter().filter(|object| object.kind == "map").count() as u64;
    assert_eq!((count(record, "bpf_maps"), count(record, "bpf_bytes")), (maps, bytes), "{record}");
    count(record, "bpf_keys")
}

/// The owners stay in a map until the interval ends: bpftool looks while all of them are there.
#[test]
fn memory_is_what_the_kernel_says_and_keys_are_the_owners() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let own = cgroup.path();
    // Each writes a line, and stays in the cgroup until it has been seen.
    let mut children: Vec<_> =
        (0..OWNERS).map(|_| Workload::start(&["counter", "--cgroup", own, "--wait"])).collect();
    children.iter_mut().for_each(|child| child.until_says("ready"));
    let system = Tool::start("vfsstat", &["--overhead", "--cgroup", own, "600"]);
    let owners = Tool::start("vfsstat", &["--overhead", "--by", "process", "--cgroup", own, "600"]);
    children.into_iter().for_each(|child| drop(child.finish()));
    let held = [&system, &owners].map(|tool| held_by(tool.pid()));
    let bytes = held.each_ref().map(|held| memlock(held));
    let [of_system, of_owners] = [system, owners].map(|tool| {
        tool.signal(Signal::INT);
        tool.wait().records
    });
    assert_eq!((of_system.len(), compare(&of_system[0], &held[0], bytes[0])), (1, 0), "{of_system:?}");
    let keys = compare(&of_owners[0], &held[1], bytes[1]);
    assert_eq!((of_owners.len() as u64, keys), (OWNERS, OWNERS), "{of_owners:?}");
    // On the first record only, so that levels add up.
    for record in &of_owners[1..] {
        assert!(
            ["bpf_bytes", "bpf_maps", "bpf_keys"].iter().all(|field| record[*field].is_null()),
            "{record}"
        );
        assert_eq!((count(record, "bpf_ns"), count(record, "bpf_runs")), (0, 0), "{record}");
    }
}
