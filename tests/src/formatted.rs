//! A file system for one test.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::disk::Disk;
use crate::programs;

/// The smallest that mkfs.xfs takes, and some.
const MEGABYTES: u64 = 512;

/// A file system on a disk of its own, by default one in memory, whose I/O completes synchronously.
/// It is mounted as long as this value lives.
pub struct Formatted {
    at: TempDir,
    #[expect(dead_code, reason = "removes the disk, after the file system is unmounted")]
    disk: Disk,
}

impl Formatted {
    /// Creates and mounts a file system of this type: ext4, xfs.
    pub fn new(kind: &str) -> Self {
        Self::on(Disk::zram(MEGABYTES), kind)
    }

    /// The same on a disk of this kind.
    pub fn on(disk: Disk, kind: &str) -> Self {
        let at = tempfile::tempdir().expect("a directory to mount on");
        programs::succeed(&format!("mkfs.{kind}"), &["-q", &disk.path()]);
        let path = at.path().to_str().expect("UTF-8");
        programs::succeed("mount", &["-t", kind, &disk.path(), path]);
        Self { at, disk }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.at.path()
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

impl Drop for Formatted {
    fn drop(&mut self) {
        programs::run("umount", &[self.path().to_str().expect("UTF-8")]);
    }
}
