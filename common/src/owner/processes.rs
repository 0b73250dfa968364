//! `--pid`: whether a process exists, and the kernel's id of it.

use std::fs;
use std::io::ErrorKind;

use cli::exit::{Failure, Result};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::kernel::pid_namespace::{ProcIds, kernel_ids};

/// Refuses an id that is not that of a process, so that a typing error is not a silent zero.
///
/// # Errors
/// Status 2 if there is no such process, or the id is that of a thread; 3 without `/proc`; 4 if the
/// caller may not see the process.
pub fn check(pid: u32, ids: ProcIds) -> Result<()> {
    match ids {
        ProcIds::Unmounted => {
            Err(Failure::unsupported(format!("--pid {pid}: /proc is not mounted: mount -t proc proc /proc")))
        }
        ProcIds::Other => Err(Failure::usage(format!(
            "--pid {pid}: /proc shows the ids of another PID namespace: mount -t proc proc /proc in this one"
        ))),
        ProcIds::Kernel | ProcIds::Own => is_process(pid),
    }
}

fn is_process(pid: u32) -> Result<()> {
    match fs::read_to_string(format!("/proc/{pid}/status")) {
        Ok(status) => match process_of(&status) {
            Some(process) if process != pid => Err(Failure::usage(format!(
                "--pid {pid}: it is a thread of process {process}: use --pid {process}"
            ))),
            _ => Ok(()),
        },
        Err(error) => Err(match error.kind() {
            ErrorKind::PermissionDenied => hidden(pid),
            ErrorKind::NotFound if exists(pid) => hidden(pid),
            ErrorKind::NotFound => no_such_process(pid),
            // It has ended since.
            _ if error.raw_os_error() == Some(libc::ESRCH) => no_such_process(pid),
            _ => Failure::failed(format!("--pid {pid}: cannot read its status: {error}")),
        }),
    }
}

fn process_of(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}

/// Whether there is a process of this id, by a signal that is not sent.
fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM)))
}

fn hidden(pid: u32) -> Failure {
    Failure::not_permitted(format!(
        "--pid {pid}: the process exists, but /proc hides it from this user (hidepid): run as root, or with \
         CAP_SYS_PTRACE"
    ))
}

fn no_such_process(pid: u32) -> Failure {
    Failure::usage(format!("--pid {pid}: no such process"))
}

/// The kernel's ids of these processes of the PID namespace of this process.
///
/// # Errors
/// As for `kernel_ids`; status 2 if one has ended.
pub fn by_kernel(pids: &[u32]) -> Result<Vec<u32>> {
    let found = kernel_ids(pids).map_err(|failure| {
        Failure::new(failure.exit, format!("--pid in a PID namespace: {}", failure.message))
    })?;
    pids.iter().zip(found).map(|(pid, id)| id.ok_or_else(|| no_such_process(*pid))).collect()
}
