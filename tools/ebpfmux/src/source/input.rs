//! Where a source's bytes come from: a descriptor, a compressed file, the files of a recording.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, FileType, Mode, OFlags};
use rustix::io::Errno;
use zstd::stream::read::Decoder;

use crate::note::note;
use crate::record::recording;

/// The magic number of zstd (RFC 8878, 3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The bytes of a source.
pub enum Input {
    /// Read as they are.
    Plain(OwnedFd),
    /// Decompressed, file after file.
    Packed(Packed),
}

/// Compressed files.
pub struct Packed {
    /// The current one.
    open: Option<(Decoder<'static, BufReader<File>>, PathBuf)>,
    rest: VecDeque<PathBuf>,
    /// Whether the last byte handed out ended a line.
    line_ended: bool,
}

impl Input {
    /// Opens a file, a FIFO, or the folder of a recording. A FIFO need not have a writer yet.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        match FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) {
            FileType::Directory => {
                let files: VecDeque<_> = recording::files(path)?.into_iter().map(|(_, path)| path).collect();
                match files.is_empty() {
                    true => Err(io::Error::other("Is a directory, without a recording (--record) in it")),
                    false => Ok(Self::Packed(Packed { open: None, rest: files, line_ended: true })),
                }
            }
            FileType::RegularFile => {
                let mut magic = [0; ZSTD.len()];
                if rustix::io::pread(&fd, &mut magic, 0)? == magic.len() && magic == ZSTD {
                    let rest = VecDeque::from([path.to_owned()]);
                    return Ok(Self::Packed(Packed { open: None, rest, line_ended: true }));
                }
                // Only a hint: the kernel reads further ahead.
                let _ = rustix::fs::fadvise(&fd, 0, None, Advice::Sequential);
                Ok(Self::Plain(fd))
            }
            _ => Ok(Self::Plain(fd)),
        }
    }

    /// Whether it may be silent for a while: anything except a file.
    pub fn is_live(&self) -> io::Result<bool> {
        match self {
            Self::Plain(fd) => {
                Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) != FileType::RegularFile)
            }
            Self::Packed(_) => Ok(false),
        }
    }

    /// The descriptor to poll, if it is live.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Plain(fd) => Some(fd.as_fd()),
            Self::Packed(_) => None,
        }
    }

    /// Reads once; 0 is the end.
    pub fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(fd) => loop {
                match rustix::io::read(&*fd, &mut *bytes) {
                    Ok(count) => return Ok(count),
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            },
            Self::Packed(packed) => packed.read(bytes),
        }
    }
}

impl Packed {
    /// Continues reading. A truncated file ends where it cannot be read further, with its
    /// incomplete line.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some((decoder, path)) = &mut self.open else {
                let Some(path) = self.rest.pop_front() else { return Ok(0) };
                self.open = Some((Decoder::new(File::open(&path)?)?, path));
                continue;
            };
            let count = match decoder.read(bytes) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    note(&format!("{} was cut short: its writer was killed, or still runs", path.display()));
                    0
                }
                Err(error) => {
                    let at = path.display().to_string();
                    self.open = None;
                    return Err(io::Error::other(format!("{at}: {error}")));
                }
            };
            if count > 0 {
                self.line_ended = bytes[count - 1] == b'\n';
                return Ok(count);
            }
            self.open = None;
            if !std::mem::replace(&mut self.line_ended, true) && !self.rest.is_empty() {
                bytes[0] = b'\n';
                return Ok(1);
            }
        }
    }
}
