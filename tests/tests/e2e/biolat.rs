//! biolat agrees with the kernel's counters of each disk, request by request.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs::File;

use jiff::Timestamp;
use serde_json::Value;
use tempfile::NamedTempFile;
use tests::block_trace::{Collector, EmptyFlushes};
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::disk::{Disk, below};
use tests::diskstats::{DiskPart, DiskStats, Watched};
use tests::records::{count, of_disk, sum};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, fio, lock, programs};

const MIXED: [&str; 3] = ["--rw=randrw", "--rwmixread=60", "--randseed=1"];

#[test]
fn a_loop_devices_reads_and_writes() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let disk = Disk::over_file(64);
    let ways: [&[&str]; 5] = [
        &["--ioengine=libaio", "--iodepth=16", "--bs=4k", "--number_ios=1511"],
        &["--ioengine=psync", "--numjobs=4", "--bs=16k", "--number_ios=503"],
        &["--ioengine=libaio", "--iodepth=16", "--bssplit=512/20:4k/40:64k/40", "--number_ios=1009"],
        &["--ioengine=io_uring", "--iodepth=16", "--bs=8k", "--number_ios=1013"],
        // Larger than a request: the kernel splits it and counts the parts.
        &["--ioengine=psync", "--bs=8m", "--number_ios=11"],
    ];
    let mut watched = Watched::start(&disk.name);
    for way in ways {
        watched.go_on();
        let job = fio::run(&disk.path(), &[&MIXED, way].concat());
        let measured = watched.part();
        measured.agrees(&format!("{way:?}"));
        let DiskPart { diskstats, records, .. } = measured;
        for (op, done) in [("read", diskstats.reads), ("write", diskstats.writes)] {
            let asked = fio::done(&job, op);
            assert_eq!(done[1], asked[1], "bytes by fio's account, {op}, {way:?}");
            if !way.contains(&"--bs=8m") {
                assert_eq!(done[0], asked[0], "fio's account, {op}, {way:?}");
            }
        }
        for op in ["read", "write"] {
            let of = |field| sum(of_disk(&records, &disk.name, op), field);
            assert_eq!(of("queue_count"), of("count"), "time in the queue is known of each {op}");
        }
    }
    watched.end();
}

#[test]
fn a_known_number_of_direct_reads_and_writes() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let disk = Disk::over_file(16);
    let work = ["io", "--file", &disk.path(), "--reads", "1511", "--writes", "1009", "--bytes", "4096"];
    let mut watched = Watched::start(&disk.name);
    let (_, DiskPart { diskstats, reported, .. }) = watched.without_losses(|| Workload::run(&work));
    assert_eq!((reported.reads, reported.writes), ([1_511, 1_511 * 4_096], [1_009, 1_009 * 4_096]));
    assert_eq!(reported, diskstats);
    watched.end();
}

#[test]
fn flushes_and_discards() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let disk = Disk::over_file(64);
    let options = ["--rw=randwrite", "--ioengine=psync", "--bs=4k", "--number_ios=257", "--fsync=1"];
    let mut watched = Watched::start(&disk.name);
    let (job, DiskPart { diskstats, reported, records, .. }) =
        watched.without_losses(|| fio::run(&disk.path(), &options));
    assert_eq!(reported.writes, [257, 257 * 4_096]);
    asked(&records, &disk, [0, 0, reported.flushes]);
    // One after the other, and the kernel merges none: each empty flush is a flush of the
    // device, and diskstats also counts it as an empty write.
    assert_eq!(reported.flushes, diskstats.flushes);
    assert_eq!(Some(reported.flushes), job["sync"]["total_ios"].as_u64());
    assert_eq!([reported.writes[0] + reported.flushes, reported.writes[1]], diskstats.writes);

    // A file system would need no flush beside; the file of a disk does both.
    let work = ["io", "--file", &disk.path(), "--writes", "101", "--bytes", "4096", "--dsync"];
    let (_, DiskPart { records, .. }) = watched.without_losses(|| Workload::run(&work));
    asked(&records, &disk, [0, 101, 101]);

    let (_, DiskPart { diskstats, reported, .. }) = watched.without_losses(|| {
        programs::succeed("blkdiscard", &["--length", "48M", "--step", "1M", &disk.path()])
    });
    assert_eq!(reported.discards, diskstats.discards);
    assert_eq!(reported.discards, [48, 48 << 20]);
    watched.end();
}

