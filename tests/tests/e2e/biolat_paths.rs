//! Disks whose driver hands a bio on to another disk: they are reported by their own name, as the
//! kernel itself counts them. NVMe's multipath driver moves it to a path, a hidden disk; md, before
//! Linux 5.14, to the disk below.
#![allow(clippy::expect_used, reason = "tests")]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::disk::Disk;
use tests::diskstats::DiskStats;
use tests::mounted::Mounted;
use tests::records::{sum, with};
use tests::tool::Tool;
use tests::tracer::{self, Probe, Tracer};
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
    let disk = Disk::over(&[&lower], "raid0");
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

/// Asserts that all tools say that the disk was asked for so many flushes, or writes past its cache.
fn were_asked_for(disk: &Disk, level: &str, tools: [Tool; 2], expected: &[(&str, u64)]) {
    for tool in tools {
        let records = tool.interrupt().records;
        let of_disk = with(&records, "disk", &disk.name);
        let told = |field: &str| sum(of_disk.iter().copied(), field);
        let comparison = Comparison::of("biolat", &[]).part(level).lost(sum(&records, "lost"));
        let add = |all: Comparison, (field, number): &(&str, u64)| all.field(field, told(field), *number);
        expected.iter().fold(comparison, add).equal_minus_lost();
    }
}

/// Arrays are flushed by a journal, a file's fsync or a program: their driver is told once for each.
#[test]
fn flushes_of_an_array_are_those_that_its_driver_is_asked_for() {
    if !can_run() || kernel::of_guest().is_none() {
        return;
    }
    let _machine = lock::machine();
    let lowers = [Disk::with_interrupts(), Disk::another()];
    for level in ["raid1", "raid0"] {
        let disk = Disk::over(&lowers.each_ref(), level);
        // Its journal is written on demand only.
        let mounted = Mounted::on("ext4", &disk.path(), "commit=300");
        let file = mounted.path().join("file");
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(file).expect("a file");
        file.write_all_at(&vec![1; 8 << 20], 0).and_then(|()| file.sync_all()).expect("8 MiB");
        let start =
            || [Tool::start("biolat", &["3600"]), Tool::start("biolat", &["--by", "process", "3600"])];

        let probe = Probe::on("md_flush_request");
        let tracer = Tracer::start(&[&probe.event()], "");
        let tools = start();
        for _ in 0..101 {
            file.write_all_at(&[2; 4096], 0).and_then(|()| file.sync_all()).expect("a write");
        }
        let flushes = tracer.text().lines().filter_map(tracer::event).count() as u64;
        assert!(flushes >= 101, "{level}: its driver was told of {flushes}");
        were_asked_for(&disk, level, tools, &[("flushes", flushes)]);
        drop((tracer, probe));

        let tools = start();
        write_past_the_cache(&mounted.path().join("file"));
        were_asked_for(&disk, level, tools, &[("flushes", 0), ("fua", 101)]);
    }
}

fn write_past_the_cache(file: &Path) {
    let file = file.to_str().expect("UTF-8");
    Workload::run(&["io", "--file", file, "--writes", "101", "--bytes", "4096", "--dsync"]);
}
