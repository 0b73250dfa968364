//! fslat against a known number of operations (`tests/src/bin/workload/files.rs`): on each file
//! system, with every kind of hook.
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

/// Threads that work at once. A kretprobe on 5.10 has room for one call per possible processor, of
/// which each guest has eight. A sync of a file system that lies in a file makes the kernel sync
/// that file, too.
fn threads(kind: &str) -> &'static str {
    if kind == "kprobe" { "1" } else { "5" }
}

/// Operations performed, and how many of them failed.
type Counts = BTreeMap<(String, String), [u64; 2]>;

/// What a rung observes.
#[derive(PartialEq)]
enum Sees {
    All,
    /// The operations of programs; of opens only those that succeeded.
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

/// Whether a file system has no function for this operation that this kind of hook could trace, as
/// `--help` documents.
fn is_without(fs: &str, op: &str, kind: &str) -> bool {
    let is_module = matches!(fs, "xfs" | "btrfs" | "overlay" | "nfs");
    match (kind, kernel::of_guest().as_deref()) {
        ("fentry" | "kprobe", Some("5.10" | "6.1")) if fs == "tmpfs" && op == "open" => true,
        ("fentry", Some("5.10")) => is_module,
        _ => false,
    }
}

fn add(counts: &mut Counts, fs: &str, ops: &[&str], performed: &[Value], seen: impl Fn(&str) -> Sees) {
    for &op in ops {
        let sees = seen(op);
        let of = |call: &&Value| call["op"] == op;
        let failed = performed.iter().filter(of).filter(|call| call["ret"].as_i64() < Some(0)).count() as u64;
        let mut all = [performed.iter().filter(of).count() as u64, failed];
        if op == "open" && sees == Sees::OpenedByPrograms {
            all = [all[0] - failed, 0];
        }
        if sees != Sees::Nothing {
            let sum = counts.entry((fs.to_string(), op.to_string())).or_default();
            *sum = [sum[0] + all[0], sum[1] + all[1]];
        }
    }
}

/// The places of the work: a file system of each kind, an overlay on the first, and an NFS mount
/// whose server is this machine. They are created once, for all kinds of hook.
struct Places {
    nfs: Option<Exported>,
    /// Before the lower file systems: fields are dropped, and so unmounted, in this order.
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
            // Not eprintln: the test harness captures it.
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

/// Counts the work in all places with this kind of hook; returns each hook's rung.
fn counted_by(kind: &str, places: &Places) -> BTreeMap<String, String> {
    let cgroup = Cgroup::new();
    let tool = Tool::start("fslat", &["--cgroup", cgroup.path(), "--attach", kind, "-v", "0.2"]);
    let performed: Vec<_> =
        places.each().map(|(fs, place)| (fs, place, work(place, threads(kind), cgroup.path()))).collect();
    tool.until_records(2);
    let ended = tool.interrupt();
    let rungs = ended.rungs();
    let seen = |fs: &str, op: &str| sees(rungs.get(&format!("{fs} {op}")).map_or("", String::as_str));
    let mut expected = Counts::new();
    for (fs, place, mut performed) in performed {
        let mut ops = OPS.to_vec();
        if fs == "nfs" {
            ops.push("getattr");
        }
        for op in &ops {
            let missing = seen(fs, op) == Sees::Nothing;
            assert_eq!(missing, is_without(fs, op, kind), "{fs} {op}: {rungs:?}");
        }
        // NFS has no function for syncing a directory.
        let directory = place.to_str().expect("UTF-8");
        if fs == "nfs" && seen(fs, "sync") == Sees::All {
            performed.retain(|call| call["path"] != directory);
        }
        add(&mut expected, fs, &ops, &performed, |op| seen(fs, op));
        // Operations on the overlay are repeated on the lower file system by calls that no program
        // makes.
        if fs == "overlay" {
            let beneath = |op: &str| match seen("ext4", op) {
                Sees::All => Sees::All,
                _ => Sees::Nothing,
            };
            add(&mut expected, "ext4", &OPS, &performed, beneath);
        }
    }
    compare(&["--attach", kind], &ended.records, &expected);
    rungs
}

/// With the best rungs, and with each kind of hook except one that all the best rungs have, which
/// is already tested.
#[test]
fn known_work_is_counted_exactly_by_each_kind_of_hook() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let places = Places::new();
    let best = counted_by("auto", &places);
    // Older kernels have no BTF of modules.
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

/// Runs the workload in a directory; returns the operations that it printed.
fn work(place: &Path, threads: &str, cgroup: &str) -> Vec<Value> {
    let directory = place.to_str().expect("UTF-8");
    Workload::run(&["files", "--directory", directory, "--threads", threads, "--join", cgroup])
}

/// Asserts that the records have these counts and errors, and no others.
fn compare(options: &[&str], records: &[Value], expected: &Counts) {
    let mut reported = Counts::new();
    for record in records.iter().filter(|record| !record["fs"].is_null()) {
        let text = |field: &str| record[field].as_str().expect("text").to_string();
        let sum = reported.entry((text("fs"), text("op"))).or_default();
        *sum = [sum[0] + count(record, "count"), sum[1] + count(record, "errors")];
    }
    let strange: Vec<_> = reported.iter().filter(|(key, _)| !expected.contains_key(key)).collect();
    assert!(strange.is_empty(), "fslat {options:?}: reported, but not performed: {strange:?}");
    let mut comparison = Comparison::of("fslat", options);
    for (key, values) in expected {
        let names = ["count", "errors"].map(|field| format!("{} {} {field}", key.0, key.1));
        comparison = comparison.fields(&names, &reported.get(key).copied().unwrap_or_default(), values);
    }
    // A lost failed operation is missing from two fields.
    comparison.lost(sum(records, "lost")).each_of(2).equal();
}

/// The relevant part of a kernel with ZFS.
const ZFS: [&str; 4] = ["zpl_iter_read", "zpl_iter_write", "zpl_open", "zpl_fsync"];

/// ZFS is not available here: its hooks are planned for a made-up kernel whose module has BTF, or
/// does not.
#[test]
fn zfs_is_planned_for_by_its_symbols() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |file: &str, text: String| std::fs::write(dir.path().join(file), text).expect("a file");
    let kernel = dir.path().to_str().expect("UTF-8");
    let options = ["--fs", "zfs", "--kernel", kernel];
    write("vmlinux", "\0vfs_read\0".to_string());
    write("symbols", ZFS.map(|name| format!("{name}\t[zfs]\n")).concat());
    let planned = || OPS.map(|op| kernel::hooks_now("fslat", &options)[&format!("zfs {op}")].clone());
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
    let performed = work(mounted.path(), "2", cgroup.path());
    tool.until_records(2);
    let mut expected = Counts::new();
    add(&mut expected, "ext4", &OPS, &performed, |op| match op {
        "read" | "sync" => Sees::All,
        _ => Sees::Nothing,
    });
    compare(&options[..4], &tool.interrupt().records, &expected);
}
