//! swapstat against memory that is swapped out and in again, and against what the kernel itself counts.
#![allow(clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::cgroup;
use tests::comparison::Comparison;
use tests::disk::Disk;
use tests::hog::Place;
use tests::kernel::{self, Allows};
use tests::records::{count, sum};
use tests::swap::{Swap, Vmstat};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock};

/// Pages of the work: private ones, those of them that are only zeros, and shared ones.
const PRIVATE: u64 = 2_053;
const ZEROS: u64 = 8;
const SHARED: u64 = 1_031;

/// The options of a tool, and its records.
type Told = (Vec<String>, Vec<Value>);

/// Ways to watch at the same time.
struct Watched {
    tools: Vec<(Vec<String>, Tool)>,
    before: Vmstat,
}

impl Watched {
    fn start(ways: &[&[&str]]) -> Self {
        let mut tools = Vec::new();
        for way in ways {
            let kind = way.iter().skip_while(|word| **word != "--attach").nth(1);
            if kind.is_some_and(|kind| kernel::allows(kind) != Allows::Yes) {
                continue;
            }
            let tool = Tool::start("swapstat", &[&["-q"], *way, &["3600"]].concat());
            tools.push((way.iter().map(ToString::to_string).collect(), tool));
        }
        Self { tools, before: Vmstat::now() }
    }

    /// Ends all; the records of each, and what the kernel counted meanwhile.
    fn end(self) -> (Vec<Told>, Vmstat) {
        let Self { tools, before } = self;
        (tools.into_iter().map(|(way, tool)| (way, tool.interrupt().records)).collect(), before)
    }
}

fn compare(way: &[String], records: &[Value]) -> Comparison {
    let way: Vec<&str> = way.iter().map(String::as_str).collect();
    Comparison::of("swapstat", &way).lost(sum(records, "lost"))
}

/// Asserts that all records together are what the kernel counts.
fn agrees_with_the_kernel(way: &[String], records: &[Value], before: &Vmstat) {
    let added = |name| before.added(name).expect("all kernels count it");
    compare(way, records)
        .field("in_pages", sum(records, "in_pages"), added("pswpin"))
        .field("out_pages", sum(records, "out_pages"), added("pswpout"))
        .field("in_bytes", sum(records, "in_bytes"), 4_096 * added("pswpin"))
        .field("out_bytes", sum(records, "out_bytes"), 4_096 * added("pswpout"))
        .equal();
}

/// Asserts that a field of the system is what the kernel counts, and null where it counts nothing.
fn is_counted(records: &[Value], field: &str, before: &Vmstat, name: &str) {
    let told = records.iter().map(|record| record[field].as_u64()).sum::<Option<u64>>();
    assert_eq!(told, before.added(name), "{field}: {records:?}");
}

fn of<'a>(records: &'a [Value], field: &str, owner: &Value) -> Vec<&'a Value> {
    records.iter().filter(|record| record[field] == *owner).collect()
}

/// Whether the kernel keeps no pages of zeros.
fn knows_zeros() -> bool {
    Vmstat::now().added("swpout_zero").is_some()
}

/// A workload that has filled its memory.
fn filled(place: &Place, options: &[&str]) -> Workload {
    let memcg = ["--cgroup", place.cgroup(), "--memcg", place.memcg.path()];
    let mut workload = Workload::start(&[&["swapped"], &memcg[..], options].concat());
    workload.until_says("filled");
    workload
}

/// Has it paged out all, and then read it again, with nothing of it left in memory meanwhile; what it says of that.
fn out_and_in(place: &Place, mut workload: Workload) -> Value {
    workload.go_on();
    workload.until_says("out");
    place.memcg.reclaim();
    let mut said = workload.finish();
    said.pop().expect("what it did")
}

