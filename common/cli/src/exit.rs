//! How a tool ends: the exit status and the one line on stderr that goes with it.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::stderr;

/// The exit statuses of every tool. They are an interface: scripts branch on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; also after SIGINT or SIGTERM, and when the reader of stdout has gone.
    Done = 0,
    /// Something failed at run time.
    Failed = 1,
    /// The command line, or a file named on it, is wrong.
    Usage = 2,
    /// This kernel cannot do it.
    Unsupported = 3,
    /// The kernel can, but the caller is not permitted.
    NotPermitted = 4,
    /// A check of `ebpfmux` did not hold.
    CheckFailed = 5,
}

impl Exit {
    /// All of them, each with its meaning, for manuals.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Done, "Done; also after SIGINT, SIGTERM or SIGHUP, and when the reader of stdout has gone."),
        (Self::Failed, "Failed at run time."),
        (Self::Usage, "Bad usage: the command line, or a file named on it, is wrong."),
        (Self::Unsupported, "This kernel lacks something that is needed; the message names it."),
        (Self::NotPermitted, "Not permitted; the message names the capability or the setting."),
        (Self::CheckFailed, "An --assert of ebpfmux does not hold."),
    ];

    /// The one that a process ended with; `None` if its status is none of these.
    pub fn of_status(status: i32) -> Option<Self> {
        Self::ALL.iter().map(|(exit, _)| *exit).find(|exit| i32::from(*exit as u8) == status)
    }
}

/// Why a tool ends early: one line for a person, and the exit status for a script.
#[derive(Debug)]
pub struct Failure {
    /// The status to end with.
    pub exit: Exit,
    /// Names the thing and the remedy, in one line, without the tool's name.
    pub message: String,
}

/// The result of everything that can end a tool.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure with this status and message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Something failed at run time: status 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// The user asked for something impossible: status 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// This kernel cannot do it: status 3.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Exit::Unsupported, message)
    }

    /// The caller lacks a right: status 4.
    pub fn not_permitted(message: impl Into<String>) -> Self {
        Self::new(Exit::NotPermitted, message)
    }

    /// An early end without an error and without a message: status 0.
    pub fn none() -> Self {
        Self::new(Exit::Done, "")
    }

    /// A failure to write to stdout. A reader that has closed the pipe (`| head -1`) is an ordinary
    /// end, status 0.
    pub fn stdout(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::none(),
            _ => Self::failed(format!("cannot write to stdout: {error}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Turns what `run` returned into the process's exit status, saying why on stderr.
///
/// The only place where a tool decides how to end, so that every tool ends alike.
pub fn report(tool: &str, outcome: Result<()>) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    if !failure.message.is_empty() {
        // Where stderr cannot be written to, the status says it.
        stderr::line(tool, &failure.message);
    }
    ExitCode::from(failure.exit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_has_gone_is_an_ordinary_end() {
        let gone = Failure::stdout(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((gone.exit, gone.message.as_str()), (Exit::Done, ""));
        assert_eq!(Failure::stdout(io::Error::from(io::ErrorKind::StorageFull)).exit, Exit::Failed);
    }

    #[test]
    fn statuses_are_the_documented_numbers() {
        let all = [Exit::Done, Exit::Failed, Exit::Usage, Exit::Unsupported, Exit::NotPermitted];
        assert_eq!(all.map(|exit| exit as u8), [0, 1, 2, 3, 4]);
        assert_eq!(Exit::CheckFailed as u8, 5);
        assert_eq!(
            [4, 5, 6, -1].map(Exit::of_status),
            [Some(Exit::NotPermitted), Some(Exit::CheckFailed), None, None]
        );
    }
}
