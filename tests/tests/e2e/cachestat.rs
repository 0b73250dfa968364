//! cachestat against known work (`tests/src/bin/workload/cache.rs`): with every kind of hook, on
//! file systems with and without large folios, and on an overlay. The reference is mincore(2), the
//! page table and the kernel's I/O accounting of the task.
#![allow(clippy::expect_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

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
use tests::{can_run, lock, programs};

/// The file's pages: a prime number.
const PAGES: u64 = 1_031;
/// The pages of a file that is written.
const WRITTEN: u64 = 1_033;

/// The cached pages before a step.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    All,
    /// Every other page.
    Half,
}

/// The operations of a step.
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

/// Fields in the order of reported and expected values.
const FIELDS: [&str; 7] =
    ["reads", "read_misses", "faults", "fault_misses", "readahead", "write_adds", "dirtied"];

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

/// Asserts that each field is in its range. Where programs can be preempted (Debian from Linux 6.18
/// on), a skipped run of a program is in `lost` and was for some pages: each field may lack at most
/// what one run counts, and may only exceed by what was reported in another field instead.
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
    // Tracepoints and probes correct the mapped pages when a page turns out to be missing; fexit
    // knows it.
    match faults.starts_with("fentry:") {
        true => fields(&["faults"], AROUND).equal(),
        false => fields(&["faults"], AROUND).equal_within_lost(),
    }
    fields(&["write_adds", "dirtied"], folio).equal();
    // Regardless of the reader, no more was fetched than there is.
    let misses = |of: fn([u64; 2]) -> u64| of(expected[1]) + of(expected[3]);
    let reported = sum(records, "misses");
    let all = of().between("misses", reported, misses(|[least, _]| least), misses(|[_, most]| most));
    all.lost(lost).each_of(folio).equal();
    // The end of a read or fault determines whether pending fetches were asked for or read ahead.
    // Without it, they are missing in one field and reported in two others.
    let pending = 2 * folio;
    fields(&["read_misses", "fault_misses", "readahead"], 3 * pending).equal_within_lost();
}

/// Whether the tracepoints of faults cover all mapped pages: they do not for large folios, nor for
/// a cache with holes.
fn faults_are_exact(faults: &str, kind_of_files: &str, step: &str, before: Before) -> bool {
    let large = kind_of_files == "xfs" || kernel::release() >= (6, 16);
    let scattered = step.starts_with("touch-random") && before == Nothing || before == Half;
    !faults.starts_with("tp_btf") || step.starts_with("private") || !(large || scattered)
}

/// Whether the tool can separate consecutive fetches: see the bound of the tracepoints.
fn ends_of_faults_are_reported(faults: &str) -> bool {
    let bit = std::fs::read("/sys/kernel/btf/vmlinux").expect("the kernel has BTF");
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
        let (measured, records) = bench.step(file, &format!("{step} --before {before_it}"));
        let what = format!("{step} on {kind_of_files}: {measured}");
        let of = |field| count(&measured, field);
        let (asked, fetched, mapped, ahead) =
            (of("asked"), of("fetched"), of("mapped"), of("fetched") - of("absent"));
        assert!((fetched > 0) == (before != All), "the workload proves nothing: {what}");
        let expected = match by {
            By::Reads => [asked, fetched, 0, 0, ahead, 0, 0],
            By::Readahead => [0, fetched, 0, 0, fetched, 0, 0],
            By::Faults => [0, 0, mapped, fetched, ahead, 0, 0],
            By::Stores => [0, 0, mapped, fetched, ahead, 0, of("dirtied")],
            By::Both if ends_of_faults_are_reported(&bench.rungs.faults) => {
                [1, 1, mapped, fetched - 1, ahead, 0, 0]
            }
            By::Both => [1, 0, mapped, fetched, ahead + 1, 0, 0],
            By::Patches => [0, 0, 0, 0, 0, fetched, of("dirtied")],
        };
        let mut expected = expected.map(|number| [number; 2]);
        if matches!(by, By::Faults | By::Both | By::Stores)
            && !faults_are_exact(&bench.rungs.faults, kind_of_files, step, before)
        {
            // Some; never more than were scanned for each page that was touched.
            expected[2] = [1, AROUND * mapped];
        }
        if step == "read --bytes 1048576" && before == Half && bench.rungs.reads.starts_with("fentry") {
            // The documented bound for many ranges: some pages that were read ahead are reported as
            // asked for.
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
        let (measured, records) = bench.step(new, &step);
        let of = || Comparison::by("cachestat", kind).part(format!("{step} on {kind_of_files}: {measured}"));
        compare(
            of,
            &bench.rungs.faults,
            &step,
            &records,
            [0, 0, 0, 0, 0, WRITTEN, WRITTEN].map(|number| [number; 2]),
        );
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
