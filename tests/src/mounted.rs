//! File systems for one test.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::programs;

/// The minimum size for xfs; most of it is never written.
const BYTES: u64 = 320 << 20;

/// A file system of this kind, mounted for as long as this lives.
pub struct Mounted {
    at: PathBuf,
    #[expect(dead_code, reason = "removes the disk's file and the place of the mount")]
    home: TempDir,
}

impl Mounted {
    /// Creates one in a file (ext4, xfs, btrfs) or in memory (tmpfs).
    pub fn new(kind: &str) -> Self {
        let home = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
        let at = home.path().join("mounted");
        std::fs::create_dir(&at).expect("a directory");
        let (image, place) = (home.path().join("image"), at.to_str().expect("UTF-8").to_string());
        if kind == "tmpfs" {
            programs::succeed("mount", &["-t", kind, "fslat", &place]);
        } else {
            File::create(&image).and_then(|file| file.set_len(BYTES)).expect("a file");
            let image = image.to_str().expect("UTF-8");
            programs::succeed(&format!("mkfs.{kind}"), &["-q", image]);
            programs::succeed("mount", &["-t", kind, "-o", "loop", image, &place]);
        }
        Self { at, home }
    }

    /// Creates one on a disk, fully laid out, and mounts it with these options.
    pub fn on(kind: &str, disk: &str, options: &str) -> Self {
        let home = tempfile::tempdir_in(programs::scratch()).expect("a directory on a disk");
        let at = home.path().join("mounted");
        std::fs::create_dir(&at).expect("a directory");
        let full = "lazy_itable_init=0,lazy_journal_init=0";
        programs::succeed(&format!("mkfs.{kind}"), &["-q", "-F", "-E", full, disk]);
        programs::succeed("mount", &["-t", kind, "-o", options, disk, at.to_str().expect("UTF-8")]);
        Self { at, home }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.at
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        programs::run("umount", &[self.at.to_str().expect("UTF-8")]);
    }
}
