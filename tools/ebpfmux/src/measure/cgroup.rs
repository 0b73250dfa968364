//! The cgroup of a measured command: made below the one of this process, and removed at the end.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cli::exit::{Exit, Failure, Result};
use cli::kernel_files::cgroup2_mount;
use cli::shortage;

use crate::note::note;

/// What a cgroup's name has before the process's number.
const PREFIX: &str = "ebpfmux-";

/// How often the processes that are left are moved away: others may start meanwhile.
const MOVES: usize = 10;

/// A cgroup, removed when dropped.
pub struct Cgroup {
    path: PathBuf,
    /// The cgroup of this process.
    parent: PathBuf,
}

/// What a cgroup's tasks have used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// Processor time in user space and in the kernel, if the kernel tells.
    pub user: Option<Duration>,
    /// See `user`.
    pub system: Option<Duration>,
    /// The most memory at any time, in bytes, where the controller of memory is enabled (Linux 5.19 and later).
    pub memory_peak: Option<u64>,
}

impl Cgroup {
    /// Makes one.
    ///
    /// # Errors
    /// Where there is no cgroup v2 (status 3), or none may be made (status 4).
    pub fn make() -> Result<Self> {
        let mount = cgroup2_mount().ok_or_else(|| {
            Failure::unsupported("a command is counted by its cgroup, and cgroup v2 is not mounted")
        })?;
        let own = fs::read_to_string("/proc/self/cgroup")
            .map_err(|error| Failure::failed(format!("cannot read /proc/self/cgroup: {error}")))?;
        let parent = below(&mount, &own);
        let path = parent.join(format!("{PREFIX}{}", std::process::id()));
        remove_abandoned(&parent);
        let what = || {
            format!(
                "cannot make a cgroup for the command in {}",
                cli::text::visible(&parent.display().to_string())
            )
        };
        fs::create_dir(&path).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Failure::not_permitted(format!(
                "{}: {error}; run as root, where cgroups may be made, or start the command alone and give the tools --cgroup or -p",
                what()
            )),
            _ => shortage::failure(Exit::Failed, format_args!("{}", what()), &error),
        })?;
        Ok(Self { path, parent })
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that a process writes `0` to, to be in it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn entrance(&self) -> io::Result<File> {
        OpenOptions::new().write(true).open(self.path.join("cgroup.procs"))
    }

    /// What its tasks have used so far.
    pub fn used(&self) -> Used {
        let stat = fs::read_to_string(self.path.join("cpu.stat")).unwrap_or_default();
        let peak = fs::read_to_string(self.path.join("memory.peak")).ok();
        let micros = |name| {
            let line = stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            Some(Duration::from_micros(line?.trim().parse().ok()?))
        };
        Used {
            user: micros("user_usec"),
            system: micros("system_usec"),
            memory_peak: peak.and_then(|peak| peak.trim().parse().ok()),
        }
    }

    /// The processes in it and in those below it.
    fn processes(&self) -> Vec<i32> {
        fn collect(folder: &Path, found: &mut Vec<i32>) {
            let procs = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            found.extend(procs.lines().filter_map(|pid| pid.parse::<i32>().ok()));
            each_below(folder, &mut |below| collect(below, found));
        }
        let mut found = Vec::new();
        collect(&self.path, &mut found);
        found
    }

    /// Moves the processes that the command has left behind to the cgroup of this process, and returns them.
    fn give_back(&self) -> Vec<i32> {
        let mut all = Vec::new();
        for _ in 0..MOVES {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            for pid in left {
                // It may have ended.
                if fs::write(self.parent.join("cgroup.procs"), pid.to_string()).is_ok() {
                    all.push(pid);
                }
            }
        }
        all
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let left = self.give_back();
        if let Some(first) = left.first() {
            let comm = fs::read_to_string(format!("/proc/{first}/comm")).unwrap_or_default();
            let others =
                if left.len() > 1 { format!(" and {} others", left.len() - 1) } else { String::new() };
            note(&format!(
                "the command left {} (pid {first}){others} running, counted until now",
                comm.trim()
            ));
        }
        remove(&self.path);
        if self.path.exists() {
            note(&format!("cannot remove the cgroup {}", self.path.display()));
        }
    }
}

/// Removes those that were left by an `ebpfmux` that was killed. One that still has tasks stays.
fn remove_abandoned(parent: &Path) {
    each_below(parent, &mut |folder| {
        let name = folder.file_name().and_then(|name| name.to_str());
        let pid = name.and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        let is_own = pid == Some(std::process::id());
        if pid.is_some_and(|pid| is_own || !Path::new(&format!("/proc/{pid}")).exists()) {
            remove(folder);
        }
    });
}

/// Removes a cgroup and those below it, which the command may have made.
fn remove(folder: &Path) {
    each_below(folder, &mut remove);
    let _ = fs::remove_dir(folder);
}

fn each_below(folder: &Path, act: &mut dyn FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        act(&entry.path());
    }
}

/// The folder of the cgroup that `/proc/self/cgroup` tells of. What is outside of what this process may see is its root.
fn below(mount: &Path, own: &str) -> PathBuf {
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    if own.starts_with("/..") {
        return mount.to_owned();
    }
    mount.join(own.trim_start_matches('/').trim_end_matches(" (deleted)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_cgroup_is_found_beside_v1_too() {
        let mount = Path::new("/sys/fs/cgroup");
        assert_eq!(below(mount, "0::/a.slice/b.scope\n"), mount.join("a.slice/b.scope"));
        assert_eq!(below(mount, "9:cpu:/x\n0::/y\n"), mount.join("y"));
        assert_eq!(below(mount, "0::/\n"), mount.join(""));
        assert_eq!(below(mount, "0::/../../z\n"), mount);
    }
}
