//! SIGHUP as a wish to read the file again.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use cli::exit::{Failure, Result};
use cli::signals;
use signal_hook::consts::SIGHUP;

/// Becomes readable when SIGHUP comes.
pub struct Hangup {
    asked: UnixStream,
}

impl Hangup {
    /// Takes SIGHUP over from what ends the process, unless it is ignored. Call it after
    /// [`signals::Stop::on_signals`].
    pub fn new() -> Result<Self> {
        let failed = |error: io::Error| Failure::failed(format!("cannot handle SIGHUP: {error}"));
        let (asked, handler) = UnixStream::pair().map_err(failed)?;
        asked.set_nonblocking(true).map_err(failed)?;
        handler.set_nonblocking(true).map_err(failed)?;
        if signals::release(SIGHUP) {
            signal_hook::low_level::pipe::register(SIGHUP, handler).map_err(failed)?;
        }
        Ok(Self { asked })
    }

    /// Whether it has come since it was asked last.
    pub fn came(&mut self) -> bool {
        let mut bytes = [0; 64];
        let mut came = false;
        while self.asked.read(&mut bytes).is_ok_and(|read| read > 0) {
            came = true;
        }
        came
    }
}

impl AsFd for Hangup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.asked.as_fd()
    }
}
