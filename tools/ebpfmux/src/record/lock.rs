//! The lock of a recording's folder, for one writer at a time. It is on the folder itself and ends
//! with the process.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, major, minor};
use rustix::io::Errno;

/// Attempts to lock, because a reader holds the lock for a moment to check for a writer.
const TRIES: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(20);

/// The lock of a writer, released on drop.
pub struct Lock(#[expect(dead_code, reason = "held")] OwnedFd);

/// Why a folder could not be locked.
pub enum Refused {
    /// Another process writes to it; its PID, if the kernel shows it.
    Held(Option<u32>),
    /// The folder could not be opened.
    Failed(io::Error),
}

impl Lock {
    /// Locks a folder for a writer. `None` if its file system does not support locks.
    ///
    /// # Errors
    /// If another process has it locked, or it cannot be opened.
    pub fn take(folder: &Path) -> Result<Option<Self>, Refused> {
        let fd = open(folder).map_err(Refused::Failed)?;
        for _ in 0..TRIES {
            match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(Self(fd))),
                Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(BETWEEN),
                Err(_) => return Ok(None),
            }
        }
        Err(Refused::Held(holder(&fd)))
    }
}

/// Whether a process writes to a folder.
pub fn is_written(folder: &Path) -> bool {
    // The lock is released with the descriptor.
    open(folder).is_ok_and(|fd| flock(&fd, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK))
}

fn open(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(folder, flags, Mode::empty())?)
}

fn holder(fd: &OwnedFd) -> Option<u32> {
    let stat = rustix::fs::fstat(fd).ok()?;
    let file = format!("{:02x}:{:02x}:{}", major(stat.st_dev), minor(stat.st_dev), stat.st_ino);
    holder_in(&fs::read_to_string("/proc/locks").ok()?, &file)
}

/// The holder of a lock on a file in the text of `/proc/locks` (proc(5)):
/// `1: FLOCK  ADVISORY  WRITE PID FILE 0 EOF`.
fn holder_in(locks: &str, file: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Waiting processes have an arrow in the second word.
        match words[..] {
            [_, "FLOCK", _, _, pid, at, ..] if at == file => pid.parse().ok().filter(|pid| *pid > 0),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_among_the_locks() {
        let locks = "1: POSIX  ADVISORY  WRITE 812 fd:01:1310 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 4711 fd:01:1310 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 4712 fd:01:1310 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 0 00:1c:99 0 EOF\n";
        assert_eq!(holder_in(locks, "fd:01:1310"), Some(4711));
        // Of another PID namespace.
        assert_eq!(holder_in(locks, "00:1c:99"), None);
        assert_eq!(holder_in(locks, "fd:01:1311"), None);
    }

    #[test]
    fn one_writer_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_written(folder.path()));
        let lock = Lock::take(folder.path()).ok().unwrap().unwrap();
        assert!(is_written(folder.path()));
        assert!(matches!(Lock::take(folder.path()), Err(Refused::Held(_))));
        drop(lock);
        assert!(Lock::take(folder.path()).ok().unwrap().is_some() && !is_written(folder.path()));
    }
}
