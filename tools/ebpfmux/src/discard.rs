//! `-o none`: what would be written to stdout is discarded.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;

use cli::exit::{Exit, Result};
use cli::shortage;

/// Replaces stdout by /dev/null, which takes records at no cost and whose reader never goes.
///
/// # Errors
/// If /dev/null cannot be opened.
pub fn stdout() -> Result<()> {
    let failed = |error: io::Error| shortage::failure(Exit::Failed, "-o none: cannot open /dev/null", &error);
    let null = OpenOptions::new().write(true).open("/dev/null").map_err(failed)?;
    // SAFETY: both descriptors are open, and nothing has been written to stdout yet.
    match unsafe { libc::dup2(null.as_raw_fd(), libc::STDOUT_FILENO) } {
        -1 => Err(failed(io::Error::last_os_error())),
        _ => Ok(()),
    }
}
