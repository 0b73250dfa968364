//! dcstat against look-ups whose numbers are known (`tests/src/bin/lookwork.rs`): by every kind of hook, and on file
//! systems that keep the cache in different ways.
#![allow(clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::kernel::{self, Allows};
use tests::overlay::Overlay;
use tests::paused_child::PausedChild;
use tests::records::sum;
use tests::tool::Tool;
use tests::{can_run, lock, programs};

/// A part of the work, and what dcstat must tell of it: references, slow ones, misses.
type Part = (&'static str, [u64; 3]);

const COLD: &str = "names, after a drop of the cache";
const DEEP_COLD: &str = "a deep path, after a drop of the cache";
const AGAIN: &str = "names that are not there, again";
const UNOPENED: &str = "opens of files that are not there, again";
const REOPENED: &str = "opens that may create, of a file";
const ABSOLUTE: &str = "a deep absolute path";
const TOGETHER: &str = "new names by 7 threads at once";
/// So many.
const NEW_NAMES: u64 = 211;

/// On a file system on disk. Of `ABSOLUTE` the path to the directory is to be added.
const EXPECTED: [Part; 27] = [
    // Seven components each.
    ("a deep path", [2_011 * 7, 0, 0]),
    (ABSOLUTE, [1_009 * 7, 0, 0]),
    // a, b, b, c.
    ("dots", [503 * 4, 0, 0]),
    // The link, the four components in it, and the one behind it.
    ("a symbolic link", [211 * 6, 0, 0]),
    ("names that are not there", [1_013, 1_013, 1_013]),
    (AGAIN, [1_013, 0, 0]),
    (COLD, [499, 499, 499]),
    (DEEP_COLD, [7, 7, 7]),
    ("opens that create", [101, 101, 101]),
    (REOPENED, [103, 0, 0]),
    ("exclusive opens", [97, 97, 97]),
    ("exclusive opens of a file", [11, 11, 0]),
    ("opens", [401, 0, 0]),
    ("opens of files that are not there", [37, 37, 37]),
    (UNOPENED, [37, 0, 0]),
    // By the rights of the real user, which the call takes on.
    ("access", [29 * 7, 0, 0]),
    ("mkdir", [19, 19, 19]),
    ("symlink", [7, 7, 7]),
    // The file, and the new name.
    ("link", [2 * 5, 5, 5]),
    ("mknod", [3, 3, 3]),
    // Both names; the new one is forgotten with each rename back.
    ("rename", [2 * 2 * 23, 2 * 2 * 23, 2 * 23]),
    ("rmdir", [19, 19, 0]),
    ("unlink", [101, 101, 0]),
    ("unlink of a file that is not there", [3, 3, 3]),
    // The first component, which is not there, and is known not to be from the second time on.
    ("mkdir below nothing", [13, 1, 1]),
    ("listing a directory", [0, 0, 0]),
    // One asks the file system, the others wait for it, if they come so soon.
    (TOGETHER, [7 * NEW_NAMES, NEW_NAMES, NEW_NAMES]),
];

/// The same on tmpfs, which has all that there is in the cache, and does not keep what there is not.
fn on_tmpfs((part, [references, slow, misses]): Part) -> Part {
    match part {
        AGAIN | UNOPENED | "mkdir below nothing" | TOGETHER => (part, [references; 3]),
        COLD | DEEP_COLD => (part, [references, 0, 0]),
        _ => (part, [references, slow, misses]),
    }
}

/// Before 6.12, all opens that may create take the directory's lock.
fn on_this_kernel((part, told): Part) -> Part {
    if part == REOPENED && kernel::release() < (6, 12) { (part, [103, 103, 0]) } else { (part, told) }
}

/// Components of an absolute path.
fn components(path: &Path) -> u64 {
    path.components().count() as u64 - 1
}

/// What is told of a part, in this order.
const FIELDS: [&str; 3] = ["references", "slow", "misses"];

/// Asserts that a part was told as it should be. Of threads that look up the same new names, each is told either to have
/// found it at once or to have waited; and on tmpfs, where what one found out is gone when the next one comes, some have
/// to ask anew, or to begin their walks anew.
///
/// A reference, a slow one and a miss are counted by three programs: where programs are preempted, each may be left out
/// alone, so that more may be told slow than referred to. Each bound is therefore off by what is lost, and by no more.
fn compare(of: impl Fn() -> Comparison, part: &str, told: [u64; 3], should: [u64; 3], tells_who_waits: bool) {
    if part != TOGETHER || told == should {
        return of().fields(&FIELDS, &told, &should).equal();
    }
    let [references, slow, misses] = told;
    let keeps_negatives = should[0] != should[2];
    let most = |exact: bool, most: u64| if exact { most } else { u64::MAX };
    // Each slow one is a reference.
    let least = should[0].max(slow);
    of().between("references", references, least, most(keeps_negatives, should[0])).equal();
    // Each miss is a slow one, and each name is missed once at the least.
    of().at_least("slow", slow, misses.max(NEW_NAMES)).equal();
    of().between("misses", misses, NEW_NAMES, most(tells_who_waits && keeps_negatives, should[2])).equal();
}

/// dcstat at work, and what it watches by.
struct Bench {
    kind: &'static str,
    cgroup: Cgroup,
    tool: Tool,
    /// Whether it tells apart who asks the file system and who waits for that.
    tells_who_waits: bool,
}

impl Bench {
    fn new(kind: &'static str) -> Self {
        let cgroup = Cgroup::new();
        let tool = Tool::start("dcstat", &["-v", "--attach", kind, "--cgroup", cgroup.path(), "0.1"]);
        let by_return = tool.rung("misses").starts_with("fentry:");
        Self { kind, cgroup, tool, tells_who_waits: by_return }
    }
}

fn counted(bench: &Bench, place: &str, directory: &Path, expected: impl Fn(Part) -> Part) {
    let Bench { kind, cgroup, tool, tells_who_waits } = bench;
    let work = PausedChild::start("lookwork", &[directory], cgroup);
    let mut before = tool.until_interval_after(Timestamp::now());
    for (part, mut should) in EXPECTED.map(|part| on_this_kernel(expected(part))) {
        if part == ABSOLUTE {
            should[0] += 1_009 * components(&directory.join("lookwork"));
        }
        if part == COLD {
            // Names that were used lately survive the first time.
            (0..3).for_each(|_| fs::write("/proc/sys/vm/drop_caches", "2").expect("a drop"));
        }
        work.next();
        let until = tool.until_interval_after(Timestamp::now());
        let records = &tool.seen(|records| records[before..until].to_vec());
        before = until;
        let told = FIELDS.map(|field| sum(records, field));
        let lost = sum(records, "lost");
        let of = || Comparison::by("dcstat", kind).part(format!("on {place}: {part}")).lost(lost);
        compare(of, part, told, should, *tells_who_waits);
    }
    work.finish();
}

/// Counts the look-ups everywhere, by this kind of hook; the kind that all rungs are of, if
/// there is one.
fn counted_everywhere(kind: &'static str) -> String {
    let _machine = lock::machine();
    let bench = Bench::new(kind);
    let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
    counted(&bench, "a file system", scratch.path(), |part| part);
    let overlay = Overlay::new(scratch.path());
    counted(&bench, "an overlay", overlay.path(), |part| part);
    let memory = PathBuf::from("/dev/shm");
    let memory = tempfile::tempdir_in(memory).expect("a directory in memory");
    counted(&bench, "tmpfs", memory.path(), on_tmpfs);
    let rungs = bench.tool.interrupt().rungs();
    let mut kinds = rungs.values().filter_map(|rung| Some(rung.split_once(':')?.0.to_string()));
    let first = kinds.next().expect("a rung");
    if kinds.all(|kind| kind == first) { first } else { String::new() }
}

/// By the best rungs, once: the kind that all of them are of, if there is one, is proven by them.
static BEST: LazyLock<String> = LazyLock::new(|| counted_everywhere("auto"));

/// There is no tracepoint: where neither fentry nor kprobes can be had, the refusal of the better one is told.
fn allows(kind: &str) -> Allows {
    match (kind, kernel::allows("fentry"), kernel::allows("kprobe")) {
        ("auto", refused, Allows::Not { .. }) => refused,
        _ => kernel::allows(kind),
    }
}

fn counted_by(kind: &'static str) {
    if !can_run() {
        return;
    }
    if let Allows::Not { status, says } = allows(kind) {
        return kernel::refuses("dcstat", &["--attach", kind], status, says);
    }
    if *BEST != kind && kind != "auto" {
        counted_everywhere(kind);
    }
}

#[test]
fn known_look_ups_are_counted_exactly_by_the_best_rungs() {
    counted_by("auto");
}

#[test]
fn known_look_ups_are_counted_exactly_by_fentry() {
    counted_by("fentry");
}

#[test]
fn known_look_ups_are_counted_exactly_by_kprobes() {
    counted_by("kprobe");
}

#[test]
fn a_process_is_counted_alone() {
    if !can_run() || kernel::allows("fentry") != Allows::Yes {
        return;
    }
    let _machine = lock::machine();
    let scratch = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
    let cgroup = Cgroup::new();
    let work = PausedChild::start("lookwork", &[scratch.path()], &cgroup);
    let tool = Tool::start("dcstat", &["-p", &work.id().to_string(), "0.1"]);
    // Another's, meanwhile.
    (0..1_000).for_each(|_| drop(fs::metadata("/proc/self/stat")));
    work.next();
    let until = tool.until_interval_after(Timestamp::now());
    let records = &tool.records()[..until];
    let comparison = Comparison::of("dcstat", &[]).part("-p").lost(sum(records, "lost"));
    comparison.fields(&FIELDS, &FIELDS.map(|field| sum(records, field)), &EXPECTED[0].1).equal();
    // Where something was looked up, all of it was in the cache; elsewhere there is no ratio.
    let ratio = |record: &Value| if record["references"] == 0 { Value::Null } else { 1.0.into() };
    assert!(records.iter().all(|record| record["hit_ratio"] == ratio(record)), "{records:?}");
    work.kill();
    tool.interrupt();
}