/// The disks to swap to: each makes requests of its own kind.
fn disks() -> Vec<fn() -> Disk> {
    if kernel::of_guest().is_none() {
        // What is written to a loop device is written once more, to the disk of its file.
        return vec![|| Disk::over_file(64), || Disk::zram(64)];
    }
    let mut disks: Vec<fn() -> Disk> = vec![
        Disk::with_interrupts,
        // Its driver passes each bio on, twice.
        || Disk::over(&[&Disk::with_interrupts(), &Disk::another()], "raid1"),
        Disk::in_memory,
    ];
    // Before, zram needs a module of its own to compress with.
    if kernel::release() >= (6, 12) {
        disks.push(|| Disk::zram(64));
    }
    disks
}

#[test]
fn each_page_that_is_swapped_counts_once() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let place = Place::new(1 << 30);
    let by_process: &[&str] = &["--by", "process"];
    let by_owner: &[&str] = &["--by", "owner"];
    let ways: [&[&str]; 8] = [
        &[],
        &["--attach", "kprobe"],
        by_process,
        &["--by", "process", "--attach", "kprobe"],
        by_owner,
        &["--cgroup", place.cgroup()],
        &["--by", "cgroup"],
        &["--by", "comm"],
    ];
    let watched = Watched::start(&ways);
    let (mut pids, mut said) = (Vec::new(), Vec::new());
    let work = [("anon", PRIVATE), ("zeros", ZEROS), ("shmem", SHARED)];
    let work: Vec<String> = work.iter().flat_map(|(name, n)| [format!("--{name}"), n.to_string()]).collect();
    let work: Vec<&str> = work.iter().map(String::as_str).collect();
    for disk in disks() {
        let _swap = Swap::on(disk());
        let workload = filled(&place, &work);
        pids.push(workload.id());
        said.push(out_and_in(&place, workload));
    }
    let told = |field: &str| sum(&said, field);
    let zeros = if knows_zeros() { ZEROS * said.len() as u64 } else { 0 };
    let out = (PRIVATE + SHARED) * said.len() as u64 - zeros;
    // Each page that was not in memory is a fault and a read of its own, but for zeros.
    let read = told("absent") - zeros;
    assert_eq!(told("major_faults"), told("absent"), "{said:?}");
    // The kernel keeps some that it cannot take at the moment: shared ones, and now and then a few private ones, of which
    // nothing tells whether they are zeros.
    let private = PRIVATE * said.len() as u64;
    assert!(told("absent_private") <= private && told("absent") <= out + zeros, "{said:?}");
    let kept = private - told("absent_private");
    assert!(kept < private / 100, "{said:?}");
    let most = read + kept.min(zeros);
    let (records, before) = watched.end();
    for (way, records) in &records {
        let options: Vec<&str> = way.iter().map(String::as_str).collect();
        let is_system = options.is_empty() || options[0] == "--attach";
        if options.first() != Some(&"--cgroup") {
            agrees_with_the_kernel(way, records, &before);
        }
        let is_mine = |record: &&Value| pids.iter().any(|pid| record["pid"] == *pid);
        let mine: Vec<&Value> = match &options[..] {
            ["--by", "process", ..] => records.iter().filter(is_mine).collect(),
            ["--by", "owner"] => of(records, "cgroup", &place.memcg.name().into()),
            ["--by", "cgroup"] => of(records, "cgroup", &cgroup::name(place.cgroup()).into()),
            ["--by", "comm"] => of(records, "comm", &"workload".into()),
            _ => records.iter().collect(),
        };
        let all = |field: &str| sum(mine.iter().copied(), field);
        // Other programs of this machine may swap, too.
        if !is_system || kernel::of_guest().is_some() {
            let mut comparison = compare(way, records)
                .between("in_pages", all("in_pages"), read, most)
                .field("in_requests", all("in_requests"), all("in_pages"))
                .field("in_bytes", all("in_bytes"), 4_096 * all("in_pages"));
            // What the program did not manage to have written, the test had, which is another process.
            if is_system || options == by_owner {
                comparison = comparison
                    .between("out_pages", all("out_pages"), read, out)
                    .between("out_requests", all("out_requests"), read, out)
                    .field("out_bytes", all("out_bytes"), 4_096 * all("out_pages"));
            }
            comparison.equal();
        }
        if !times_faults(&options) {
            assert!(records.iter().all(|record| record["fault_count"].is_null()), "{records:?}");
        } else {
            compare(way, records).field("fault_count", all("fault_count"), told("absent_private")).equal();
        }
        if options.is_empty() {
            is_counted(records, "zero_in_pages", &before, "swpin_zero");
            is_counted(records, "zero_out_pages", &before, "swpout_zero");
            is_counted(records, "zswap_in_pages", &before, "zswpin");
            is_counted(records, "zswap_out_pages", &before, "zswpout");
        } else if !is_system {
            assert!(records.iter().all(|record| record["zero_in_pages"].is_null()), "{records:?}");
        }
    }
}

