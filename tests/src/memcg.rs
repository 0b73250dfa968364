//! A memory cgroup for one test, v1 or v2 as the machine has it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::cgroup;
use crate::wait::{self, For, until};

/// A memory cgroup, removed with its members when dropped.
pub struct Memcg {
    mount: PathBuf,
    path: PathBuf,
    v2: bool,
}

impl Memcg {
    /// Creates one below the mount point, with an optional limit in bytes.
    pub fn new(limit: Option<u64>) -> Self {
        let v2 = is_v2();
        let mount = if v2 { cgroup::mount() } else { v1_mount() };
        Self::make(mount.clone(), &mount, v2, limit)
    }

    /// Creates a child without a limit of its own.
    pub fn child(&self) -> Self {
        if self.v2 {
            self.set("cgroup.subtree_control", "+memory");
        }
        Self::make(self.mount.clone(), &self.path, self.v2, None)
    }

    fn make(mount: PathBuf, parent: &Path, v2: bool, limit: Option<u64>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("ebpf-filters-memory-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let made = Self { mount, path, v2 };
        if let Some(limit) = limit {
            made.set(if v2 { "memory.max" } else { "memory.limit_in_bytes" }, &limit.to_string());
        }
        made
    }

    /// Takes all memory from it that it can do without, and the kernel's copies of what is in swap.
    pub fn reclaim(&self) {
        if self.v2 {
            self.set("memory.high", "0");
            self.set("memory.high", "max");
        } else {
            self.set("memory.force_empty", "0");
        }
    }

    /// The OOM killer kills all members together (memory.oom.group). Cgroup v2 only.
    pub fn kill_as_a_group(&self) {
        self.set("memory.oom.group", "1");
    }

    fn set(&self, file: &str, text: &str) {
        let path = self.path.join(file);
        fs::write(&path, text).unwrap_or_else(|error| panic!("{} <- {text}: {error}", path.display()));
    }

    /// Its directory, as an argument.
    pub fn path(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }

    /// Its path from the root of its hierarchy.
    pub fn name(&self) -> String {
        format!("/{}", self.path.strip_prefix(&self.mount).expect("below the mount point").display())
    }

    /// The number of processes in it that the kernel killed, as the cgroup counts them.
    pub fn kills(&self) -> u64 {
        let path = self.path.join(if self.v2 { "memory.events" } else { "memory.oom_control" });
        let account = fs::read_to_string(path).expect("the kernel keeps account");
        let kills = account.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.and_then(|kills| kills.parse().ok()).expect("a count")
    }
}

impl Drop for Memcg {
    fn drop(&mut self) {
        // Absent in v1 and before Linux 5.14; then its members have ended by themselves.
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
        let gone = || fs::remove_dir(&self.path).ok();
        if std::thread::panicking() {
            wait::clean_up(|| gone().is_some());
        } else {
            until(For::Freed, "the memory cgroup to be empty", gone);
        }
    }
}

/// Whether the memory controller is in cgroup v2 here.
pub fn is_v2() -> bool {
    let controllers = fs::read_to_string(cgroup::mount().join("cgroup.controllers"));
    controllers.is_ok_and(|all| all.split_whitespace().any(|one| one == "memory"))
}

fn v1_mount() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc/self/mounts");
    let found = mounts.lines().find_map(|line| {
        let [_, path, "cgroup", options, ..] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
        options.split(',').any(|option| option == "memory").then(|| PathBuf::from(path))
    });
    found.expect("a memory cgroup hierarchy is mounted")
}
