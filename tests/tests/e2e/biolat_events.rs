//! `biolat --events` against requests whose number, place and maker are known.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;

use serde_json::Value;
use tests::block_trace::Collector;
use tests::cgroup::{self, Cgroup};
use tests::comparison::Comparison;
use tests::disk::Disk;
use tests::programs::run;
use tests::records::{sum, with};
use tests::tool::{Ended, Tool};
use tests::workload::Workload;
use tests::{can_run, lock};

const BYTES: u64 = 4_096;
/// The area that the workload goes over.
const SPAN: u64 = 8 << 20;
/// Longer than any request takes.
const NEVER_US: &str = "4000000000";

/// How often each place is read or written: sectors, from that of a byte on.
fn places(from: u64, times: u64) -> BTreeMap<u64, u64> {
    let mut places = BTreeMap::new();
    for index in 0..times {
        *places.entry((from + index * BYTES % SPAN) / 512).or_default() += 1;
    }
    places
}

fn sectors<'a>(events: impl IntoIterator<Item = &'a &'a Value>) -> BTreeMap<u64, u64> {
    let mut places = BTreeMap::new();
    for event in events {
        *places.entry(event["sector"].as_u64().expect("a sector")).or_default() += 1;
    }
    places
}

/// A process that is about to read and write directly from a place on.
fn io(disk: &Disk, cgroup: &Cgroup, from: u64, [reads, writes]: [u64; 2], name: &str) -> Workload {
    let numbers = [reads, writes, BYTES, from].map(|number| number.to_string());
    let [reads, writes, bytes, from] = numbers.each_ref().map(String::as_str);
    let path = disk.path();
    let work =
        ["io", "--file", &path, "--reads", reads, "--writes", writes, "--bytes", bytes, "--from", from];
    let more = ["--cgroup", cgroup.path(), "--as", name, "--real-uid", "10001", "--wait", "--hold"];
    let mut workload = Workload::start(&[&work[..], &more].concat());
    workload.until_says("ready");
    workload
}

#[test]
fn each_request_is_told_with_its_place_and_who_made_it() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let disks = [Disk::over_file(32), Disk::over_file(32)];
    let cgroup = Cgroup::new();
    // The third is on another disk.
    let known = [("ask-a", 0, 0, [401, 211]), ("ask-b", 0, 16 << 20, [101, 307]), ("ask-c", 1, 0, [53, 59])];
    let mut workers = known.map(|(name, disk, from, counts)| io(&disks[disk], &cgroup, from, counts, name));
    let collectors = disks.each_ref().map(|disk| Collector::start(&disk.name));
    let first = disks[0].name.clone();
    let all: [Vec<&str>; 3] = [
        vec!["-q", "--events", "--disk", &first],
        vec!["-q", "--min-us", "0", "--comm", "ask-*", "--user", "10001"],
        vec!["-q", "--min-us", NEVER_US],
    ];
    let tools = Tool::start_all("biolat", &all);
    workers.iter_mut().for_each(Workload::go_on);
    workers.iter_mut().for_each(|workload| workload.until_says("held"));
    let [of_disk, of_names, slow] =
        <[Tool; 3]>::try_from(tools).ok().expect("three").map(Tool::interrupt_despite_losses);
    let requests = collectors.map(Collector::end);
    let ids = workers.each_ref().map(Workload::id);
    assert_eq!(slow.records.len(), 0, "{:?}", slow.records);
    let (lost_of_disk, lost_of_names) = (of_disk.lost(), of_names.lost());
    let (of_disk, of_names) = (of_disk.records, of_names.records);
    assert!(of_disk.iter().all(|event| event["disk"] == first.as_str()), "{of_disk:?}");
    for (events, told, lost) in
        [(&of_disk, &[0, 1][..], lost_of_disk), (&of_names, &[0, 1, 2], lost_of_names)]
    {
        for worker in told.iter().copied() {
            let (name, disk, from, counts) = known[worker];
            let own: Vec<&Value> = events
                .iter()
                .filter(|event| event["pid"] == ids[worker] && event["disk"] == disks[disk].name.as_str())
                .collect();
            let cgroup = cgroup::name(cgroup.path());
            for event in &own {
                assert_eq!((&event["comm"], &event["tid"]), (&Value::from(name), &event["pid"]), "{event}");
                assert_eq!(
                    (&event["cgroup"], &event["errno"]),
                    (&Value::from(cgroup.as_str()), &Value::Null),
                    "{event}"
                );
                let [queue, device] = ["queue_us", "duration_us"].map(|field| event[field].as_f64());
                assert!(queue >= Some(0.0) && device > Some(0.0), "{event}");
            }
            for (op, times) in ["read", "write"].into_iter().zip(counts) {
                let made = requests[disk]
                    .iter()
                    .filter(|request| request.is_made_by(ids[worker]) && request.op == op);
                let missed = made.filter(|request| request.unobserved).count() as u64;
                let own: Vec<&Value> = own.iter().copied().filter(|event| event["op"] == op).collect();
                let told = own.len() as u64;
                let expected = if told <= times - missed { times - missed } else { times };
                let comparison = Comparison::of("biolat", &["--events"]).part(format!("{name} {op}"));
                let comparison = comparison.field("requests", told, expected);
                let comparison = comparison.field("bytes", sum(own.iter().copied(), "bytes"), told * BYTES);
                comparison.lost(lost).equal_minus_lost();
                let (shown, known) = (sectors(&own), places(from, times));
                let fits =
                    |(sector, number): (&u64, &u64)| known.get(sector).is_some_and(|known| number <= known);
                assert!(shown.iter().all(fits) && (told < times || shown == known), "{name} {op}: {shown:?}");
            }
        }
    }
    // Nobody else's, of those whose name was asked for.
    assert!(of_names.iter().all(|event| ids.iter().any(|id| event["pid"] == *id)), "{of_names:?}");
    workers.into_iter().for_each(|workload| drop(workload.finish()));
}