/// Whether faults are timed with these options.
fn times_faults(options: &[&str]) -> bool {
    kernel::hooks("swapstat", options).contains_key("faults")
}

#[test]
fn a_hog_swaps_its_own_memory() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let disk = if kernel::of_guest().is_some() { Disk::with_interrupts() } else { Disk::over_file(64) };
    let _swap = Swap::with_read_ahead(disk);
    let place = Place::new(40 << 20);
    let ways: [&[&str]; 4] = [&[], &["--attach", "kprobe"], &["--by", "process"], &["--by", "owner"]];
    let watched = Watched::start(&ways);
    // 60 MB, of which 40 find room.
    let mut workload = Workload::start(&[
        "swapped",
        "--cgroup",
        place.cgroup(),
        "--memcg",
        place.memcg.path(),
        "--anon",
        "15360",
        "--rounds",
        "2",
    ]);
    workload.until_says("filled");
    workload.go_on();
    workload.until_says("out");
    let pid = workload.id();
    workload.finish();
    let (records, before) = watched.end();
    for (way, records) in &records {
        agrees_with_the_kernel(way, records, &before);
        assert!(
            sum(records, "in_pages") >= 5_120 && sum(records, "out_pages") >= 10_240,
            "{way:?}: {records:?}"
        );
        match way.last().map(String::as_str) {
            Some("owner") => {
                let mine = of(records, "cgroup", &place.memcg.name().into());
                let rest = |field| sum(records, field) - sum(mine.iter().copied(), field);
                if kernel::of_guest().is_some() {
                    assert_eq!((rest("in_pages"), rest("out_pages")), (0, 0), "{records:?}");
                }
                assert!(sum(mine, "out_pages") >= 10_240, "{records:?}");
            }
            // It reclaims at its own limit; kswapd has no reason to.
            Some("process") => {
                let mine = of(records, "pid", &pid.into());
                assert!(sum(mine, "in_pages") >= 5_120, "{records:?}");
            }
            _ => {}
        }
    }
}

/// A fault waits at least as long as the disk takes to read the page, and at most as long as the program has to.
#[test]
fn a_fault_waits_for_its_read() {
    if !can_run() || kernel::of_guest().is_none() {
        return;
    }
    let _machine = lock::machine();
    let disk = Disk::with_interrupts();
    let name = disk.name.clone();
    let _swap = Swap::on(disk);
    let place = Place::new(1 << 30);
    let ways: [&[&str]; 2] = [&["--by", "process"], &["--by", "process", "--attach", "kprobe"]];
    for way in ways {
        let workload = filled(&place, &["--anon", "257"]);
        let pid: Value = workload.id().into();
        let biolat = Tool::start("biolat", &["--by", "process", "3600"]);
        let tool = Tool::start("swapstat", &[&["-q", "--buckets"], way, &["3600"]].concat());
        let said = out_and_in(&place, workload);
        let [faults, reads] = [tool, biolat].map(|tool| tool.interrupt().records);
        let [faults] = of(&faults, "pid", &pid)[..] else { panic!("{faults:?}") };
        let reads: Vec<&Value> = of(&reads, "pid", &pid);
        let read = reads.iter().find(|record| record["disk"] == name.as_str() && record["op"] == "read");
        let read = read.expect("its reads");
        let us = |record: &Value, field: &str| record[field].as_f64().expect("a time");
        let total = |record: &Value, prefix: &str| {
            us(record, &format!("{prefix}mean_us")) * count(record, &format!("{prefix}count")) as f64
        };
        let absent = count(&said, "absent");
        assert!(absent > 0, "{said}");
        assert_eq!([count(read, "count"), count(faults, "fault_count")], [absent; 2], "{faults} {read}");
        let (waited, took) = (total(faults, "fault_"), count(&said, "touched_ns") as f64 / 1e3);
        assert!(total(read, "") < waited && waited < took, "{way:?}: {read} {faults} {said}");
        assert!(us(faults, "fault_min_us") > us(read, "min_us"), "{way:?}: {read} {faults}");
        assert!(
            us(faults, "fault_max_us") < count(&said, "longest_ns") as f64 / 1e3,
            "{way:?}: {faults} {said}"
        );
        let buckets = faults["fault_buckets"].as_array().expect("buckets");
        assert_eq!(buckets.iter().filter_map(|bucket| bucket[1].as_u64()).sum::<u64>(), absent, "{faults}");
    }
}

