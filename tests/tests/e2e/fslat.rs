//! fslat against operations whose numbers are known (`tests/src/bin/workload/files.rs`): on each file system, by every
//! kind of hook.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::exported::Exported;
use tests::kernel;
use tests::mounted::Mounted;
use tests::overlay::Overlay;
use tests::records::{count, sum};
use tests::refusal::refuses;
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock};

const OPS: [&str; 4] = ["read", "write", "open", "sync"];

/// Threads that work at once. A probe of returns on 5.10 has room for one call per possible processor, of which each
/// guest has eight; and a sync of a file system in a file makes the kernel sync that file, too.
fn threads(kind: &str) -> &'static str {
    if kind == "kprobe" { "1" } else { "5" }
}

/// Of an operation how many were done, and how many of them failed.
type Counts = BTreeMap<(String, String), [u64; 2]>;

/// What a rung sees.
#[derive(PartialEq)]
enum Sees {
    All,
    /// What programs do, and of opens those that opened a file.
    OpenedByPrograms,
    Nothing,
}

fn sees(rung: &str) -> Sees {
    match rung {
        "" => Sees::Nothing,
        rung if rung.starts_with("tracepoint:") => Sees::OpenedByPrograms,
        _ => Sees::All,
    }
}

/// Whether a file system has no function for an operation that this kind of hook could watch, which `--help` says.
fn is_without(fs: &str, op: &str, kind: &str) -> bool {
    let is_module = matches!(fs, "xfs" | "btrfs" | "overlay" | "nfs");
    match (kind, kernel::of_guest().as_deref()) {
        ("fentry" | "kprobe", Some("5.10" | "6.1")) if fs == "tmpfs" && op == "open" => true,
        ("fentry", Some("5.10")) => is_module,
        _ => false,
    }
}

fn add(counts: &mut Counts, fs: &str, ops: &[&str], said: &[Value], seen: impl Fn(&str) -> Sees) {
    for &op in ops {
        let sees = seen(op);
        let of = |said: &&Value| said["op"] == op;
        let failed = said.iter().filter(of).filter(|said| said["ret"].as_i64() < Some(0)).count() as u64;
        let mut all = [said.iter().filter(of).count() as u64, failed];
        if op == "open" && sees == Sees::OpenedByPrograms {
            all = [all[0] - failed, 0];
        }
        if sees != Sees::Nothing {
            let sum = counts.entry((fs.to_string(), op.to_string())).or_default();
            *sum = [sum[0] + all[0], sum[1] + all[1]];
        }
    }
}