#[test]
fn a_disk_made_of_bios_and_an_error() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let disk = Disk::zram(64);
    let cgroup = Cgroup::new();
    let mut worker = io(&disk, &cgroup, 0, [101, 53], "ask-a");
    let all: [Vec<&str>; 2] = [
        vec!["-q", "--events", "--disk", &disk.name, "--comm", "ask-a,dd"],
        vec!["-q", "--disk", &disk.name, "--comm", "ask-a,dd", "3600"],
    ];
    let tools = Tool::start_all("biolat", &all);
    worker.go_on();
    worker.until_says("held");
    // Of what cannot be compressed it takes so much, then none: dd ends at the first error.
    std::fs::write(format!("/sys/block/{}/mem_limit", disk.name), "64K").expect("a limit");
    let of = format!("of={}", disk.path());
    let dd = run("dd", &["if=/dev/urandom", &of, "bs=4096", "count=256", "oflag=direct", "status=none"]);
    assert!(!dd.status.success(), "it has no limit");
    let [events, interval] =
        <[Tool; 2]>::try_from(tools).ok().expect("two").map(Tool::interrupt_despite_losses);
    let lost = [&events, &interval].map(Ended::lost);
    let (events, interval) = (events.records, interval.records);
    worker.finish();
    let own: Vec<&Value> = with(&events, "comm", "ask-a");
    for (op, times) in [("read", 101), ("write", 53)] {
        let of: Vec<&Value> = own.iter().copied().filter(|event| event["op"] == op).collect();
        let comparison = Comparison::of("biolat", &["--events"]).part(format!("zram, {op}"));
        let comparison = comparison.field("bios", of.len() as u64, times).field(
            "bytes",
            sum(of.iter().copied(), "bytes"),
            times * BYTES,
        );
        comparison.lost(lost[0]).equal();
        assert!(sectors(&of) == places(0, times) || lost[0] > 0, "{of:?}");
        assert!(of.iter().all(|event| event["queue_us"].is_null() && event["errno"].is_null()), "{of:?}");
    }
    let failed: Vec<&Value> = events.iter().filter(|event| !event["errno"].is_null()).collect();
    let errors = failed.iter().map(|event| (&event["comm"], &event["op"], &event["errno"]));
    assert!(
        lost[0] > 0 && failed.is_empty()
            || errors.eq([(&Value::from("dd"), &Value::from("write"), &Value::from(libc::EIO))]),
        "{failed:?}"
    );
    // Where programs are skipped, not alike for both.
    let alike = (sum(&interval, "errors"), sum(&interval, "count")) == (1, events.len() as u64);
    assert!(alike || lost != [0, 0], "{events:?} {interval:?}");
}
