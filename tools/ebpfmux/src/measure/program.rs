//! The measured command itself: started in its cgroup, signalled, and waited for.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

use cli::signals::ignore;
use rustix::fs::{Access, access};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::process;

/// The statuses by which shells say that a command was not found, or is no program.
const NOT_FOUND: u8 = 127;
const NOT_A_PROGRAM: u8 = 126;

/// A command that runs.
pub struct Program {
    child: Child,
    ended: OwnedFd,
}

impl Program {
    /// Starts it with this process's stdin, stdout, stderr and terminal, in the cgroup that `entrance` leads to. From then
    /// on this process leaves the terminal's signals to it, as `time` does.
    ///
    /// # Errors
    /// The status to end with, and why it cannot be started.
    pub fn start(words: &[OsString], entrance: File) -> Result<Self, (u8, io::Error)> {
        let (program, arguments) = words.split_first().ok_or((NOT_FOUND, io::ErrorKind::NotFound.into()))?;
        let mut command = Command::new(found(program));
        command.arg0(program).args(arguments);
        let ours = [libc::SIGINT, libc::SIGQUIT].map(|signal| (signal, ignore(signal)));
        // SAFETY: between fork and exec only system calls are made, which touch no memory that a lock guards.
        unsafe {
            command.pre_exec(move || {
                // What was ignored before stays so.
                for (signal, heeded) in ours {
                    if heeded {
                        libc::signal(signal, libc::SIG_DFL);
                    }
                }
                rustix::io::write(entrance.as_fd(), b"0").map(drop).map_err(io::Error::from)
            });
        }
        let status = |error: &io::Error| match error.kind() {
            io::ErrorKind::NotFound => NOT_FOUND,
            _ => NOT_A_PROGRAM,
        };
        let mut child = command.spawn().map_err(|error| (status(&error), error))?;
        let ended = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).map_err(|error| {
            let _ = child.kill().and_then(|()| child.wait());
            (1, error.into())
        })?;
        Ok(Self { child, ended })
    }

    /// Becomes readable when it has ended.
    pub fn ended(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }

    /// How it has ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap_or_else(|_| Some(ExitStatus::from_raw(0)))
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0))
    }

    /// Passes a request to end on to it.
    pub fn terminate(&self) {
        // It may have ended just now.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }
}

/// Where a program without a slash is in PATH. Searched here, not by the kernel's refusals in the command's cgroup, which
/// would be counted as its failed execs.
fn found(program: &OsStr) -> PathBuf {
    let bare = !program.as_bytes().contains(&b'/');
    let mut places = process::path().into_iter().map(|folder| folder.join(program)).filter(|_| bare);
    let can_run = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    places.find(can_run).unwrap_or_else(|| program.into())
}

/// The status that a shell would have of it: 128 and the signal's number for one that was killed.
pub fn code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}
