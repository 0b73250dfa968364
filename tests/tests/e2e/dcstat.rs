//! dcstat against a known number of lookups (`tests/src/bin/lookwork.rs`): with every kind of hook,
//! on file systems that use the dentry cache in different ways.
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

/// A part of the work, and what dcstat must report for it: references, slow lookups, misses.
type Part = (&'static str, [u64; 3]);

const COLD: &str = "names, after a drop of the cache";
const DEEP_COLD: &str = "a deep path, after a drop of the cache";
const AGAIN: &str = "names that are not there, again";
const UNOPENED: &str = "opens of files that are not there, again";
const REOPENED: &str = "opens that may create, of a file";
const ABSOLUTE: &str = "a deep absolute path";
const TOGETHER: &str = "new names by 7 threads at once";
/// The repetitions.
const NEW_NAMES: u64 = 211;

/// On a disk file system. For `ABSOLUTE`, the path to the directory is added.
const EXPECTED: [Part; 27] = [
    // Seven components each.
    ("a deep path", [2_011 * 7, 0, 0]),
    (ABSOLUTE, [1_009 * 7, 0, 0]),
    // a, b, b, c.
    ("dots", [503 * 4, 0, 0]),
    // The link, its four components, and the one after it.
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
    // access(2) checks with the real user's credentials, which it installs.
    ("access", [29 * 7, 0, 0]),
    ("mkdir", [19, 19, 19]),
    ("symlink", [7, 7, 7]),
    // The file, and the new name.
    ("link", [2 * 5, 5, 5]),
    ("mknod", [3, 3, 3]),
    // Both names; each rename back drops the new one from the cache.
    ("rename", [2 * 2 * 23, 2 * 2 * 23, 2 * 23]),
    ("rmdir", [19, 19, 0]),
    ("unlink", [101, 101, 0]),
    ("unlink of a file that is not there", [3, 3, 3]),
    // The first component, which does not exist, and is a negative dentry from the second time on.
    ("mkdir below nothing", [13, 1, 1]),
    ("listing a directory", [0, 0, 0]),
    // One asks the file system; the others wait for it if they arrive early enough.
    (TOGETHER, [7 * NEW_NAMES, NEW_NAMES, NEW_NAMES]),
];

/// The same on tmpfs, which has all existing names in the cache and keeps no negative dentries.
fn on_tmpfs((part, [references, slow, misses]): Part) -> Part {
    match part {
        AGAIN | UNOPENED | "mkdir below nothing" | TOGETHER => (part, [references; 3]),
        COLD | DEEP_COLD => (part, [references, 0, 0]),
        _ => (part, [references, slow, misses]),
    }
}

/// Before 6.12, all opens with O_CREAT take the directory's lock.
fn on_this_kernel((part, reported): Part) -> Part {
    if part == REOPENED && kernel::release() < (6, 12) { (part, [103, 103, 0]) } else { (part, reported) }
}

/// Components of an absolute path.
fn components(path: &Path) -> u64 {
    path.components().count() as u64 - 1
}

/// Fields of a part, in this order.
const FIELDS: [&str; 3] = ["references", "slow", "misses"];

/// Asserts the values of a part. Of threads that look up the same new names, each either finds a
/// name at once or waits. On tmpfs, where the result is gone when the next thread arrives, some
/// repeat the lookup or restart their walk.
///
/// A reference, a slow lookup and a miss are counted by three programs. Where programs can be
/// preempted, each may be skipped alone, so that there may be more slow lookups than references.
/// Each limit is therefore off by at most what is lost.
fn compare(
    of: impl Fn() -> Comparison,
    part: &str,
    reported: [u64; 3],
    should: [u64; 3],
    separates_waiters: bool,
) {
    if part != TOGETHER || reported == should {
        return of().fields(&FIELDS, &reported, &should).equal();
    }
    let [references, slow, misses] = reported;
    let keeps_negatives = should[0] != should[2];
    let most = |exact: bool, most: u64| if exact { most } else { u64::MAX };
    // Each slow lookup is a reference.
    let least = should[0].max(slow);
    of().between("references", references, least, most(keeps_negatives, should[0])).equal();
    // Each miss is a slow lookup, and each name is missed at least once.
    of().at_least("slow", slow, misses.max(NEW_NAMES)).equal();
    of().between("misses", misses, NEW_NAMES, most(separates_waiters && keeps_negatives, should[2])).equal();
}

/// A running dcstat, and its rungs.
struct Bench {
    kind: &'static str,
    cgroup: Cgroup,
    tool: Tool,
    /// Whether it separates lookups that ask the file system from those that wait for one.
    separates_waiters: bool,
}

impl Bench {
    fn new(kind: &'static str) -> Self {
        let cgroup = Cgroup::new();
        let tool = Tool::start("dcstat", &["-v", "--attach", kind, "--cgroup", cgroup.path(), "0.1"]);
        let by_return = tool.rung("misses").starts_with("fentry:");
        Self { kind, cgroup, tool, separates_waiters: by_return }
    }
}

fn counted(bench: &Bench, place: &str, directory: &Path, expected: impl Fn(Part) -> Part) {
    let Bench { kind, cgroup, tool, separates_waiters } = bench;
    let work = PausedChild::start("lookwork", &[directory], cgroup);
    let mut before = tool.until_interval_after(Timestamp::now());
    for (part, mut should) in EXPECTED.map(|part| on_this_kernel(expected(part))) {
        if part == ABSOLUTE {
            should[0] += 1_009 * components(&directory.join("lookwork"));
        }
        if part == COLD {
            // Recently used names survive the first time.
            (0..3).for_each(|_| fs::write("/proc/sys/vm/drop_caches", "2").expect("a drop"));
        }
        work.next();
        let until = tool.until_interval_after(Timestamp::now());
        let records = &tool.seen(|records| records[before..until].to_vec());
        before = until;
        let reported = FIELDS.map(|field| sum(records, field));
        let lost = sum(records, "lost");
        let of = || Comparison::by("dcstat", kind).part(format!("on {place}: {part}")).lost(lost);
        compare(of, part, reported, should, *separates_waiters);
    }
    work.finish();
}

/// Counts the lookups everywhere with this kind of hook; returns the kind that all rungs have, if
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

/// With the best rungs, once: the kind that all of them have, if there is one, is tested by this.
static BEST: LazyLock<String> = LazyLock::new(|| counted_everywhere("auto"));

/// There is no tracepoint: if neither fentry nor kprobes are available, the refusal of the better
/// one is printed.
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
    // The work of another process at the same time.
    (0..1_000).for_each(|_| drop(fs::metadata("/proc/self/stat")));
    work.next();
    let until = tool.until_interval_after(Timestamp::now());
    let records = &tool.records()[..until];
    let comparison = Comparison::of("dcstat", &[]).part("-p").lost(sum(records, "lost"));
    comparison.fields(&FIELDS, &FIELDS.map(|field| sum(records, field)), &EXPECTED[0].1).equal();
    // If names were looked up, all were in the cache; otherwise there is no ratio.
    let ratio = |record: &Value| if record["references"] == 0 { Value::Null } else { 1.0.into() };
    assert!(records.iter().all(|record| record["hit_ratio"] == ratio(record)), "{records:?}");
    work.kill();
    tool.interrupt();
}
