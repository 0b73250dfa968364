//! `biolat --disk`: three disks do known work at once, and the records are of those that are asked for alone.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;

use tests::block_trace::Collector;
use tests::comparison::Comparison;
use tests::disk::Disk;
use tests::diskstats::DiskStats;
use tests::records::sum;
use tests::refusal::refuses;
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock};

/// Reads and writes of each disk.
const WORK: [(u64, u64); 3] = [(401, 211), (307, 503), (1_009, 101)];

#[test]
fn only_the_disks_that_are_asked_for() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let disks = WORK.map(|_| Disk::over_file(16));
    let workers: Vec<Workload> = disks
        .iter()
        .zip(WORK)
        .map(|(disk, (reads, writes))| {
            let (path, reads, writes) = (disk.path(), reads.to_string(), writes.to_string());
            let counts = ["--file", &path, "--reads", &reads, "--writes", &writes, "--bytes", "8192"];
            let mut workload = Workload::start(&[&["io", "--wait", "--hold"][..], &counts].concat());
            workload.until_says("ready");
            workload
        })
        .collect();
    let [first, second] = [0, 1].map(|number| disks[number].name.clone());
    let (both, device, pid) = (format!("{first},{second}"), disks[2].path(), workers[1].pid());
    // With and without the making of requests, and by which disks.
    let asked: [(Vec<&str>, &[usize]); 4] = [
        (vec!["--disk", &both], &[0, 1]),
        (vec!["--disk", &device], &[2]),
        (vec!["--disk", &first, "--disk", &device, "--by", "process"], &[0, 2]),
        (vec!["--disk", &both, "--pid", &pid], &[1]),
    ];
    let collectors: Vec<Collector> = disks.iter().map(|disk| Collector::start(&disk.name)).collect();
    let lines: Vec<Vec<&str>> =
        asked.iter().map(|(options, _)| [&options[..], &["-q", "3600"]].concat()).collect();
    let tools = Tool::start_all("biolat", &lines);
    let mut workers = workers;
    workers.iter_mut().for_each(Workload::go_on);
    workers.iter_mut().for_each(|workload| workload.until_says("held"));
    let reported: Vec<_> = tools.into_iter().map(|tool| tool.interrupt().records).collect();
    let requests: Vec<_> = collectors.into_iter().map(Collector::end).collect();
    for ((options, asked), records) in asked.iter().zip(&reported) {
        let names: BTreeSet<&str> = records.iter().filter_map(|record| record["disk"].as_str()).collect();
        assert_eq!(names, asked.iter().map(|number| disks[*number].name.as_str()).collect(), "{options:?}");
        let mut comparison = Comparison::of("biolat", options).lost(sum(records, "lost"));
        for number in *asked {
            let (reads, writes) = WORK[*number];
            let id = workers[*number].id();
            let made = requests[*number].iter().filter(|request| request.is_made_by(id));
            let own = DiskStats::of_records(records, &disks[*number].name).with_unobserved(made);
            comparison = comparison.field(format!("reads of {number}"), own.reads[0], reads);
            comparison = comparison.field(format!("writes of {number}"), own.writes[0], writes);
        }
        comparison.equal_minus_lost();
    }
    workers.into_iter().for_each(|workload| drop(workload.finish()));
}

/// The disk and a partition of it, if this machine has any.
fn partition() -> Option<(String, String)> {
    let mut devices = fs::read_dir("/sys/class/block").ok()?.flatten();
    let found = devices.find(|device| device.path().join("partition").exists())?;
    let disk = fs::canonicalize(found.path()).ok()?.parent()?.file_name()?.to_str()?.to_owned();
    Some((disk, found.file_name().into_string().ok()?))
}

#[test]
fn a_partition_is_refused_with_its_disk() {
    let Some((disk, partition)) = partition() else { return };
    let says = format!("a partition: its disk is {disk}");
    refuses(&format!("$BIN/biolat --disk {partition}"), 2, &["--disk", &partition, &says]);
}
