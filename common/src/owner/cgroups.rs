//! The paths of cgroups by their ids.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::filter::cgroup2_mount;

/// The known cgroups: a path stays known after its cgroup was removed.
pub struct Cgroups {
    mount: Option<PathBuf>,
    paths: HashMap<u64, String>,
}

impl Cgroups {
    /// With the existing cgroups.
    pub fn new() -> Self {
        let mut cgroups = Self { mount: cgroup2_mount(), paths: HashMap::new() };
        cgroups.look();
        cgroups
    }

    /// The path as `/proc/PID/cgroup` has it. Of a cgroup that was created and removed between two
    /// reads only its id is known.
    pub fn path(&mut self, id: u64) -> String {
        if !self.paths.contains_key(&id) {
            self.look();
        }
        // An id that does not exist is looked up once, not at each interval.
        self.paths.entry(id).or_insert_with(|| format!("(gone, id {id})")).clone()
    }

    fn look(&mut self) {
        let Some(mount) = self.mount.clone() else { return };
        if let Ok(root) = fs::metadata(&mount) {
            self.paths.insert(root.ino(), "/".to_string());
        }
        self.walk(&mount, "");
    }

    /// The inode number of a cgroup's directory is its id (kernfs, 64-bit).
    fn walk(&mut self, directory: &Path, path: &str) {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            let path = format!("{path}/{}", entry.file_name().to_string_lossy());
            self.walk(&entry.path(), &path);
            self.paths.insert(entry.ino(), path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_known_by_their_inode_numbers_even_when_they_have_gone() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        fs::create_dir_all(&below).unwrap();
        let id = |path: &Path| fs::metadata(path).unwrap().ino();
        let mut cgroups = Cgroups { mount: Some(folder.path().into()), paths: HashMap::new() };
        assert_eq!([folder.path(), &below].map(|path| cgroups.path(id(path))), ["/", "/a/b"]);
        let (old, late) = (id(&below), folder.path().join("late"));
        fs::create_dir(&late).unwrap();
        fs::remove_dir(&below).unwrap();
        assert_eq!([old, id(&late)].map(|id| cgroups.path(id)), ["/a/b", "/late"]);
        assert_eq!(cgroups.path(u64::MAX), format!("(gone, id {})", u64::MAX));
    }
}