#[test]
fn the_real_disk() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let file = NamedTempFile::new_in(programs::scratch()).expect("a scratch file");
    let path = file.path().to_str().expect("UTF-8").to_string();
    // Allocated beforehand, so that the run itself allocates no blocks.
    programs::succeed(
        "dd",
        &["if=/dev/zero", &format!("of={path}"), "bs=1M", "count=64", "conv=fsync", "status=none"],
    );
    let disk = below(&programs::scratch());
    // Many, with a deep queue: completions then interrupt the kernel anywhere, including in the
    // tool's own programs.
    let options = ["--ioengine=libaio", "--iodepth=64", "--bssplit=4k/90:64k/10", "--number_ios=5003"];
    let flushes = EmptyFlushes::start(&disk);
    let mut watched = Watched::start(&disk);
    let job = fio::run(&path, &[&MIXED[..], &options].concat());
    let mut measured = watched.part();
    // diskstats counts each as a write.
    measured.diskstats.writes[0] -= flushes.end(&measured.span);
    measured.agrees("fio's requests and all others of the disk");
    for (op, done) in [("read", measured.diskstats.reads), ("write", measured.diskstats.writes)] {
        assert!(done[1] >= fio::done(&job, op)[1], "{op}: fewer bytes than fio asked for");
    }
    watched.end();
}

#[test]
fn a_disk_made_of_bios() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let disk = Disk::zram(64);
    let mut watched = Watched::start(&disk.name);
    for options in [
        ["--rw=write", "--ioengine=psync", "--bs=4k", "--size=4m"],
        ["--rw=randread", "--ioengine=libaio", "--bs=4k", "--number_ios=1511"],
        ["--rw=randrw", "--ioengine=psync", "--bs=64k", "--number_ios=503"],
    ] {
        let (job, DiskPart { diskstats, reported, records, .. }) =
            watched.without_losses(|| fio::run(&disk.path(), &options));
        assert_eq!((reported.reads, reported.writes), (diskstats.reads, diskstats.writes), "{options:?}");
        let asked = ["read", "write"].map(|op| fio::done(&job, op));
        assert_eq!([reported.reads, reported.writes], asked, "{options:?}");
        assert_eq!(sum(of_disk(&records, &disk.name, "read"), "queue_count"), 0, "it has no queue");
    }
    // Nor has it a cache: the kernel drops what asks for that.
    let work = ["io", "--file", &disk.path(), "--writes", "101", "--bytes", "4096", "--dsync"];
    let (_, DiskPart { reported, records, .. }) = watched.without_losses(|| Workload::run(&work));
    assert_eq!((reported.writes, reported.flushes), ([101, 101 * 4_096], 0));
    asked(&records, &disk, [0, 0, 0]);
    watched.end();
}

/// Asserts what the disk was asked for: writes that flush its cache first, writes past its cache, and
/// flushes without data.
fn asked(records: &[Value], disk: &Disk, expected: [u64; 3]) {
    let of = |op, field| sum(of_disk(records, &disk.name, op), field);
    let reported = [of("write", "flushes"), of("write", "fua"), of("flush", "flushes")];
    assert_eq!((reported, of("flush", "fua")), (expected, 0), "{}: {records:?}", disk.name);
}

/// The other disks with requests. Hidden ones, the paths of others, have no number there.
fn others(disk: &str) -> Vec<String> {
    let all = std::fs::read_dir("/sys/block").expect("the disks").flatten();
    let all = all.filter(|entry| entry.path().join("dev").exists());
    let names = all.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name != disk && !name.starts_with("loop") && !name.starts_with("ram")).collect()
}

