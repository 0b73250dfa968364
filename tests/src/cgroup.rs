//! A cgroup for one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::wait::{self, For, until};

/// A cgroup v2 without controllers, removed with its members when dropped.
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Creates one below the mount point.
    pub fn new() -> Self {
        Self::below(&mount())
    }

    /// Creates a child.
    pub fn child(&self) -> Self {
        Self::below(&self.path)
    }

    fn below(parent: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("ebpf-filters-test-{}-{number}", std::process::id()));
        fs::create_dir(&path)
            .unwrap_or_else(|error| panic!("cannot make cgroup {}: {error}", path.display()));
        Self { path }
    }

    /// Its directory, as an argument.
    pub fn path(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }
}

/// The path of a cgroup v2 from the root of the hierarchy, as the tools report it, given its
/// directory.
pub fn name(directory: &str) -> String {
    let below = Path::new(directory).strip_prefix(mount()).expect("below the mount point");
    format!("/{}", below.display())
}

impl Default for Cgroup {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Absent before Linux 5.14; then its members have ended by themselves.
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
        let gone = || fs::remove_dir(&self.path).ok();
        // Zombies keep it busy until they are reaped. A test that has already failed must not fail
        // again.
        if std::thread::panicking() {
            wait::clean_up(|| gone().is_some());
        } else {
            until(For::Freed, "the cgroup to be empty", gone);
        }
    }
}

/// Where cgroup v2 is mounted.
pub fn mount() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc/self/mounts");
    let found = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let path = fields.next()?;
        (fields.next()? == "cgroup2").then(|| PathBuf::from(path))
    });
    found.expect("cgroup v2 is mounted")
}