/// Where the work is done: on a file system of each kind, on an overlay of the first, and on an NFS mount, whose server is
/// this machine's own. They are made once, for all kinds of hook.
struct Places {
    nfs: Option<Exported>,
    /// Before what lies beneath it: they are unmounted in this order.
    overlay: Overlay,
    mounts: [(&'static str, Mounted); 4],
}

impl Places {
    fn new() -> Self {
        let mounts = ["ext4", "xfs", "btrfs", "tmpfs"].map(|fs| (fs, Mounted::new(fs)));
        let overlay = Overlay::new(mounts[0].1.path());
        let nfs = Exported::is_to_be_had().then(Exported::start);
        if nfs.is_none() {
            assert!(kernel::of_guest().is_none(), "each guest's kernel has a server and a client");
            // Not by eprintln, which the test harness keeps to itself.
            let why = "nfs is not tried here: this kernel has no NFS server and client";
            writeln!(std::io::stderr(), "{why}").expect("stderr takes a line");
        }
        Self { nfs, overlay, mounts }
    }

    fn each(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let mounts = self.mounts.iter().map(|(fs, mounted)| (*fs, mounted.path()));
        mounts.chain([("overlay", self.overlay.path())]).chain(self.nfs.iter().map(|nfs| ("nfs", nfs.path())))
    }
}

/// Counts the work in all places by this kind of hook; each hook's rung.
fn counted_by(kind: &str, places: &Places) -> BTreeMap<String, String> {
    let cgroup = Cgroup::new();
    let tool = Tool::start("fslat", &["--cgroup", cgroup.path(), "--attach", kind, "-v", "0.2"]);
    let said: Vec<_> =
        places.each().map(|(fs, place)| (fs, place, work(place, threads(kind), cgroup.path()))).collect();
    tool.until_records(2);
    let ended = tool.interrupt();
    let rungs = ended.rungs();
    let seen = |fs: &str, op: &str| sees(rungs.get(&format!("{fs} {op}")).map_or("", String::as_str));
    let mut expected = Counts::new();
    for (fs, place, mut said) in said {
        let mut ops = OPS.to_vec();
        if fs == "nfs" {
            ops.push("getattr");
        }
        for op in &ops {
            let missing = seen(fs, op) == Sees::Nothing;
            assert_eq!(missing, is_without(fs, op, kind), "{fs} {op}: {rungs:?}");
        }
        // To sync a directory is nothing to NFS, which has no function for it.
        let directory = place.to_str().expect("UTF-8");
        if fs == "nfs" && seen(fs, "sync") == Sees::All {
            said.retain(|said| said["path"] != directory);
        }
        add(&mut expected, fs, &ops, &said, |op| seen(fs, op));
        // What is done on the overlay is done beneath again: by calls that no program makes.
        if fs == "overlay" {
            let beneath = |op: &str| match seen("ext4", op) {
                Sees::All => Sees::All,
                _ => Sees::Nothing,
            };
            add(&mut expected, "ext4", &OPS, &said, beneath);
        }
    }
    compare(&["--attach", kind], &ended.records, &expected);
    rungs
}

/// By the best rungs, and by each kind of hook: but for one that all the best rungs are of, which is proven by them.
#[test]
fn known_work_is_counted_exactly_by_each_kind_of_hook() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let places = Places::new();
    let best = counted_by("auto", &places);
    // Older kernels tell programs nothing of their modules' types.
    if places.nfs.is_some() {
        let by = if kernel::of_guest().as_deref() == Some("5.10") { "tracepoint:" } else { "fentry:" };
        assert!(best["nfs read"].starts_with(by), "{best:?}");
        if by == "tracepoint:" {
            kernel::refuses("fslat", &["--fs", "nfs", "--attach", "fentry"], 3, "cannot see nfs");
        }
    }
    for kind in ["fentry", "kprobe", "tracepoint"] {
        let prefix = format!("{kind}:");
        if kernel::allows_or_refuses("fslat", kind) && !best.values().all(|rung| rung.starts_with(&prefix)) {
            counted_by(kind, &places);
        }
    }
}

/// Runs the workload in a directory: what it said.
fn work(place: &Path, threads: &str, cgroup: &str) -> Vec<Value> {
    let directory = place.to_str().expect("UTF-8");
    Workload::run(&["files", "--directory", directory, "--threads", threads, "--join", cgroup])
}

/// Asserts that the records tell these counts and errors, and nothing of anything else.
fn compare(options: &[&str], records: &[Value], expected: &Counts) {
    let mut told = Counts::new();
    for record in records.iter().filter(|record| !record["fs"].is_null()) {
        let text = |field: &str| record[field].as_str().expect("text").to_string();
        let sum = told.entry((text("fs"), text("op"))).or_default();
        *sum = [sum[0] + count(record, "count"), sum[1] + count(record, "errors")];
    }
    let strange: Vec<_> = told.iter().filter(|(key, _)| !expected.contains_key(key)).collect();
    assert!(strange.is_empty(), "fslat {options:?}: nobody did {strange:?}");
    let mut comparison = Comparison::of("fslat", options);
    for (key, values) in expected {
        let names = ["count", "errors"].map(|field| format!("{} {} {field}", key.0, key.1));
        comparison = comparison.fields(&names, &told.get(key).copied().unwrap_or_default(), values);
    }
    // A failed operation that is missing is missing twice, and was lost once.
    comparison.lost(sum(records, "lost")).each_of(2).equal();
}

/// What the kernel of a machine with ZFS has, as far as it matters.
const ZFS: [&str; 4] = ["zpl_iter_read", "zpl_iter_write", "zpl_open", "zpl_fsync"];

/// ZFS cannot be had here: its hooks are planned for a made-up kernel, whose module tells its types, or does not.
#[test]
fn zfs_is_planned_for_by_its_symbols() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |file: &str, text: String| std::fs::write(dir.path().join(file), text).expect("a file");
    let kernel = dir.path().to_str().expect("UTF-8");
    let options = ["--fs", "zfs", "--kernel", kernel];
    write("vmlinux", "\0vfs_read\0".to_string());
    write("symbols", ZFS.map(|name| format!("{name}\t[zfs]\n")).concat());
    let planned = || OPS.map(|op| kernel::hooks("fslat", &options)[&format!("zfs {op}")].clone());
    assert_eq!(planned(), ZFS.map(|name| format!("kprobe:{name}")));
    write("zfs", format!("\0{}\0", ZFS.join("\0")));
    assert_eq!(planned(), ZFS.map(|name| format!("fentry:{name}")));
    write("symbols", "vfs_read\n".to_string());
    refuses(
        &format!("$BIN/fslat --fs zfs --check --kernel {kernel} >/dev/null"),
        3,
        &["cannot see zfs read"],
    );
}

#[test]
fn only_what_was_asked_for_is_counted() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let mounted = Mounted::new("ext4");
    let cgroup = Cgroup::new();
    let options = ["--fs", "ext4,xfs", "--op", "read,sync", "-q", "--cgroup", cgroup.path(), "0.2"];
    let tool = Tool::start("fslat", &options);
    let said = work(mounted.path(), "2", cgroup.path());
    tool.until_records(2);
    let mut expected = Counts::new();
    add(&mut expected, "ext4", &OPS, &said, |op| match op {
        "read" | "sync" => Sees::All,
        _ => Sees::Nothing,
    });
    compare(&options[..4], &tool.interrupt().records, &expected);
}