#[test]
fn only_what_is_asked_for() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let disk = Disk::over_file(16);
    // With a scheduler, kernel threads issue many requests.
    disk.set("scheduler", "mq-deadline");
    let cgroup = Cgroup::new();
    let start = |reads: &str, writes: &str, more: &[&str]| {
        let path = disk.path();
        let counts = ["--file", &path, "--reads", reads, "--writes", writes, "--bytes", "8192"];
        let mut workload = Workload::start(&[&["io", "--wait", "--hold"][..], &counts, more].concat());
        workload.until_says("ready");
        workload
    };
    let mut asked_for = start("1009", "503", &["--cgroup", cgroup.path()]);
    // Elsewhere on the disk: the collector identifies requests by their sector.
    let mut other = start("1013", "509", &["--from", "8388608"]);
    let collector = Collector::start(&disk.name);
    let others: Vec<(String, Collector)> =
        others(&disk.name).into_iter().map(|name| (name.clone(), Collector::start(&name))).collect();
    let pid = asked_for.pid();
    let filters = [["--cgroup", cgroup.path()], ["-p", &pid]];
    let tools = filters.map(|filter| (filter, Tool::start("biolat", &[&filter[..], &["3600"]].concat())));
    asked_for.go_on();
    other.go_on();
    asked_for.until_says("held");
    other.until_says("held");
    let reported = tools.map(|(filter, tool)| (filter, tool.interrupt().records));
    let requests = collector.end();
    let id = asked_for.id();
    let elsewhere: BTreeMap<String, u64> = others
        .into_iter()
        .map(|(name, collector)| {
            (name, collector.end().iter().filter(|request| request.is_made_by(id)).count() as u64)
        })
        .collect();
    for (filter, records) in reported {
        let made = requests.iter().filter(|request| request.is_made_by(id));
        let reported = DiskStats::of_records(&records, &disk.name).with_unobserved(made);
        let comparison = Comparison::of("biolat", &[]).part(filter.join(" ")).lost(sum(&records, "lost"));
        let comparison =
            comparison.field("reads", reported.reads[0], 1_009).field("writes", reported.writes[0], 503);
        comparison.equal_minus_lost();
        assert_eq!(
            [reported.reads[1], reported.writes[1]],
            [reported.reads[0] * 8_192, reported.writes[0] * 8_192]
        );
        // The loop device's kernel threads issue the requests to the backing disk. The process
        // itself does so only if its own program or libraries were no longer in memory.
        for record in records.iter().filter(|record| record["disk"] != disk.name.as_str()) {
            let Some(name) = record["disk"].as_str() else { continue };
            let most = elsewhere.get(name).copied().unwrap_or_default();
            assert!(count(record, "count") <= most, "{filter:?}: {most} were its own: {record}");
        }
    }
    asked_for.finish();
    other.finish();
}

/// Where interrupts are off the kernel has memory for few new owners: one interrupt may end the
/// requests of many, and each interval begins without any owner.
#[test]
fn owners_whose_requests_end_at_once_find_room() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    // Where the disk is slower than those who ask, requests for neighbouring sectors meet in its queue.
    let disk = Disk::with_interrupts().without_merges();
    let ways: [&[&str]; 2] = [&["--by", "process"], &["--by", "cgroup"]];
    let tools = ways.map(|way| (way, Tool::start("biolat", &[way, &["0.02"]].concat())));
    let options = ["--ioengine=libaio", "--iodepth=8", "--rw=randrw", "--bs=4k", "--size=16m", "--fsync=7"];
    let job = fio::run(&disk.path(), &[&options[..], &["--numjobs=16", "--number_ios=211"]].concat());
    for (way, tool) in tools {
        let records = tool.interrupt().records;
        for op in ["read", "write"] {
            nothing_is_lost(way, &records, &disk, op, fio::done(&job, op)[0]);
        }
    }
}

/// An interval whose first request is a flush: it and the request that asked for it end together.
#[test]
fn owners_whose_flushes_end_at_once_find_room() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let disk = Disk::with_interrupts();
    let way: &[&str] = &["--by", "cgroup"];
    let tool = Tool::start("biolat", &[way, &["0.05"]].concat());
    let file = File::options().write(true).open(disk.path()).expect("the disk");
    let before = DiskStats::of(&disk.name);
    for _ in 0..17 {
        file.sync_all().expect("fsync");
        tool.until_interval_after(Timestamp::now());
    }
    let records = tool.interrupt().records;
    let flushes = DiskStats::of(&disk.name).since(&before).flushes;
    assert!(flushes >= 17, "{flushes}: the disk has no cache to flush");
    nothing_is_lost(way, &records, &disk, "flush", flushes);
}

fn nothing_is_lost(way: &[&str], records: &[Value], disk: &Disk, op: &str, done: u64) {
    let told = sum(of_disk(records, &disk.name, op), "count");
    Comparison::of("biolat", way).field(op, told, done).lost(sum(records, "lost")).equal();
}
