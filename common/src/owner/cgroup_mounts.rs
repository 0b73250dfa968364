//! Where cgroups are mounted, and processes whose cgroups are not those of v2.

use std::fs;
use std::path::PathBuf;

use cli::exit::Failure;
use cli::kernel_files::{cgroup2_mount, whole_first};
use cli::mounts;

use crate::kernel::pid_namespace::proc_is_mounted;

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
