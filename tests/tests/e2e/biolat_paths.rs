//! Disks whose driver hands a bio on to another disk: they are reported by their own name, as the
//! kernel itself counts them. NVMe's multipath driver moves it to a path, a hidden disk; md, before
//! Linux 5.14, to the disk below.
#![allow(clippy::expect_used, reason = "tests")]

use std::fs::File;

use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::disk::Disk;
use tests::diskstats::DiskStats;
use tests::records::sum;
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, fio, kernel, lock};

/// What is reported of the disk; its paths are asserted to have had the same requests, and nothing
/// to be lost.
fn reported(records: &[Value], disk: &str) -> DiskStats {
    let mut names: Vec<&str> = records.iter().filter_map(|record| record["disk"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let controllers = disk.replacen("n1", "c", 1);
    let is_path = |name: &&str| name.starts_with(&controllers) && name.ends_with("n1");
    let paths: Vec<&str> = names.iter().copied().filter(is_path).collect();
    assert!(!paths.is_empty() && names.contains(&disk), "{names:?}");
    let whole = DiskStats::of_records(records, disk);
    let of_paths = paths.iter().map(|path| DiskStats::of_records(records, path));
    let of_paths: Vec<_> = of_paths.map(|path| [path.reads, path.writes, path.discards]).collect();
    let sums =
        [0, 1, 2].map(|op| [0, 1].map(|field| of_paths.iter().map(|path| path[op][field]).sum::<u64>()));
    assert_eq!([whole.reads, whole.writes, whole.discards], sums, "the disk and its paths {paths:?}");
    assert_eq!((sum(records, "lost"), sum(records, "errors")), (0, 0));
    whole
}

/// Asserts that the kernel counts the same, where it counts such disks at all.
fn kernel_agrees(reported: &DiskStats, before: &DiskStats, disk: &str) {
    let diskstats = DiskStats::of(disk).since(before);
    if kernel::release() < (6, 5) {
        assert_eq!((diskstats.reads, diskstats.writes), ([0; 2], [0; 2]), "it keeps no account");
        return;
    }
    let counts = |of: &DiskStats| [of.reads, of.writes, of.discards];
    assert_eq!(counts(reported), counts(&diskstats));
}

#[test]
fn a_known_number_of_direct_reads_and_writes() {
    if !can_run() || kernel::of_guest().is_none() {
        return;
    }
    let _machine = lock::machine();
    let disk = Disk::with_paths();
    let cgroup = Cgroup::new();
    let ways: [&[&str]; 3] = [&[], &["--by", "process"], &["--cgroup", cgroup.path()]];
    let tools = ways.map(|way| Tool::start("biolat", &[way, &["3600"]].concat()));
    let before = DiskStats::of(&disk.name);
    let work = ["io", "--file", &disk.path(), "--reads", "32", "--writes", "50", "--bytes", "4096"];
    Workload::run(&[&work[..], &["--cgroup", cgroup.path()]].concat());
    for (way, tool) in ways.into_iter().zip(tools) {
        let records = tool.interrupt().records;
        assert_eq!(sum(&records, "lost"), 0, "{way:?}: {records:?}");
        let told = reported(&records, &disk.name);
        assert_eq!((told.reads, told.writes), ([32, 32 * 4_096], [50, 50 * 4_096]), "{way:?}: {records:?}");
        kernel_agrees(&told, &before, &disk.name);
    }
}

#[test]
fn requests_that_are_split_and_merged() {
    if !can_run() || kernel::of_guest().is_none() {
        return;
    }
    let _machine = lock::machine();
    let disk = Disk::with_paths();
    let ways: [&[&str]; 2] = [
        // More than a request can hold.
        &["--rw=randrw", "--ioengine=psync", "--bs=8m", "--number_ios=11"],
        // Many at once, side by side.
        &[
            "--rw=rw",
            "--ioengine=libaio",
            "--iodepth=16",
            "--iodepth_batch=16",
            "--bs=4k",
            "--number_ios=509",
        ],
    ];
    for way in ways {
        let tool = Tool::start("biolat", &["3600"]);
        let before = DiskStats::of(&disk.name);
        let job = fio::run(&disk.path(), way);
        let told = reported(&tool.interrupt().records, &disk.name);
        assert_eq!([told.reads[1], told.writes[1]], ["read", "write"].map(|op| fio::done(&job, op)[1]));
        kernel_agrees(&told, &before, &disk.name);
    }
}

#[test]
fn an_array_and_its_disk() {
    if !can_run() || kernel::of_guest().is_none() {
        return;
    }
    let _machine = lock::machine();
    let lower = Disk::with_interrupts();
    let disk = Disk::over(&lower);
    // The kernel looks for partitions when it is first opened.
    drop(File::open(disk.path()).expect("the array"));
    let tool = Tool::start("biolat", &["3600"]);
    let before = [&disk, &lower].map(|disk| DiskStats::of(&disk.name));
    Workload::run(&["io", "--file", &disk.path(), "--reads", "41", "--writes", "37", "--bytes", "4096"]);
    let records = tool.interrupt().records;
    for (disk, before) in [&disk, &lower].into_iter().zip(&before) {
        let told = DiskStats::of_records(&records, &disk.name);
        let diskstats = DiskStats::of(&disk.name).since(before);
        // The bound: there is no event for the end of a bio that was moved.
        let seen = disk.name == lower.name || kernel::release() >= (5, 14);
        let expected = if seen { (diskstats.reads, diskstats.writes) } else { ([0; 2], [0; 2]) };
        assert_eq!((told.reads, told.writes), expected, "{}", disk.name);
        assert_eq!((diskstats.reads[0], diskstats.writes[0]), (41, 37), "{}", disk.name);
    }
}