const LARGE: &str = "/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled";

#[test]
fn a_large_folio_is_one_request() {
    if !can_run() || kernel::of_guest().is_none() || !Path::new(LARGE).exists() {
        return;
    }
    let _machine = lock::machine();
    let place = Place::new(1 << 30);
    let set = |kilobytes: &str, to: &str| fs::write(LARGE.replace("64", kilobytes), to).expect("the setting");
    set("64", "madvise");
    set("2048", "never");
    let _swap = Swap::on(Disk::with_interrupts());
    let watched = Watched::start(&[&[], &["--by", "owner"]]);
    out_and_in(&place, filled(&place, &["--folios", "2048"]));
    let (records, before) = watched.end();
    set("2048", "inherit");
    set("64", "never");
    for (way, records) in &records {
        agrees_with_the_kernel(way, records, &before);
        // Before, they are split to be written.
        let requests = if kernel::release() >= (6, 18) { 2_048 / 16 } else { 2_048 };
        compare(way, records)
            .field("out_pages", sum(records, "out_pages"), 2_048)
            .field("out_requests", sum(records, "out_requests"), requests)
            .equal();
    }
}

const ZSWAP: &str = "/sys/module/zswap/parameters/enabled";

#[test]
fn what_zswap_keeps_makes_no_requests() {
    if !can_run() || kernel::of_guest().is_none() || !Path::new(ZSWAP).exists() {
        return;
    }
    let _machine = lock::machine();
    let place = Place::new(1 << 30);
    let _swap = Swap::on(Disk::with_interrupts());
    fs::write(ZSWAP, "Y").expect("the setting");
    let by_process: &[&str] = &["--by", "process"];
    let watched = Watched::start(&[&[], by_process, &["--by", "owner"]]);
    let work = ["--anon", "2053", "--zeros", "8"];
    let workload = filled(&place, &work);
    let pid: Value = workload.id().into();
    let said = out_and_in(&place, workload);
    let (records, before) = watched.end();
    fs::write(ZSWAP, "N").expect("the setting");
    assert_eq!(before.added("zswpout"), Some(PRIVATE - ZEROS));
    assert_eq!(count(&said, "absent"), PRIVATE);
    for (way, records) in &records {
        let mine: Vec<&Value> = match way.last().map(String::as_str) {
            Some("process") => of(records, "pid", &pid),
            Some("owner") => of(records, "cgroup", &place.memcg.name().into()),
            _ => records.iter().collect(),
        };
        let all = |field: &str| sum(mine.iter().copied(), field);
        let mut comparison = compare(way, records)
            .field("in_pages", all("in_pages"), 0)
            .field("out_pages", all("out_pages"), 0)
            .field("zswap_out_pages", all("zswap_out_pages"), PRIVATE - ZEROS)
            .field("zswap_in_pages", all("zswap_in_pages"), PRIVATE - ZEROS)
            .field("fault_count", all("fault_count"), PRIVATE);
        if way.is_empty() {
            comparison = comparison.field("zero_out_pages", all("zero_out_pages"), ZEROS).field(
                "zero_in_pages",
                all("zero_in_pages"),
                ZEROS,
            );
        }
        comparison.equal();
    }
}
