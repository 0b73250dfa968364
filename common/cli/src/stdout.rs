//! Buffered stdout, which is always flushed before the program sleeps.
//!
//! A slow reader is waited for without a limit. But after a stop was requested, a reader that reads
//! nothing for [`PATIENCE`] does not keep the program from ending. Therefore no write may block: a
//! pipe or terminal is reopened as non-blocking, because other processes share its description and
//! expect their writes to block.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::exit::{Failure, Result};
use crate::poll;
use crate::signals::{Stop, Woken};

/// The bytes buffered before a write.
const GATHER: usize = 128 << 10;

/// With a pipe of this size the reader can work in parallel with the program; an unprivileged user
/// may set it.
const PIPE: usize = 1 << 20;

/// A write of this size does not block if a pipe has any room (`PIPE_BUF`).
const ATOMIC: usize = 4096;

/// The time that a reader may read nothing after a stop was requested: equal to the time that
/// commands have to exit.
const PATIENCE: Duration = Duration::from_secs(5);

/// stdout, if it is a pipe or terminal, opened as non-blocking.
static REOPENED: OnceLock<Option<OwnedFd>> = OnceLock::new();

/// Reopens stdout as non-blocking. To be called before capabilities are dropped: the pipe or terminal
/// may belong to another user.
pub fn reopen() {
    reopened();
}

fn reopened() -> Option<BorrowedFd<'static>> {
    let opened = REOPENED.get_or_init(|| {
        let stdout = io::stdout();
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        // It fails if /proc is not mounted or the pipe belongs to another user.
        let may_block = kind(&stdout) == Some(FileType::Fifo) || stdout.is_terminal();
        may_block.then(|| rustix::fs::open("/proc/self/fd/1", flags, Mode::empty()).ok()).flatten()
    });
    opened.as_ref().map(AsFd::as_fd)
}

fn kind(stdout: &io::Stdout) -> Option<FileType> {
    rustix::fs::fstat(stdout).ok().map(|stat| FileType::from_raw_mode(stat.st_mode))
}

/// The buffered standard output.
pub struct Output {
    stdout: io::Stdout,
    /// The same pipe or terminal, opened as non-blocking.
    reopened: Option<BorrowedFd<'static>>,
    /// Whether it is a pipe or terminal that could not be reopened: a write may block.
    may_block: bool,
    socket: bool,
    gathered: Vec<u8>,
    /// What requests the stop, and the deadline.
    ends: Option<(Stop, Option<Instant>)>,
    /// Whether a stop was requested while stdout was not writable.
    asked: bool,
}

impl Output {
    /// The process's stdout.
    pub fn stdout() -> Self {
        let stdout = io::stdout();
        let (reopened, kind) = (reopened(), kind(&stdout));
        let may_block = reopened.is_none() && (kind == Some(FileType::Fifo) || stdout.is_terminal());
        let socket = kind == Some(FileType::Socket);
        Self { stdout, reopened, may_block, socket, gathered: Vec::new(), ends: None, asked: false }
    }

    /// Enlarges a pipe, so that the reader works in parallel.
    pub fn widen(&self) {
        // It fails if stdout is not a pipe, or if the user's limit of pipe memory is reached: the
        // current size is sufficient.
        let _ = rustix::pipe::fcntl_setpipe_size(&self.stdout, PIPE);
    }

    /// From now on, a blocked reader does not keep the program from ending when a stop is requested,
    /// or at `deadline`.
    pub fn heed(&mut self, stop: Stop, deadline: Option<Instant>) {
        self.ends = Some((stop, deadline));
    }

    /// Whether a stop was requested while stdout was not writable: the rest is still to be written,
    /// but the stop must be handled first.
    pub fn asked(&self) -> bool {
        self.asked
    }

    /// Adds bytes and writes if enough are buffered. Fails if stdout fails, with status 0 if its
    /// reader has exited.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        if self.gathered.len() + bytes.len() > GATHER {
            self.flush()?;
        }
        let written = match self.gathered.is_empty() && bytes.len() >= GATHER {
            true => self.send(bytes)?,
            false => 0,
        };
        self.gathered.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    /// Writes the buffer. Returns early, once, if a stop is requested while stdout is not writable.
    pub fn flush(&mut self) -> Result<()> {
        let mut gathered = std::mem::take(&mut self.gathered);
        // After an error nothing more is written.
        let written = self.send(&gathered)?;
        gathered.drain(..written);
        gathered.shrink_to(GATHER);
        self.gathered = gathered;
        Ok(())
    }

    /// Writes the complete buffer.
    pub fn finish(&mut self) -> Result<()> {
        while !self.gathered.is_empty() {
            self.flush()?;
        }
        Ok(())
    }

    /// To be polled without requested events: it becomes ready when the reader has exited.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.reopened.unwrap_or(self.stdout.as_fd())
    }

    /// Writes bytes and returns their number: all, unless a stop has just been requested.
    fn send(&mut self, bytes: &[u8]) -> Result<usize> {
        let (mut written, mut since) = (0, None);
        while written < bytes.len() {
            match self.write(&bytes[written..]) {
                Ok(0) => return Err(Failure::stdout(io::ErrorKind::WriteZero.into())),
                Ok(count) => (written, since) = (written + count, None),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let asked = self.asked;
                    self.wait(*since.get_or_insert_with(Instant::now))?;
                    if self.asked && !asked {
                        return Ok(written);
                    }
                }
                Err(error) => return Err(Failure::stdout(error.into())),
            }
        }
        Ok(written)
    }

    fn write(&self, bytes: &[u8]) -> rustix::io::Result<usize> {
        let room = || poll::ready(&[(self.as_fd(), PollFlags::OUT)], Some(Duration::ZERO)).contains(&true);
        match (self.socket, self.may_block) {
            (true, _) => rustix::net::send(self.as_fd(), bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            (_, true) if !room() => Err(Errno::AGAIN),
            (_, true) => rustix::io::write(self.as_fd(), &bytes[..bytes.len().min(ATOMIC)]),
            _ => rustix::io::write(self.as_fd(), bytes),
        }
    }

    /// Waits until stdout, not writable since this time, is writable or a stop is requested; after
    /// a stop it fails after a time.
    fn wait(&mut self, since: Instant) -> Result<()> {
        let fds = [(self.as_fd(), PollFlags::OUT)];
        match &self.ends {
            None => drop(poll::ready(&fds, None)),
            Some((stop, deadline)) if !self.asked => {
                let woken = stop.wait(*deadline, &fds);
                self.asked = !matches!(woken, Woken::Ready(_));
            }
            Some(_) => {
                let left = (since + PATIENCE).saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Failure::failed(format!(
                        "stdout: the reader took nothing for {} s after the request to end; the rest is lost",
                        PATIENCE.as_secs()
                    )));
                }
                poll::ready(&fds, Some(left));
            }
        }
        Ok(())
    }
}
