//! stdout: gathered into large writes, and never left waiting in a buffer when the merge rests.
//!
//! A reader that is slow is waited for, for ever. One that still reads nothing [`PATIENCE`] after the end was asked for
//! does not keep the merge from ending. So no write may block: a pipe or terminal is opened anew for that, because
//! other processes write to the same description of it and expect theirs to block.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use cli::exit::{Failure, Result};
use cli::signals::{Stop, Woken};
use rustix::event::PollFlags;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::poll;

/// Bytes gathered before a write.
const GATHER: usize = 128 << 10;

/// A pipe of this size lets the reader work while the merge goes on; it is what an ordinary user may ask for.
const PIPE: usize = 1 << 20;

/// So long a reader may take nothing once the end has been asked for: as long as commands are given to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The buffered standard output.
pub struct Output {
    stdout: io::Stdout,
    /// The same pipe or terminal, opened so that a write does not block.
    anew: Option<OwnedFd>,
    socket: bool,
    gathered: Vec<u8>,
    /// What asks for the end, and when it comes of itself.
    ends: Option<(Stop, Option<Instant>)>,
    /// Whether it was asked for while stdout took nothing.
    asked: bool,
}

impl Output {
    /// The process's stdout.
    pub fn stdout() -> Self {
        let stdout = io::stdout();
        // Refused where stdout is no pipe, or the user's share of pipe memory is used up: the size there is will do.
        let _ = rustix::pipe::fcntl_setpipe_size(&stdout, PIPE);
        let kind = rustix::fs::fstat(&stdout).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        // Refused where /proc is not mounted, or the pipe is another user's: then a write may block.
        let anew = (kind == Ok(FileType::Fifo) || rustix::termios::isatty(&stdout))
            .then(|| rustix::fs::open("/proc/self/fd/1", flags, Mode::empty()).ok())
            .flatten();
        let socket = kind == Ok(FileType::Socket);
        Self { stdout, anew, socket, gathered: Vec::with_capacity(GATHER), ends: None, asked: false }
    }

    /// From now on a reader that takes nothing does not keep the merge from ending when it is asked to, or at `deadline`.
    pub fn heed(&mut self, stop: Stop, deadline: Option<Instant>) {
        self.ends = Some((stop, deadline));
    }

    /// Whether the end was asked for while stdout took nothing: what is left is still to be written, but for the merge
    /// there is something else to do first.
    pub fn asked(&self) -> bool {
        self.asked
    }

    /// Adds bytes, writing when enough are gathered. Fails when stdout does, with status 0 if its reader has gone.
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

    /// Writes what is gathered. Returns early, once, when the end is asked for while stdout takes nothing.
    pub fn flush(&mut self) -> Result<()> {
        let mut gathered = std::mem::take(&mut self.gathered);
        // What stdout has refused is not offered again.
        let written = self.send(&gathered)?;
        gathered.drain(..written);
        gathered.shrink_to(GATHER);
        self.gathered = gathered;
        Ok(())
    }

    /// Writes all that is gathered.
    pub fn finish(&mut self) -> Result<()> {
        while !self.gathered.is_empty() {
            self.flush()?;
        }
        Ok(())
    }

    /// To be waited on without asking for an event: it becomes ready when the reader has gone.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.anew.as_ref().map_or(self.stdout.as_fd(), AsFd::as_fd)
    }

    /// Writes bytes and says how many: all, unless the end has just been asked for.
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
        match self.socket {
            true => rustix::net::send(self.as_fd(), bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            false => rustix::io::write(self.as_fd(), bytes),
        }
    }

    /// Waits until stdout, which has taken nothing since then, takes more, or the end is asked for; from then on only
    /// for a while, after which it fails.
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
