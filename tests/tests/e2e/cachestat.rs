//! cachestat against work whose numbers are known (`tests/src/bin/workload/cache.rs`): by every kind of hook, on file
//! systems with and without large folios, and on an overlay. What mincore(2), the page table and the kernel's own account
//! of the task tell is what cachestat must tell.
#![allow(clippy::expect_used, reason = "tests")]

use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;
use tests::cgroup::{self, Cgroup};
use tests::comparison::Comparison;
use tests::formatted::Formatted;
use tests::kernel::{self, Allows};
use tests::overlay::Overlay;
use tests::records::{count, sum, with};
use tests::tool::Tool;
use tests::tracer;
use tests::workload::Workload;
use tests::{can_run, lock};

/// The file's pages: a prime number.
const PAGES: u64 = 1_031;
/// Those of a file that is written.
const WRITTEN: u64 = 1_033;

/// What is in the cache before a step.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    All,
    /// Every other page.
    Half,
}

/// What a step does.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Reads,
    Faults,
    Stores,
    Readahead,
    /// A fault and a read.
    Both,
    Patches,
}

use Before::{All, Half, Nothing};

const STEPS: [(&str, Before, By); 26] = [
    ("read --bytes 4096", Nothing, By::Reads),
    ("read --bytes 4096", All, By::Reads),
    ("read --bytes 131072", Nothing, By::Reads),
    ("read --bytes 1048576", Nothing, By::Reads),
    ("read --bytes 1048576", All, By::Reads),
    ("read --bytes 65536", Half, By::Reads),
    ("read --bytes 1048576", Half, By::Reads),
    ("random --count 1009 --bytes 4096", Nothing, By::Reads),
    ("random --count 1009 --bytes 4096", All, By::Reads),
    ("same --count 509 --bytes 512", All, By::Reads),
    ("ends --count 29 --bytes 131072", All, By::Reads),
    ("sendfile", Nothing, By::Reads),
    ("sendfile", All, By::Reads),
    ("readahead --count 1021", Nothing, By::Readahead),
    ("touch", Nothing, By::Faults),
    ("touch", All, By::Faults),
    ("touch-random --count 1009", Nothing, By::Faults),
    ("touch-random --count 1009", All, By::Faults),
    ("touch-advised --count 1009", Nothing, By::Faults),
    ("touch-few --count 257", Nothing, By::Faults),
    ("touch-few --count 257", Half, By::Faults),
    ("private --count 131", Nothing, By::Faults),
    ("private --count 131", All, By::Faults),
    ("store --count 131", Nothing, By::Stores),
    ("touch-read --bytes 4096", Nothing, By::Both),
    ("patch --count 101 --bytes 512", Nothing, By::Patches),
];

/// In this order told and expected.
const FIELDS: [&str; 7] =
    ["reads", "read_misses", "faults", "fault_misses", "readahead", "write_adds", "dirtied"];

/// A tool that watches a cgroup.
struct Bench {
    cgroup: Cgroup,
    tool: Tool,
    rungs: Rungs,
}

/// How reads and page faults are seen.
struct Rungs {
    reads: String,
    faults: String,
}

impl Rungs {
    /// As a tool says with `-v`.
    fn of(tool: &Tool) -> Self {
        let [reads, faults] = ["reads", "faults"].map(|hook| tool.rung(hook));
        Self { reads, faults }
    }

    /// Whether they are what this kind of hook gives: the other hooks are the same by each kind.
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

    /// A step; what the workload said, and the records of it.
    fn step(&self, file: &str, step: &str) -> (Value, Vec<Value>) {
        let from = self.tool.seen(<[Value]>::len);
        let said = work(file, step, Some(self.cgroup.path()));
        if step.starts_with("readahead") {
            // Nobody claims these pages, for which the tool waits.
            let fetched = count(&said, "fetched");
            self.tool.until("what was read ahead", |records| {
                sum(&records[from..], "readahead") + sum(&records[from..], "lost") >= fetched
            });
        }
        let end = self.tool.until_interval_after(Timestamp::now());
        let records = self.tool.seen(|records| records[from..end].to_vec());
        records.iter().for_each(the_formula_holds);
        (said, records)
    }
}

