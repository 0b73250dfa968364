//! The paths of cgroups by their ids. The cgroups that exist at the start are found by a walk, later
//! ones by a BPF program (`new_cgroups.rs`), so that the hierarchy need not be walked again.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::By;
use cli::kernel_files::cgroup2_mount;

use super::cgroup_mounts::memory_mount;
use super::new_cgroups::NewCgroup;

/// The name of cgroup id 0, which no task was seen in.
pub(super) const NO_CGROUP: &str = "(gone, id 0)";

/// The pause after a walk, as a multiple of its duration: walks use at most 1 % of a CPU.
const PAUSE: u32 = 99;
/// Bytes of known paths beyond twice those of the existing cgroups. When there are more, the oldest
/// paths of removed cgroups are dropped, until half of this is left.
const KEPT: usize = 1 << 20;
/// The limit while a walk, which finds the removed ones, has to wait.
const MOST: usize = 8 * KEPT;
/// The approximate size of an entry without the bytes of its path.
const ENTRY: usize = 64;

/// The known cgroups: a path stays known for some time after its cgroup was removed.
pub struct Cgroups {
    mount: Option<PathBuf>,
    paths: HashMap<u64, String>,
    /// Bytes of these paths.
    size: usize,
    /// Bytes of the paths that the last walk found.
    live: usize,
    /// Whether there was a walk since the interval ended.
    walked: bool,
    /// The earliest time of the next walk.
    next_walk: Instant,
    pause: u32,
}

impl Cgroups {
    /// With the existing cgroups, of the hierarchy of this kind of owner.
    pub fn of(by: By) -> Self {
        let of_memory = || memory_mount().map(|(mount, _)| mount);
        Self::below(if by == By::Owner { of_memory() } else { cgroup2_mount() })
    }

    fn below(mount: Option<PathBuf>) -> Self {
        let next_walk = Instant::now();
        let mut cgroups =
            Self { mount, paths: HashMap::new(), size: 0, live: 0, walked: false, next_walk, pause: PAUSE };
        cgroups.walk();
        cgroups
    }

    /// An interval has ended, in which these cgroups were created.
    pub fn next(&mut self, created: impl Iterator<Item = NewCgroup>) {
        self.walked = false;
        created.for_each(|one| drop(self.created(one)));
    }

    /// Adds a cgroup that was created. Returns its path; `None` outside of the part of the hierarchy that is mounted here.
    pub fn created(&mut self, NewCgroup { id, parent, name }: NewCgroup) -> Option<String> {
        let path = match self.paths.get(&parent)?.as_str() {
            "/" => format!("/{name}"),
            above if above.starts_with('/') => format!("{above}/{name}"),
            _ => return None,
        };
        self.add(id, path.clone());
        Some(path)
    }

    /// The ids and paths of all that are known, those that were removed not long ago among them.
    pub fn known(&self) -> impl Iterator<Item = (u64, &str)> {
        self.paths.iter().map(|(id, path)| (*id, path.as_str())).filter(|(_, path)| path.starts_with('/'))
    }

    /// The ids and paths of those that exist now, by a walk; `None` if the last one is too recent.
    pub fn existing(&mut self) -> Option<HashMap<u64, String>> {
        self.walked = false;
        let known = std::mem::take(&mut self.paths);
        let found = self.walk().then(|| self.paths.clone());
        for (id, path) in known {
            self.paths.entry(id).or_insert(path);
        }
        self.size = self.paths.values().map(|path| size(path)).sum();
        found
    }

    /// The path as `/proc/PID/cgroup` has it; the id if the path is unknown.
    pub fn path(&mut self, id: u64) -> String {
        if let Some(path) = self.paths.get(&id) {
            return path.clone();
        }
        let walked = self.walk();
        if let Some(path) = self.paths.get(&id) {
            return path.clone();
        }
        let path = format!("(gone, id {id})");
        // An id that does not exist is looked up once, not at each interval.
        if walked {
            self.add(id, path.clone());
        }
        path
    }

    /// The interval has been reported: drops paths of removed cgroups if there are too many.
    pub fn drop_removed(&mut self) {
        if self.size <= 2 * self.live + KEPT {
            return;
        }
        let known = std::mem::take(&mut self.paths);
        self.walked = false;
        if !self.walk() {
            self.paths = known;
            return;
        }
        let mut gone: Vec<_> = known.into_iter().filter(|(id, _)| !self.paths.contains_key(id)).collect();
        // Ids are assigned in ascending order.
        gone.sort_unstable_by_key(|(id, _)| Reverse(*id));
        for (id, path) in gone {
            if self.size > self.live + KEPT / 2 {
                break;
            }
            self.add(id, path);
        }
    }

    fn add(&mut self, id: u64, path: String) {
        if self.size > 2 * self.live + MOST {
            return;
        }
        self.size += size(&path);
        if let Some(before) = self.paths.insert(id, path) {
            self.size -= size(&before);
        }
    }

    /// Finds all existing cgroups, unless the last walk is too recent. Returns whether there was a
    /// walk since the interval ended.
    fn walk(&mut self) -> bool {
        let now = Instant::now();
        if self.walked || now < self.next_walk {
            return self.walked;
        }
        let found = self.mount.as_deref().map(walk).unwrap_or_default();
        self.live = found.values().map(|path| size(path)).sum();
        self.paths.extend(found);
        self.size = self.paths.values().map(|path| size(path)).sum();
        self.walked = true;
        self.next_walk = Instant::now() + now.elapsed() * self.pause;
        true
    }
}

