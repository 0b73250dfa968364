//! Errors that mean that something has run out or broken: never a matter of the kernel's abilities, of rights or of the
//! command line, so that whoever restarts a program by its status does so.

use std::fmt::Display;
use std::io;

use rustix::io::Errno;

use crate::exit::{Exit, Failure};

/// What has run out, and the limit behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage(&'static str);

impl Shortage {
    /// The shortage that an error tells of, if it does.
    pub fn of(error: &io::Error) -> Option<Self> {
        let no_memory = error.kind() == io::ErrorKind::OutOfMemory;
        Self::by_number(if no_memory { Errno::NOMEM.raw_os_error() } else { error.raw_os_error()? })
    }

    /// The same of an error that only its text is left of, as Rust writes it: `… (os error 24)`.
    pub fn in_text(error: &str) -> Option<Self> {
        let number = error.rsplit_once("(os error ")?.1.split_once(')')?.0;
        Self::by_number(number.parse().ok()?)
    }

    fn by_number(errno: i32) -> Option<Self> {
        Some(Self(match Errno::from_raw_os_error(errno) {
            Errno::MFILE => "raise the limit of open files (ulimit -n; a unit: LimitNOFILE)",
            Errno::NFILE => "the whole system is at its limit of open files (sysctl fs.file-max)",
            Errno::NOMEM => "memory has run out, or a limit of it (ulimit -v; a unit: MemoryMax)",
            Errno::NOSPC => "the disk, or another table of the system, is full",
            Errno::DQUOT => "the user's disk quota is used up",
            Errno::AGAIN => "the limit of processes is reached (ulimit -u; a unit: TasksMax)",
            Errno::IO => "the device, or its file system, has failed (dmesg says more)",
            _ => return None,
        }))
    }

    /// The failure that it is: status 1.
    pub fn failure(self, what: impl Display, error: impl Display) -> Failure {
        Failure::failed(format!("{what}: {error}: {}", self.0))
    }
}

/// The failure that an error of the system is: of this status, but 1 where something has run out.
pub fn failure(exit: Exit, what: impl Display, error: &io::Error) -> Failure {
    match Shortage::of(error) {
        Some(shortage) => shortage.failure(what, error),
        None => Failure::new(exit, format!("{what}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_run_out_is_status_1_and_names_the_limit() {
        let full = failure(Exit::Usage, "--record d", &io::Error::from_raw_os_error(28));
        assert_eq!(full.exit, Exit::Failed);
        let many = failure(Exit::Unsupported, "cannot load", &io::Error::from_raw_os_error(24));
        assert!(many.exit == Exit::Failed && many.message.contains("ulimit -n"), "{many}");
        let missing = failure(Exit::Usage, "cannot run 'x'", &io::Error::from_raw_os_error(2));
        assert_eq!(missing.exit, Exit::Usage);
    }

    #[test]
    fn the_number_is_found_in_a_text() {
        let text = "failed to load: Too many open files (os error 24)";
        assert_eq!(Shortage::in_text(text), Shortage::of(&io::Error::from_raw_os_error(24)));
        assert_eq!(Shortage::in_text("Operation not permitted (os error 1)"), None);
        assert_eq!(Shortage::in_text("odd"), None);
    }
}