/// What `--help` says of hits, in each record.
fn the_formula_holds(record: &Value) {
    let of = |field| count(record, field);
    let hits =
        of("reads").saturating_sub(of("read_misses")) + of("faults").saturating_sub(of("fault_misses"));
    let accesses = of("reads") + of("faults");
    assert_eq!(
        (of("accesses"), of("hits"), of("misses")),
        (accesses, hits, of("read_misses") + of("fault_misses")),
        "{record}"
    );
    match record["hit_ratio"].as_f64() {
        Some(ratio) => assert!((ratio - hits as f64 / accesses as f64).abs() < 1e-9, "{record}"),
        None => assert_eq!(accesses, 0, "{record}"),
    }
}

/// Pages that the kernel reads ahead at once, or around a fault (VM_READAHEAD_PAGES of include/linux/mm.h: 128 KiB), and so
/// the largest folio where no call asks for more.
const WINDOW: u64 = 32;
/// Pages that one fault maps (fault_around_bytes of mm/memory.c: 64 KiB), and that one call of sendfile moves here.
const AROUND: u64 = 16;

/// Pages that one call of a step asks for.
fn pages_of_a_call(step: &str) -> u64 {
    let bytes = step.split_once("--bytes ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u64>().ok());
    bytes.map_or(AROUND, |bytes| bytes.div_ceil(4096))
}

/// Told as expected: of each field from where to where it may be. Where programs can be preempted (Debian from Linux 6.18
/// on), a run of a program that was left out is in `lost`, and was of some pages: what can be missing then is bounded for
/// each field by what one run counts, and nothing is too many but what was told of another field instead.
fn compare(
    of: impl Fn() -> Comparison,
    faults: &str,
    step: &str,
    records: &[Value],
    expected: [[u64; 2]; 7],
) {
    let lost = sum(records, "lost");
    let call = pages_of_a_call(step);
    let folio = call.max(WINDOW);
    let fields = |names: &[&str], each| {
        let all = FIELDS.into_iter().zip(expected).filter(|(field, _)| names.contains(field));
        let all = all
            .fold(of(), |all, (field, [least, most])| all.between(field, sum(records, field), least, most));
        all.lost(lost).each_of(each)
    };
    fields(&["reads"], call).equal();
    // What was mapped is put right by tracepoints and probes when it turns out that a page was missing; fexit knows.
    match faults.starts_with("fentry:") {
        true => fields(&["faults"], AROUND).equal(),
        false => fields(&["faults"], AROUND).equal_within_lost(),
    }
    fields(&["write_adds", "dirtied"], folio).equal();
    // Whomever it was for, no more was fetched than there is.
    let misses = |of: fn([u64; 2]) -> u64| of(expected[1]) + of(expected[3]);
    let told = sum(records, "misses");
    let all = of().between("misses", told, misses(|[least, _]| least), misses(|[_, most]| most));
    all.lost(lost).each_of(folio).equal();
    // The end of a read or fault tells whom all was fetched for that is pending: what it asked for and what was read ahead
    // of it. Without it, that is missing in one field and told in two others.
    let pending = 2 * folio;
    fields(&["read_misses", "fault_misses", "readahead"], 3 * pending).equal_within_lost();
}

/// Whether the tracepoints of faults tell all that was mapped: not of large folios, nor of a cache with holes.
fn faults_are_exact(faults: &str, kind_of_files: &str, step: &str, before: Before) -> bool {
    let large = kind_of_files == "xfs" || kernel::release() >= (6, 16);
    let scattered = step.starts_with("touch-random") && before == Nothing || before == Half;
    !faults.starts_with("tp_btf") || step.starts_with("private") || !(large || scattered)
}

/// Whether it is told apart where one fetch ends and the next begins: see the bound of the tracepoints.
fn ends_of_faults_are_told(faults: &str) -> bool {
    let bit = std::fs::read("/sys/kernel/btf/vmlinux").expect("the kernel tells its types");
    let name = b"\0in_user_fault\0";
    !faults.starts_with("tp_btf") || bit.windows(name.len()).any(|part| part == name)
}

fn steps_on(bench: &Bench, kind: &str, kind_of_files: &str, path: &Path) {
    let file = path.join("file");
    let file = file.to_str().expect("UTF-8");
    work(file, &format!("make --pages {PAGES}"), None);
    for (step, before, by) in STEPS {
        let before_it = match before {
            Nothing => "nothing",
            All => "all",
            Half => "half",
        };
        let (said, records) = bench.step(file, &format!("{step} --before {before_it}"));
        let what = format!("{step} on {kind_of_files}: {said}");
        let of = |field| count(&said, field);
        let (asked, fetched, mapped, ahead) =
            (of("asked"), of("fetched"), of("mapped"), of("fetched") - of("absent"));
        assert!((fetched > 0) == (before != All), "the workload proves nothing: {what}");
        let expected = match by {
            By::Reads => [asked, fetched, 0, 0, ahead, 0, 0],
            By::Readahead => [0, fetched, 0, 0, fetched, 0, 0],
            By::Faults => [0, 0, mapped, fetched, ahead, 0, 0],
            By::Stores => [0, 0, mapped, fetched, ahead, 0, of("dirtied")],
            By::Both if ends_of_faults_are_told(&bench.rungs.faults) => {
                [1, 1, mapped, fetched - 1, ahead, 0, 0]
            }
            By::Both => [1, 0, mapped, fetched, ahead + 1, 0, 0],
            By::Patches => [0, 0, 0, 0, 0, fetched, of("dirtied")],
        };
        let mut expected = expected.map(|number| [number; 2]);
        if matches!(by, By::Faults | By::Both | By::Stores)
            && !faults_are_exact(&bench.rungs.faults, kind_of_files, step, before)
        {
            // Some; never more than were looked through for each that was touched.
            expected[2] = [1, AROUND * mapped];
        }
        if step == "read --bytes 1048576" && before == Half && bench.rungs.reads.starts_with("fentry") {
            // The bound of many stretches: some that were read ahead are told as asked for.
            expected[4] = [0, ahead];
        }
        compare(
            || Comparison::by("cachestat", kind).part(&what),
            &bench.rungs.faults,
            step,
            &records,
            expected,
        );
    }
    let new = path.join("new");
    let new = new.to_str().expect("UTF-8");
    for bytes in ["4096", "65536", "1048576"] {
        let step = format!("write --pages {WRITTEN} --bytes {bytes}");
        let (said, records) = bench.step(new, &step);
        let of = || Comparison::by("cachestat", kind).part(format!("{step} on {kind_of_files}: {said}"));
        compare(
            of,
            &bench.rungs.faults,
            &step,
            &records,
            [0, 0, 0, 0, 0, WRITTEN, WRITTEN].map(|number| [number; 2]),
        );
    }
}

/// The same on each file system, under one tool.
fn counted_on_all(kind: &str) {
    let bench = Bench::new(kind);
    for kind_of_files in ["ext4", "xfs"] {
        let files = Formatted::new(kind_of_files);
        steps_on(&bench, kind, kind_of_files, files.path());
    }
    bench.tool.interrupt();
}

/// Counts the work by this kind of hook.
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

/// A cold read is all misses, a warm one all hits: in one interval, so that the formula is of all of it; on an overlay, too,
/// where the file beneath is read, once. Each step is in a cgroup of its own, under one tool that tells them apart. By the
/// best rungs; what a kind of hook does not give is then counted by them in full.
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
    // Of all of them, on the first.
    let lost = sum(&records, "lost");
    for (cgroup, place, step, expected) in &steps {
        let [record] = with(&records, "cgroup", &cgroup::name(cgroup.path()))[..] else {
            panic!("{records:?}")
        };
        the_formula_holds(record);
        // Large folios: see the bound of the tracepoints.
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
        // What is left out of the misses is told as hits.
        field(1).each_of(WINDOW).equal_within_lost();
    }
    if !["fentry", "tp_btf"].iter().any(|kind| rungs.are_those_of(kind)) {
        counted_on_all("auto");
    }
}
