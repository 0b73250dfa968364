//! cachestat against known work (`tests/src/bin/workload/cache.rs`): with every kind of hook, on
//! file systems with and without large folios, and on an overlay. The reference is mincore(2), the
//! page table and the kernel's I/O accounting of the task.
#![allow(clippy::expect_used, reason = "tests")]

mod compare;
mod steps;

use std::process::Command;

use compare::{AROUND, WINDOW};
use jiff::Timestamp;
use serde_json::Value;
use steps::steps_on;
use tests::cgroup::{self, Cgroup};
use tests::comparison::Comparison;
use tests::formatted::Formatted;
use tests::kernel::{self, Allows};
use tests::overlay::Overlay;
use tests::records::{count, sum, with};
use tests::tool::Tool;
use tests::tracer;
use tests::workload::Workload;
use tests::{can_run, lock, programs};

/// The file's pages: a prime number.
const PAGES: u64 = 1_031;
/// A tool that watches a cgroup.
struct Bench {
    cgroup: Cgroup,
    tool: Tool,
    rungs: Rungs,
}

/// The rungs of reads and page faults.
struct Rungs {
    reads: String,
    faults: String,
}

impl Rungs {
    /// Reads them from a tool's `-v` output.
    fn of(tool: &Tool) -> Self {
        let [reads, faults] = ["reads", "faults"].map(|hook| tool.rung(hook));
        Self { reads, faults }
    }

    /// Whether these rungs are those of this kind of hook: the other hooks are the same for each
    /// kind.
    fn are_those_of(&self, kind: &str) -> bool {
        [&self.reads, &self.faults].iter().all(|rung| rung.split_once(':').is_some_and(|(of, _)| of == kind))
    }
}

fn work(file: &str, step: &str, join: Option<&str>) -> Value {
    let mut args = vec!["cache", "--file", file, "--do"];
    args.extend(step.split(' '));
    args.extend(join.iter().flat_map(|cgroup| ["--join", cgroup]));
    Workload::run(&args).pop().unwrap_or_default()
}

impl Bench {
    fn new(kind: &str) -> Self {
        let cgroup = Cgroup::new();
        let tool = Tool::start("cachestat", &["-v", "--cgroup", cgroup.path(), "--attach", kind, "0.05"]);
        let rungs = Rungs::of(&tool);
        Self { cgroup, tool, rungs }
    }

    /// Runs a step; returns the workload's line and the records.
    fn step(&self, file: &str, step: &str) -> (Value, Vec<Value>) {
        let from = self.tool.seen(<[Value]>::len);
        let measured = work(file, step, Some(self.cgroup.path()));
        if step.starts_with("readahead") {
            // No read claims these pages, for which the tool waits.
            let fetched = count(&measured, "fetched");
            self.tool.until("what was read ahead", |records| {
                sum(&records[from..], "readahead") + sum(&records[from..], "lost") >= fetched
            });
        }
        let end = self.tool.until_interval_after(Timestamp::now());
        let records = self.tool.seen(|records| records[from..end].to_vec());
        records.iter().for_each(the_formulas_hold);
        (measured, records)
    }
}

/// The documented formulas, in each record; pages fetched in earlier records are subtracted from the hits.
fn the_formulas_hold(record: &Value) {
    let of = |field| count(record, field);
    let most =
        of("reads").saturating_sub(of("read_misses")) + of("faults").saturating_sub(of("fault_misses"));
    let (accesses, hits) = (of("reads") + of("faults"), of("hits"));
    assert_eq!(
        (of("accesses"), of("misses")),
        (accesses, of("read_misses") + of("fault_misses")),
        "{record}"
    );
    assert!(hits <= most, "{record}");
    match record["hit_ratio"].as_f64() {
        Some(ratio) => assert!((ratio - hits as f64 / accesses as f64).abs() < 1e-9, "{record}"),
        None => assert_eq!(accesses, 0, "{record}"),
    }
}

/// The same on each file system, with one tool.
fn counted_on_all(kind: &str) {
    let bench = Bench::new(kind);
    for kind_of_files in ["ext4", "xfs"] {
        let files = Formatted::new(kind_of_files);
        steps_on(&bench, kind, kind_of_files, files.path());
    }
    bench.tool.interrupt();
}

/// Counts the work with this kind of hook.
fn counted_by(kind: &str) {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let options = ["--attach", kind];
    if let Allows::Not { status, says } = kernel::allows(kind) {
        return kernel::refuses("cachestat", &options, status, says);
    }
    if kind == "btf" && !tracer::exists("filemap/mm_filemap_get_pages") {
        return kernel::refuses("cachestat", &options, 3, "mm_filemap_get_pages");
    }
    counted_on_all(kind);
}

#[test]
fn known_work_is_counted_exactly_by_fentry() {
    counted_by("fentry");
}

