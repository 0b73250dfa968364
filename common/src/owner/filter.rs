//! `--pid` and `--cgroup`: what the user named, checked, and passed to the BPF programs.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use cli::exit::{Failure, Result};

use super::cgroup_mounts::{cgroup2_mount, is_cgroup2, no_cgroup2};
use super::processes;
use crate::bpf::layouts;
use crate::bpf::plain::{bytes_of, length};
use crate::kernel::pid_namespace::ProcIds;
use crate::options::Common;

/// How many the BPF programs compare.
const MAX_PIDS: usize = length(|of: &layouts::filter| &of.pid);

/// Which tasks to observe.
#[derive(Default)]
pub struct Filter {
    pids: Vec<u32>,
    /// Whether these are ids of a PID namespace other than the kernel's.
    in_namespace: bool,
    cgroup: Option<(u64, OwnedFd)>,
}

impl Filter {
    /// The tasks that the options name.
    pub fn of(common: &Common) -> Result<Self> {
        Self::new(&common.pid, common.cgroup.as_deref())
    }

    /// Checks that the processes and the cgroup exist, so that a typing error is not a silent zero.
    fn new(pids: &[u32], cgroup: Option<&Path>) -> Result<Self> {
        if pids.len() > MAX_PIDS {
            return Err(Failure::usage(format!(
                "--pid can be given {MAX_PIDS} times at most: use --cgroup for more"
            )));
        }
        let ids = if pids.is_empty() { ProcIds::Kernel } else { ProcIds::now() };
        pids.iter().try_for_each(|pid| processes::check(*pid, ids))?;
        let in_namespace = ids != ProcIds::Kernel;
        Ok(Self { pids: pids.to_vec(), in_namespace, cgroup: cgroup.map(open_cgroup).transpose()? })
    }

    /// Replaces ids of a PID namespace by the kernel's, which BPF programs compare and records
    /// have. Returns a note for each.
    ///
    /// # Errors
    /// When the kernel's ids cannot be found out; status 2 if a process has ended.
    pub(crate) fn use_kernel_ids(&mut self) -> Result<Vec<String>> {
        if !self.in_namespace {
            return Ok(Vec::new());
        }
        let kernel = processes::by_kernel(&self.pids)?;
        let note =
            |(pid, id)| format!("--pid {pid}: in records it is {id}, its id in the initial PID namespace");
        let notes = self.pids.iter().zip(&kernel).map(note).collect();
        (self.pids, self.in_namespace) = (kernel, false);
        Ok(notes)
    }

    /// Whether only some tasks pass.
    pub fn is_set(&self) -> bool {
        !self.pids.is_empty() || self.cgroup.is_some()
    }

    /// The bytes of the BPF programs' constant `filter`.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut raw = layouts::filter {
            cgroup_id: self.cgroup.as_ref().map_or(0, |(id, _)| *id),
            pids: self.pids.len() as u32,
            ..Default::default()
        };
        raw.pid[..self.pids.len()].copy_from_slice(&self.pids);
        bytes_of(&raw).to_vec()
    }

    /// The cgroup's descriptor, for the map `filter_cgroup`.
    pub(crate) fn cgroup_fd(&self) -> Option<i32> {
        self.cgroup.as_ref().map(|(_, fd)| fd.as_raw_fd())
    }
}

/// Opens a cgroup v2 directory, named by its path or by its path below the mount point.
fn open_cgroup(path: &Path) -> Result<(u64, OwnedFd)> {
    let shown = path.display();
    let mount = cgroup2_mount();
    let below = mount.as_ref().map(|mount| mount.join(path.strip_prefix("/").unwrap_or(path)));
    let candidates = [Some(path.to_path_buf()), below];
    let Some(found) = candidates.into_iter().flatten().find(|path| is_cgroup2(path)) else {
        return Err(match mount {
            None => no_cgroup2(&format!("--cgroup {shown}")),
            Some(mount) => Failure::usage(format!(
                "--cgroup {shown}: no such cgroup (v2 cgroups are the directories below {})",
                mount.display()
            )),
        });
    };
    let opened = File::open(&found).and_then(|file| Ok((file.metadata()?.ino(), file)));
    // The inode number of a cgroup's directory is its id (kernfs, 64-bit).
    let (id, file) = opened.map_err(|error| Failure::usage(format!("--cgroup {shown}: {error}")))?;
    Ok((id, file.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_c_struct() {
        let filter = Filter { pids: vec![7, 9], ..Filter::default() };
        let bytes = filter.to_bytes();
        assert_eq!(bytes.len(), 8 + 4 + 4 * MAX_PIDS + 4);
        assert_eq!(bytes[8..20], [2, 0, 0, 0, 7, 0, 0, 0, 9, 0, 0, 0]);
    }

    #[test]
    fn what_does_not_exist_is_named() {
        let gone = Filter::new(&[4_194_305], None).err().unwrap();
        assert_eq!(gone.message, "--pid 4194305: no such process");
        let many = Filter::new(&[1; MAX_PIDS + 1], None).err().unwrap();
        assert!(many.message.contains("32 times"), "{many}");
    }
}
