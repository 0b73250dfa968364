//! Where cgroups are mounted, and processes whose cgroups are not those of v2.

use std::fs;
use std::path::{Path, PathBuf};

use cli::exit::Failure;

use crate::kernel::mounts::{self, Mount};
use crate::kernel::pid_namespace::proc_is_mounted;

/// `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
const CGROUP2_MAGIC: rustix::fs::FsWord = 0x6367_7270;
/// The usual mount points of v2: alone, and with v1. For systems without /proc.
const USUAL: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Whether a path is a directory of cgroup v2.
pub fn is_cgroup2(path: &Path) -> bool {
    path.is_dir() && rustix::fs::statfs(path).is_ok_and(|stat| stat.f_type == CGROUP2_MAGIC)
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

/// Where the hierarchy is mounted in which memory is charged, and its number, by which the kernel knows it: 0 for v2.
pub fn memory_mount() -> Option<(PathBuf, i32)> {
    let hierarchy = memory_hierarchy(&fs::read_to_string("/proc/cgroups").unwrap_or_default());
    if hierarchy == 0 {
        return Some((cgroup2_mount()?, hierarchy));
    }
    Some((memory_mounts(&mounts::list().ok()?).into_iter().next()?, hierarchy))
}

/// From `/proc/cgroups`: the number of the memory controller's hierarchy. Newer kernels list only those of v1.
fn memory_hierarchy(cgroups: &str) -> i32 {
    let of_memory = cgroups.lines().find_map(|line| line.strip_prefix("memory\t"));
    of_memory.and_then(|line| line.split('\t').next()?.parse().ok()).unwrap_or_default()
}

/// From a list of mounts, those of v1 with the memory controller, those of the whole hierarchy first.
fn memory_mounts(list: &str) -> Vec<PathBuf> {
    whole_first(list, |mount| mount.kind == "cgroup" && mount.options.split(',').any(|one| one == "memory"))
}

/// From a list of mounts, those of v2, those of the whole hierarchy first.
fn cgroup2_mounts(list: &str) -> Vec<PathBuf> {
    whole_first(list, |mount| mount.kind == "cgroup2")
}

fn whole_first(list: &str, wanted: impl Fn(&Mount<'_>) -> bool) -> Vec<PathBuf> {
    let mut found: Vec<(bool, PathBuf)> = mounts::each(list)
        .filter(wanted)
        .map(|mount| (mount.root != "/", PathBuf::from(mount.path.replace("\\040", " "))))
        .collect();
    found.sort_by_key(|(in_part, _)| *in_part);
    found.into_iter().map(|(_, path)| path).collect()
}

/// The failure of an option for which cgroup v2 must be mounted.
pub fn no_cgroup2(option: &str) -> Failure {
    let hint = if proc_is_mounted() {
        ""
    } else {
        " at a usual place, and /proc, which lists mounts, is not either"
    };
    Failure::unsupported(format!("{option}: no cgroup v2 file system is mounted{hint}"))
}

/// For `--by cgroup`: a note if there are processes that only v1 keeps in separate cgroups.
pub fn note_of_v1() -> Option<String> {
    if !mounts::each(&mounts::list().ok()?).any(|mount| mount.kind == "cgroup") {
        return None;
    }
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let cgroups = processes.filter_map(|process| fs::read_to_string(process.path().join("cgroup")).ok());
    let only_v1: Vec<String> = cgroups.filter_map(|cgroups| only_in_v1(&cgroups)).collect();
    let first = only_v1.first()?;
    Some(format!(
        "--by cgroup reports cgroup v2, where / holds {} processes that have other cgroups only in v1 (such as {first})",
        only_v1.len()
    ))
}

/// From `/proc/PID/cgroup`: a v1 cgroup of a process that v2 has in its root.
fn only_in_v1(cgroups: &str) -> Option<String> {
    // NUMBER:CONTROLLERS:PATH, and of v2 0::PATH.
    let of_v1 = cgroups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let mut below = of_v1.filter(|(controllers, path)| !controllers.is_empty() && *path != "/");
    let in_root = cgroups.lines().any(|line| line == "0::/");
    below.next().filter(|_| in_root).map(|(controllers, path)| format!("{controllers}:{path}"))
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

    #[test]
    fn memory_is_charged_in_v1_or_in_v2() {
        let mounts = "31 30 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw\n\
                      33 30 0:28 /box /run/box rw - cgroup cgroup rw,memory\n\
                      34 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      35 30 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
        assert_eq!(memory_mounts(mounts), ["/sys/fs/cgroup/memory", "/run/box"].map(PathBuf::from));
        assert_eq!(memory_hierarchy("#subsys_name\thierarchy\ncpu\t3\t1\t1\nmemory\t4\t46\t1\n"), 4);
        assert_eq!(memory_hierarchy("memory\t0\t46\t1\n"), 0);
        assert_eq!(memory_hierarchy(""), 0);
    }

    #[test]
    fn processes_that_only_v1_separates_are_found() {
        let hybrid = "4:memory:/docker/x\n1:cpu:/\n0::/\n";
        assert_eq!(only_in_v1(hybrid).as_deref(), Some("memory:/docker/x"));
        assert_eq!(only_in_v1("1:name=systemd:/a.service\n0::/a.service\n"), None);
        assert_eq!(only_in_v1("4:memory:/\n0::/\n"), None);
        assert_eq!(only_in_v1("0::/\n"), None);
    }
}