#[test]
fn known_work_is_counted_exactly_by_kprobes() {
    counted_by("kprobe");
}

#[test]
fn known_work_is_counted_exactly_by_tracepoints() {
    counted_by("btf");
}

/// A cold read has only misses, a warm one only hits: in one interval, so that the formula applies
/// to all of it; also on an overlay, where the lower file is read once. Each step is in its own
/// cgroup, with one tool `--by cgroup`. With the best rungs; what a kind of hook does not provide
/// is then counted by them in full.
#[test]
fn known_work_is_counted_exactly_by_the_best_rungs() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let files = Formatted::new("ext4");
    let overlay = Overlay::new(files.path());
    let all = Cgroup::new();
    let tool = Tool::start("cachestat", &["-v", "--by", "cgroup", "--cgroup", all.path(), "3600"]);
    let rungs = Rungs::of(&tool);
    let mut steps = Vec::new();
    for (place, directory) in [("a file system", files.path()), ("an overlay", overlay.path())] {
        let file = directory.join("file");
        let file = file.to_str().expect("UTF-8");
        work(file, &format!("make --pages {PAGES}"), None);
        work(file, "evict", None);
        for (step, expected) in [
            ("read --bytes 4096", [PAGES, 0, PAGES]),
            ("read --bytes 4096", [PAGES, PAGES, 0]),
            ("touch", [PAGES, PAGES, 0]),
        ] {
            let cgroup = all.child();
            work(file, step, Some(cgroup.path()));
            steps.push((cgroup, place, step, expected));
        }
    }
    let records = tool.interrupt().records;
    assert_eq!(records.len(), steps.len(), "{records:?}");
    // `lost` is of all cgroups, on the first record.
    let lost = sum(&records, "lost");
    for (cgroup, place, step, expected) in &steps {
        let [record] = with(&records, "cgroup", &cgroup::name(cgroup.path()))[..] else {
            panic!("{records:?}")
        };
        the_formulas_hold(record);
        // Large folios: see the documented bound of the tracepoints.
        if *step == "touch" && rungs.faults.starts_with("tp_btf") {
            assert_eq!((&record["hit_ratio"], count(record, "misses")), (&1.0.into(), 0), "{record}");
            continue;
        }
        let of = || Comparison::of("cachestat", &[]).part(format!("{step} on {place}")).lost(lost);
        let field = |index: usize| {
            let name = ["accesses", "hits", "misses"][index];
            of().field(name, count(record, name), expected[index])
        };
        field(0).each_of(AROUND).equal();
        field(2).each_of(WINDOW).equal();
        // Misses that are skipped are reported as hits.
        field(1).each_of(WINDOW).equal_within_lost();
    }
    if !["fentry", "tp_btf"].iter().any(|kind| rungs.are_those_of(kind)) {
        counted_on_all("auto");
    }
}

/// A cold read is fetched ahead, by more in one interval than is read in it: the hits of intervals of 10 ms add up to those
/// of one long interval, of the system and of each process, and through `ebpfmux --window`.
#[test]
fn hits_add_up_at_any_interval() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let files = Formatted::new("ext4");
    let file = files.path().join("file");
    let file = file.to_str().expect("UTF-8");
    work(file, &format!("make --pages {PAGES}"), None);
    let cgroup = Cgroup::new();
    let ways: [&[&str]; 3] = [&["3600"], &["0.01"], &["--by", "process", "0.01"]];
    let tools = ways.map(|way| Tool::start("cachestat", &[&["--cgroup", cgroup.path()], way].concat()));
    for _ in 0..5 {
        work(file, "read --bytes 4096 --before nothing", Some(cgroup.path()));
        work(file, "read --bytes 4096 --before all", Some(cgroup.path()));
    }
    let records = tools.map(|tool| tool.interrupt().records);
    let compare = |way: &str, records: &[Value], lost: u64| {
        let told = ["reads", "misses", "hits"].map(|field| sum(records, field));
        let all = Comparison::of("cachestat", &[]).part(way);
        let all = all.fields(&["reads", "misses", "hits"], &told, &[10 * PAGES, 5 * PAGES, 5 * PAGES]);
        all.lost(lost).each_of(WINDOW).equal_within_lost();
    };
    for (way, records) in ways.iter().zip(&records) {
        records.iter().for_each(the_formulas_hold);
        compare(&way.join(" "), records, sum(records, "lost"));
    }
    let stream = files.path().join("stream");
    std::fs::write(&stream, records[1].iter().map(|record| format!("{record}\n")).collect::<String>())
        .expect("a file");
    for window in ["0.02", "0.3"] {
        let windows =
            Tool::spawn(Command::new(programs::built("ebpfmux")).arg(&stream).args(["--window", window]));
        compare(&format!("--window {window}"), &windows.wait().records, sum(&records[1], "lost"));
    }
}