fn size(path: &str) -> usize {
    path.len() + ENTRY
}

/// The paths of all cgroups by their ids: the inode number of a cgroup's directory is its id (kernfs, 64-bit).
fn walk(mount: &Path) -> HashMap<u64, String> {
    let mut found = HashMap::new();
    if let Ok(root) = fs::metadata(mount) {
        found.insert(root.ino(), "/".to_string());
    }
    let mut left = vec![(mount.to_path_buf(), String::new())];
    while let Some((directory, path)) = left.pop() {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            let path = format!("{path}/{}", entry.file_name().to_string_lossy());
            left.push((entry.path(), path.clone()));
            found.insert(entry.ino(), path);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(path: &Path) -> u64 {
        fs::metadata(path).unwrap().ino()
    }

    /// With a folder as the hierarchy, and no pause between walks.
    fn of(folder: &Path) -> Cgroups {
        Cgroups { pause: 0, next_walk: Instant::now(), ..Cgroups::below(Some(folder.to_path_buf())) }
    }

    fn created(id: u64, parent: u64, name: &str) -> NewCgroup {
        NewCgroup { id, parent, name: name.to_string() }
    }

    #[test]
    fn directories_are_known_by_their_inode_numbers_even_when_they_have_gone() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        fs::create_dir_all(&below).unwrap();
        let mut cgroups = of(folder.path());
        assert_eq!([folder.path(), &below].map(|path| cgroups.path(id(path))), ["/", "/a/b"]);
        let (old, late) = (id(&below), folder.path().join("late"));
        fs::create_dir(&late).unwrap();
        fs::remove_dir(&below).unwrap();
        cgroups.next_walk = Instant::now();
        cgroups.next(std::iter::empty());
        assert_eq!([old, id(&late)].map(|id| cgroups.path(id)), ["/a/b", "/late"]);
        assert_eq!(cgroups.path(u64::MAX), format!("(gone, id {})", u64::MAX));
    }

    #[test]
    fn short_lived_cgroups_are_named_without_a_walk_and_dropped_later() {
        const CREATED: u64 = 100_000;
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("stays")).unwrap();
        let root = id(folder.path());
        let mut cgroups = of(folder.path());
        let (mut walks, mut most) = (0, 0);
        // Other ids than those of the folder's file system.
        for number in (1 << 60..).step_by(2).take(CREATED as usize) {
            cgroups.next([created(number, root, "slice"), created(number + 1, number, "box")].into_iter());
            assert_eq!(cgroups.path(number + 1), "/slice/box");
            cgroups.drop_removed();
            walks += u64::from(cgroups.walked);
            most = most.max(cgroups.size);
        }
        assert!(most <= 2 * cgroups.live + KEPT + 200, "{most}");
        let bytes = CREATED as usize * (size("/slice") + size("/slice/box"));
        assert!(walks > 0 && walks <= (2 * bytes / KEPT) as u64 + 1, "{walks} walks");
        assert_eq!(cgroups.path(id(&folder.path().join("stays"))), "/stays");
        assert!(cgroups.path((1 << 60) + 1).starts_with("(gone"));
    }

    #[test]
    fn those_that_exist_are_told_from_those_that_have_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (stays, goes) = (folder.path().join("stays"), folder.path().join("goes"));
        [&stays, &goes].into_iter().for_each(|path| fs::create_dir(path).unwrap());
        let mut cgroups = of(folder.path());
        let gone = id(&goes);
        fs::remove_dir(&goes).unwrap();
        cgroups.next_walk = Instant::now();
        let existing = cgroups.existing().unwrap();
        assert_eq!(existing.get(&id(&stays)).map(String::as_str), Some("/stays"));
        assert!(existing.len() == 2 && !existing.contains_key(&gone));
        assert_eq!((cgroups.known().count(), cgroups.path(gone).as_str()), (3, "/goes"));
        assert_eq!(cgroups.size, cgroups.known().map(|(_, path)| size(path)).sum::<usize>());
        cgroups.next_walk = Instant::now() + std::time::Duration::from_secs(3600);
        assert!(cgroups.existing().is_none() && cgroups.known().count() == 3);
        assert_eq!(cgroups.created(created(7 << 60, id(&stays), "box")).as_deref(), Some("/stays/box"));
        assert_eq!(cgroups.created(created(8 << 60, u64::MAX, "box")), None);
    }

    #[test]
    fn a_walk_is_not_repeated_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut cgroups = of(folder.path());
        cgroups.next_walk = Instant::now() + std::time::Duration::from_secs(3600);
        cgroups.next(std::iter::empty());
        let late = folder.path().join("late");
        fs::create_dir(&late).unwrap();
        assert_eq!(cgroups.path(id(&late)), format!("(gone, id {})", id(&late)));
        cgroups.next_walk = Instant::now();
        cgroups.next(std::iter::empty());
        assert_eq!(cgroups.path(id(&late)), "/late");
    }

    #[test]
    fn the_paths_have_a_bound_without_walks_too() {
        let folder = tempfile::tempdir().unwrap();
        let root = id(folder.path());
        let mut cgroups = of(folder.path());
        cgroups.next_walk = Instant::now() + std::time::Duration::from_secs(3600);
        let name = "x".repeat(255);
        for number in 1 << 60..(1 << 60) + 50_000 {
            cgroups.next(std::iter::once(created(number, root, &name)));
            cgroups.drop_removed();
        }
        assert!(cgroups.size <= 2 * cgroups.live + MOST + 400, "{}", cgroups.size);
    }
}
