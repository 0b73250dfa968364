//! Other programs that `ebpfmux` runs: started so that none outlives it, and their end can be waited for with everything else.

pub mod ask;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, getpid, getppid, pidfd_open, set_parent_process_death_signal,
};

/// Starts a program that gets this signal when `ebpfmux` ends, however that comes; in its own process group, so that the
/// terminal's Ctrl-C reaches it once, through `ebpfmux`. Also what becomes readable when it has ended.
///
/// # Errors
/// If it cannot be started or watched; then it does not run.
pub fn start(command: &mut Command, at_our_end: Signal) -> io::Result<(Child, OwnedFd)> {
    let parent = getpid();
    command.process_group(0);
    // SAFETY: between fork and exec only system calls are made, which touch no memory that a lock guards.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(at_our_end))?;
            // The parent may have died before the signal was asked for.
            if getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH.into()) }
        });
    }
    let mut child = command.spawn()?;
    let ended = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).inspect_err(|_| {
        let _ = child.kill().and_then(|()| child.wait());
    })?;
    Ok((child, ended))
}

/// The folders in which a tool is searched: that of this program, then those of PATH.
pub fn folders() -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.to_owned()));
    beside.into_iter().chain(path()).collect()
}

/// The folders of PATH.
pub fn path() -> Vec<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect()
}

/// Lets reads from a pipe return at once where there is nothing.
///
/// # Errors
/// When it is no open descriptor.
pub fn never_wait(pipe: &OwnedFd) -> io::Result<()> {
    Ok(rustix::fs::fcntl_setfl(pipe, rustix::fs::fcntl_getfl(pipe)? | OFlags::NONBLOCK)?)
}
