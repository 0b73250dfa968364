//! Files that a user names and that are read to their end, which a FIFO or a device may not have.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Why a file was not opened.
pub enum Refused {
    /// It is something else, for a person: `a FIFO`.
    Special(&'static str),
    /// The system refused it.
    Failed(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Opens a regular file for reading.
///
/// # Errors
/// If it cannot be opened, or is not a regular file: that is not opened, or without waiting.
pub fn open(path: &Path) -> Result<File, Refused> {
    refuse_special(&fs::metadata(path)?)?;
    // It may be another one by now.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    refuse_special(&file.metadata()?)?;
    Ok(file)
}

fn refuse_special(file: &Metadata) -> Result<(), Refused> {
    let kind = file.file_type();
    Err(Refused::Special(match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }))
}
