//! The PID namespace of this process: whether the ids in it are the kernel's, and if not, which are.

use std::fs;
use std::mem::MaybeUninit;
use std::path::Path;

use cli::exit::{Failure, Result};
use cli::mounts;
use libbpf_rs::ErrorKind;
use libbpf_rs::skel::{OpenSkel, SkelBuilder};
use rustix::fs::statfs;

use super::diagnosis::{Step, diagnose};
use super::restrictions::Restrictions;
use crate::bpf::plain::Plain;
use crate::bpf::walk::Walk;
use crate::hooks::Kind;

// The module `pid_numbers`, generated from `bpf/pid_numbers.bpf.c`.
include!(concat!(env!("OUT_DIR"), "/pid_numbers.rs"));

use pid_numbers::types::numbers;

/// The link of the initial namespace, whose ids are the kernel's: `PROC_PID_INIT_INO` of
/// linux/proc_ns.h.
const INITIAL: &str = "pid:[4026531836]";
/// `PROC_SUPER_MAGIC` of `linux/magic.h`.
const PROC_MAGIC: rustix::fs::FsWord = 0x9fa0;
// SAFETY: generated from the C struct: integers.
unsafe impl Plain for numbers {}

/// The namespace whose process ids are in `/proc`, and which a user therefore knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcIds {
    /// The initial namespace: the ids are the kernel's, as in records.
    Kernel,
    /// The namespace of this process, which is not the initial one.
    Own,
    /// Another namespace than that of this process.
    Other,
    /// `/proc` is not mounted.
    Unmounted,
}

impl ProcIds {
    /// As `/proc` is mounted now.
    pub fn now() -> Self {
        if !proc_is_mounted() {
            return Self::Unmounted;
        }
        // In the /proc of another namespace this process is missing, or has an id for each
        // namespace from there to its own.
        let Ok(namespace) = fs::read_link("/proc/self/ns/pid") else { return Self::Other };
        match ids_in(&fs::read_to_string("/proc/self/status").unwrap_or_default()) {
            Some(2..) => Self::Other,
            _ if namespace == Path::new(INITIAL) => Self::Kernel,
            _ => Self::Own,
        }
    }
}

/// The number of ids of a process, from the namespace of `/proc` to its own.
fn ids_in(status: &str) -> Option<usize> {
    Some(status.lines().find_map(|line| line.strip_prefix("NSpid:"))?.split_whitespace().count())
}

/// Whether `/proc` is mounted.
pub fn proc_is_mounted() -> bool {
    statfs("/proc").is_ok_and(|found| found.f_type == PROC_MAGIC)
}

/// Whether `/proc` hides the processes of other users, and those with more capabilities: it is mounted with `hidepid`, which
/// only CAP_SYS_PTRACE overrides (`has_pid_permissions` of fs/proc/base.c).
pub fn proc_hides_processes() -> bool {
    hides(&mounts::list().unwrap_or_default())
}

/// From a list of mounts.
fn hides(list: &str) -> bool {
    let seen = mounts::each(list).rev().find(|mount| mount.path == "/proc" && mount.kind == "proc");
    // Before Linux 5.8 a number.
    let hidden =
        |option: &str| option.strip_prefix("hidepid=").is_some_and(|how| !["0", "off"].contains(&how));
    seen.is_some_and(|mount| mount.options.split(',').any(hidden))
}

/// The kernel's id of this process; the one of its own namespace if that is unknown.
pub fn own_id() -> u32 {
    let own = std::process::id();
    match ProcIds::now() {
        ProcIds::Kernel => own,
        _ => kernel_ids(&[own]).ok().and_then(|found| *found.first()?).unwrap_or(own),
    }
}

/// The kernel's ids of processes that have these ids in the namespace of this process. `None` for
/// one that does not exist.
///
/// # Errors
/// When the tasks cannot be listed: status 3 if the kernel does not support it, 4 if the caller is
/// not permitted, 1 for lack of memory or descriptors.
pub fn kernel_ids(own: &[u32]) -> Result<Vec<Option<u32>>> {
    let listed = list()?;
    let kernel_id = |wanted: &u32| listed.iter().find_map(|ids| (ids.own == *wanted).then_some(ids.kernel));
    Ok(own.iter().map(kernel_id).collect())
}

/// A `struct numbers` for each process of the namespace.
fn list() -> Result<Vec<numbers>> {
    let mut object = MaybeUninit::uninit();
    let mut attached = || {
        let skel = pid_numbers::PidNumbersSkelBuilder::default().open(&mut object)?.load()?;
        skel.progs.list_numbers.attach()
    };
    let link = attached().map_err(|error| failure(&error))?;
    Walk::with(&link).take("the kernel's process ids")
}

fn failure(error: &libbpf_rs::Error) -> Failure {
    let denied = error.kind() == ErrorKind::PermissionDenied;
    match diagnose(Step::Load(Some(Kind::Iter)), denied, "", &Restrictions::gather()) {
        Some(diagnosis) => diagnosis.into(),
        None => Failure::failed(format!("cannot list the kernel's process ids: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_lists_an_id_for_each_namespace() {
        assert_eq!(ids_in("Name:\tx\nNStgid:\t7\nNSpid:\t7\t1\nNSpgid:\t7\n"), Some(2));
        assert_eq!(ids_in("NSpid:\t7\n"), Some(1));
        // Without CONFIG_PID_NS.
        assert_eq!(ids_in("Name:\tx\n"), None);
    }

    #[test]
    fn the_last_mount_at_proc_says_whether_it_hides_processes() {
        let mount = |path: &str, kind: &str, options: &str| {
            format!("22 28 0:21 / {path} rw,nosuid shared:14 - {kind} proc {options}\n")
        };
        for (options, hidden) in [
            ("rw", false),
            ("rw,hidepid=off", false),
            ("rw,hidepid=0", false),
            ("rw,gid=4,hidepid=invisible", true),
            ("rw,hidepid=2", true),
            ("rw,hidepid=noaccess,subset=pid", true),
        ] {
            assert_eq!(hides(&mount("/proc", "proc", options)), hidden, "{options}");
        }
        let (hidden, shown) = (mount("/proc", "proc", "rw,hidepid=2"), mount("/proc", "proc", "rw"));
        assert!(hides(&format!("{shown}{hidden}")) && !hides(&format!("{hidden}{shown}")));
        assert!(!hides(&mount("/mnt/proc", "proc", "rw,hidepid=2")) && !hides(""));
    }
}
