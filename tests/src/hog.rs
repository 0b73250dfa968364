//! A process that allocates memory until the OOM killer kills it, and what the kernel reports of
//! it.

use std::fs;

use serde_json::Value;

use crate::cgroup::Cgroup;
use crate::memcg::{self, Memcg};
use crate::wait::{For, until};
use crate::workload::Workload;

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// The magic number of cgroup v2 in statfs(2) (`linux/magic.h`).
const TMPFS_MAGIC: rustix::fs::FsWord = 0x0102_1994;

/// A memory cgroup with a limit, and a cgroup v2 for filtering by its members: the same one if the
/// memory controller is in v2.
pub struct Place {
    /// The cgroup with the limit.
    pub memcg: Memcg,
    cgroup: Option<Cgroup>,
}

impl Place {
    /// Creates one with a limit in bytes.
    pub fn new(limit: u64) -> Self {
        let cgroup = (!memcg::is_v2()).then(Cgroup::new);
        Self { memcg: Memcg::new(Some(limit)), cgroup }
    }

    /// The cgroup v2, as an argument.
    pub fn cgroup(&self) -> &str {
        self.cgroup.as_ref().map_or(self.memcg.path(), Cgroup::path)
    }

    /// Starts a hog in there; see `src/bin/workload/hog.rs`.
    pub fn hog(&self, options: &[&str]) -> Workload {
        start(&[&["--cgroup", self.cgroup(), "--memcg", self.memcg.path()], options].concat())
    }
}

/// Starts a hog.
pub fn start(options: &[&str]) -> Workload {
    Workload::start(&[&["hog"], options].concat())
}

/// The memory of a process, from walking its mappings (smaps).
#[derive(Debug, Default)]
pub struct Known {
    /// Anonymous bytes that are mapped.
    pub anon: u64,
    /// Shared bytes that are not on a disk: tmpfs, where a guest keeps its programs.
    pub shmem: u64,
    /// Bytes of files.
    pub file: u64,
    /// Bytes of its page tables.
    pub tables: u64,
    /// Its cgroup v2.
    pub cgroup: String,
}

impl Known {
    /// Reads it for a process that is about to sleep.
    pub fn of(pid: u32) -> Self {
        until(For::State, "the process to sleep", || {
            fs::read_to_string(format!("/proc/{pid}/stat")).ok().filter(|stat| stat.contains(") S "))
        });
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).expect("it is there");
        let (maps, status, cgroups) = (read("smaps"), read("status"), read("cgroup"));
        let kib = |line: &str| {
            line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
        };
        let program = format!("/proc/{pid}/exe");
        let on_tmpfs = rustix::fs::statfs(&*program).expect("statfs").f_type == TMPFS_MAGIC;
        let program = fs::read_link(program).expect("its program").to_string_lossy().into_owned();
        let mut known = Self::default();
        let mut shared = false;
        let mut there = 0;
        for line in maps.lines() {
            // A mapping's first line begins with its addresses.
            if line.split(' ').next().is_some_and(|word| word.contains('-')) {
                shared = line.ends_with("/dev/zero (deleted)") || on_tmpfs && line.ends_with(&program);
            } else if let Some(rss) = line.strip_prefix("Rss:") {
                there = kib(rss);
            } else if let Some(anon) = line.strip_prefix("Anonymous:") {
                let anon = kib(anon);
                known.anon += anon;
                *(if shared { &mut known.shmem } else { &mut known.file }) += there - anon;
            }
        }
        known.tables = status.lines().find_map(|line| line.strip_prefix("VmPTE:")).map(kib).expect("VmPTE");
        let cgroup = cgroups.lines().find_map(|line| line.strip_prefix("0::"));
        known.cgroup = cgroup.expect("a cgroup v2").to_string();
        known
    }
}

/// The records of a victim.
pub fn of_victim(records: &[Value], pid: u32) -> Vec<&Value> {
    records.iter().filter(|record| record["pid"] == pid).collect()
}
