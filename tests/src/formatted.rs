//! A file system of one's own.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::disk::Disk;
use crate::programs;

/// The smallest that mkfs.xfs takes, and some.
const MEGABYTES: u64 = 512;

/// A file system on a disk of its own, if nothing else is said one in memory, whose I/O is done when it returns; mounted
/// for as long as this lives.
pub struct Formatted {
    at: TempDir,
    #[expect(dead_code, reason = "removes the disk, after the file system is unmounted")]
    disk: Disk,
}

impl Formatted {
    /// Makes and mounts one of this kind: ext4, xfs.
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
