//! The file systems by which the kernel shows itself: where they are mounted.

use std::path::{Path, PathBuf};

use rustix::fs::{FsWord, statfs};

use crate::mounts::{self, Mount};

/// Where tracefs is mounted, in order; the last is its place on older systems.
pub const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
/// `TRACEFS_MAGIC` and `CGROUP2_SUPER_MAGIC` of `linux/magic.h`: their types in statfs(2).
const TRACEFS_MAGIC: FsWord = 0x7472_6163;
const CGROUP2_MAGIC: FsWord = 0x6367_7270;
/// The usual mount points of cgroup v2: alone, and with v1. For systems without /proc.
const USUAL: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Whether tracefs is mounted at this path.
pub fn is_tracefs(path: &Path) -> bool {
    statfs(path).is_ok_and(|stat| stat.f_type == TRACEFS_MAGIC)
}

/// Whether a path is a directory of cgroup v2.
pub fn is_cgroup2(path: &Path) -> bool {
    path.is_dir() && statfs(path).is_ok_and(|stat| stat.f_type == CGROUP2_MAGIC)
}

/// Where cgroup v2 is mounted: with v1 it is not at `/sys/fs/cgroup`. Of several mounts one that
/// shows the whole hierarchy; `None` if something else was mounted over it.
pub fn cgroup2_mount() -> Option<PathBuf> {
    let mounts = match mounts::list() {
        Ok(list) => cgroup2_mounts(&list),
        Err(_) => USUAL.map(PathBuf::from).to_vec(),
    };
    mounts.into_iter().find(|path| is_cgroup2(path))
}

/// From a list of mounts, those of v2, those of the whole hierarchy first.
fn cgroup2_mounts(list: &str) -> Vec<PathBuf> {
    whole_first(list, |mount| mount.kind == "cgroup2")
}

/// From a list of mounts, where those that are wanted are, those of a whole file system first.
pub fn whole_first(list: &str, wanted: impl Fn(&Mount<'_>) -> bool) -> Vec<PathBuf> {
    let mut found: Vec<(bool, PathBuf)> = mounts::each(list)
        .filter(wanted)
        .map(|mount| (mount.root != "/", PathBuf::from(mount.path.replace("\\040", " "))))
        .collect();
    found.sort_by_key(|(in_part, _)| *in_part);
    found.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_hierarchy_is_preferred_beside_v1_too() {
        let mounts = "30 1 0:26 / /sys/fs/cgroup rw shared:9 - tmpfs tmpfs rw\n\
                      31 30 0:27 /docker/x /run/a\\040box rw - cgroup2 cgroup2 rw\n\
                      32 30 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw\n\
                      33 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";
        let expected = ["/sys/fs/cgroup/unified", "/run/a box"].map(PathBuf::from);
        assert_eq!(cgroup2_mounts(mounts), expected);
    }
}
