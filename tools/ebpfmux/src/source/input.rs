//! Where a source's bytes come from: a descriptor, a compressed file, the files of a recording.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Advice, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::packed::{MAGIC_LEN, Packed};
use crate::record::timestamp::Nanos;

/// The bytes of a source.
pub enum Input {
    /// As they come.
    Plain(OwnedFd),
    /// Decompressed, file after file.
    Packed(Packed),
}

impl Input {
    /// Opens a file, a FIFO, or the folder of a recording. A FIFO need not have a writer yet.
    ///
    /// # Errors
    /// If it cannot be opened, or is a folder without a recording.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        if FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) == FileType::Directory {
            let none = || io::Error::other("Is a directory, without a recording (--record) in it");
            return Packed::recording(path)?.map(Self::Packed).ok_or_else(none);
        }
        Self::of(fd, path)
    }

    /// Leaves out what is earlier than this, where it can be found without reading it: of a recording.
    pub fn seek(&mut self, time: Nanos) {
        if let Self::Packed(packed) = self {
            packed.seek(time);
        }
    }

    /// What is open, by this name: a file is decompressed if its first bytes say that it is compressed.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(fd: OwnedFd, name: &Path) -> io::Result<Self> {
        if FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) != FileType::RegularFile {
            return Ok(Self::Plain(fd));
        }
        let mut magic = [0; MAGIC_LEN];
        let count = rustix::io::pread(&fd, &mut magic, rustix::fs::tell(&fd)?)?;
        let file = File::from(fd);
        if let Some(packed) = Packed::file(name, &file, &magic[..count])? {
            return Ok(Self::Packed(packed));
        }
        // Only a hint: the kernel reads further ahead.
        let _ = rustix::fs::fadvise(&file, 0, None, Advice::Sequential);
        Ok(Self::Plain(file.into()))
    }

    /// Whether it may be silent for a while: anything but a file.
    ///
    /// # Errors
    /// If the kernel does not say what it is.
    pub fn is_live(&self) -> io::Result<bool> {
        match self {
            Self::Plain(fd) => {
                Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) != FileType::RegularFile)
            }
            Self::Packed(_) => Ok(false),
        }
    }

    /// What to wait on, if it is to be waited on.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Plain(fd) => Some(fd.as_fd()),
            Self::Packed(_) => None,
        }
    }

    /// Whether something was found wrong with it that has been told.
    pub fn faulty(&self) -> bool {
        matches!(self, Self::Packed(packed) if packed.faulty())
    }

    /// Reads once; 0 is the end.
    ///
    /// # Errors
    /// If it cannot be read. Of compressed files that has been told, and the rest is read.
    pub fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(fd) => loop {
                match rustix::io::read(&*fd, &mut *bytes) {
                    Ok(count) => return Ok(count),
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            },
            Self::Packed(packed) => Ok(packed.read(bytes)),
        }
    }
}
