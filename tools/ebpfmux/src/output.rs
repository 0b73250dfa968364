//! stdout: gathered into large writes, and never left waiting in a buffer when the merge rests.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use common::exit::{Failure, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Bytes gathered before a write.
const GATHER: usize = 256 << 10;

/// A pipe of this size lets the reader work while the merge goes on; it is what an ordinary user may ask for.
const PIPE: usize = 1 << 20;

/// The buffered standard output.
pub struct Output {
    stdout: io::Stdout,
    gathered: Vec<u8>,
}

impl Output {
    /// The process's stdout.
    pub fn stdout() -> Self {
        let stdout = io::stdout();
        // Refused where stdout is no pipe, or the user's share of pipe memory is used up: the size there is will do.
        let _ = rustix::pipe::fcntl_setpipe_size(&stdout, PIPE);
        Self { stdout, gathered: Vec::with_capacity(GATHER) }
    }

    /// Adds bytes, writing when enough are gathered. Fails when stdout does, with status 0 if its reader has gone.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        if self.gathered.len() + bytes.len() > GATHER {
            self.flush()?;
        }
        if bytes.len() >= GATHER {
            return write_all(self.stdout.as_fd(), bytes);
        }
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes what is gathered.
    pub fn flush(&mut self) -> Result<()> {
        let written = write_all(self.stdout.as_fd(), &self.gathered);
        self.gathered.clear();
        written
    }

    /// To be waited on without asking for an event: it becomes ready when the reader has gone.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.stdout.as_fd()
    }
}

fn write_all(stdout: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(stdout, bytes) {
            Ok(0) => return Err(Failure::stdout(io::ErrorKind::WriteZero.into())),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            // Somebody who shares this pipe made it non-blocking: a slow reader is waited for all the same.
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::from_borrowed_fd(stdout, PollFlags::OUT)], None);
            }
            Err(error) => return Err(Failure::stdout(error.into())),
        }
    }
    Ok(())
}
