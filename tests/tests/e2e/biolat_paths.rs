//! A disk with two paths, by NVMe's multipath driver: it is reported by its own name, as the kernel
//! itself counts it, and its paths, hidden disks, by theirs.
#![allow(clippy::expect_used, reason = "tests")]

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
    let is_path = |name: &&str| name.starts_with("nvme0c") && name.ends_with("n1");
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
        let told = reported(&records, &disk.name);
        assert_eq!((told.reads, told.writes), ([32, 32 * 4_096], [50, 50 * 4_096]), "{way:?}: {records:?}");
        kernel_agrees(&told, &before, &disk.name);
    }
}

#[test]
fn requests_that_are_split_and_merged_and_flushed() {
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
    let tool = Tool::start("biolat", &["3600"]);
    let options = ["--rw=randwrite", "--ioengine=psync", "--bs=4k", "--number_ios=57", "--fsync=1"];
    let job = fio::run(&disk.path(), &options);
    let told = reported(&tool.interrupt().records, &disk.name);
    assert_eq!(told.writes, [57, 57 * 4_096]);
    assert_eq!(Some(told.flushes), job["sync"]["total_ios"].as_u64());
}
