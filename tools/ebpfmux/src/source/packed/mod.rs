//! Compressed files, one after the other, as one stream. Damaged and missing parts are reported, and
//! the rest is read.

mod gz;
mod seek;
mod zst;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::note::note;
use crate::record::recording;
use crate::record::timestamp::Nanos;
use gz::Gz;
use zst::Zst;

/// The number of faults of a source that are reported one by one; others are counted.
const REPORTED: u32 = 10;

/// The number of bytes needed to detect the compression of a file.
pub const MAGIC_LEN: usize = 4;

/// Compressed files.
pub struct Packed {
    /// The current one.
    open: Option<(Decoder, PathBuf)>,
    rest: VecDeque<Part>,
    /// Whether the last byte returned was a line end.
    line_ended: bool,
    /// The number of faults found.
    faults: u32,
}

/// One of the files.
struct Part {
    path: PathBuf,
    /// Its descriptor, if it is open already.
    file: Option<File>,
    /// A message about files missing before it.
    missing: Option<String>,
}

enum Decoder {
    Zst(Box<Zst>),
    Gz(Box<Gz>),
}

/// The result of a read.
enum Step {
    /// The number of bytes read.
    Bytes(usize),
    /// A fault; reading may continue after it.
    Fault(Fault),
    /// The end of the file.
    End,
}

/// A fault of a file.
enum Fault {
    /// These bytes are left out. `altered` is whether content already passed on may be wrong.
    Damaged { from: u64, to: u64, why: String, altered: bool },
    /// It ends too early, at this byte.
    Cut { at: u64 },
}

impl Packed {
    /// A file that is open; `None` if neither its first bytes nor its name are those of a compressed
    /// file.
    ///
    /// # Errors
    /// If its descriptor cannot be duplicated.
    pub fn file(path: &Path, file: &File, magic: &[u8]) -> io::Result<Option<Self>> {
        // Damage can be in the first bytes, too.
        if !zst::begins(magic) && !gz::begins(magic) && recording::number(path).is_none() {
            return Ok(None);
        }
        let part = Part { path: path.to_owned(), file: Some(file.try_clone()?), missing: None };
        Ok(Some(Self::new([part].into())))
    }

    /// The files of a recording; `None` if there are none.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn recording(folder: &Path) -> io::Result<Option<Self>> {
        let files = recording::files(folder)?;
        let before = [None].into_iter().chain(files.iter().map(|(number, _)| Some(*number)));
        let missing = before.zip(&files).map(|(before, (number, _))| {
            Some(format!("{}: {}", folder.display(), recording::missing(before?, *number)?))
        });
        let missing: Vec<_> = missing.collect();
        let parts = files.into_iter().zip(missing);
        let parts: VecDeque<_> =
            parts.map(|((_, path), missing)| Part { path, file: None, missing }).collect();
        Ok((!parts.is_empty()).then(|| Self::new(parts)))
    }

    /// Leaves out what comes before the last frame that is not later than this time: earlier records. To be called before
    /// anything is read.
    pub fn seek(&mut self, time: Nanos) {
        let first = |at: usize| {
            let part: &Part = self.rest.get(at)?;
            seek::first_time(&open(&part.path).ok()?, 0).ok().flatten()
        };
        // A file alone may be at any offset.
        if self.rest.iter().any(|part| part.file.is_some()) {
            return;
        }
        let at = seek::first_file(self.rest.len(), time, first);
        self.rest.drain(..at);
        let Some(part) = self.rest.front_mut() else { return };
        part.missing = None;
        // What is wrong with it is told when it is read.
        let Ok(mut file) = open(&part.path) else { return };
        let from = seek::first_frame(&file, time).unwrap_or(0);
        if io::Seek::seek(&mut file, io::SeekFrom::Start(from)).is_ok() {
            part.file = Some(file);
        }
    }

    fn new(rest: VecDeque<Part>) -> Self {
        Self { open: None, rest, line_ended: true, faults: 0 }
    }

    /// Whether a fault was found so far.
    pub fn faulty(&self) -> bool {
        self.faults > 0
    }

    /// Continues reading; 0 is the end. Faults have been reported.
    pub fn read(&mut self, bytes: &mut [u8]) -> usize {
        loop {
            let Some((decoder, path)) = &mut self.open else {
                let Some(part) = self.rest.pop_front() else {
                    self.report_the_rest();
                    return 0;
                };
                self.open(part);
                continue;
            };
            let step = match decoder {
                Decoder::Zst(zst) => zst.read(bytes),
                Decoder::Gz(gz) => gz.read(bytes),
            };
            let path = path.as_path();
            match step {
                Ok(Step::Bytes(count)) => {
                    self.line_ended = bytes[count - 1] == b'\n';
                    return count;
                }
                Ok(Step::Fault(Fault::Cut { at })) if recording::is_written(path) => {
                    note(&format!(
                        "{}: ends at byte {at} for now: it is still being written",
                        path.display()
                    ));
                }
                Ok(Step::Fault(fault)) => {
                    let text = fault.text(path);
                    self.fault(&text);
                }
                Ok(Step::End) => self.open = None,
                Err(error) => {
                    let text = format!("cannot read {}: {error}", path.display());
                    self.open = None;
                    self.fault(&text);
                }
            }
            // An incomplete line does not continue after a fault or in the next file.
            let more = self.open.is_some() || !self.rest.is_empty();
            if more && !std::mem::replace(&mut self.line_ended, true) {
                bytes[0] = b'\n';
                return 1;
            }
        }
    }

    fn open(&mut self, part: Part) {
        if let Some(missing) = part.missing {
            self.fault(&missing);
        }
        match part.file.map_or_else(|| open(&part.path), Ok).and_then(Decoder::new) {
            Ok(decoder) => self.open = Some((decoder, part.path)),
            Err(error) => self.fault(&format!("cannot read {}: {error}", part.path.display())),
        }
    }

    fn fault(&mut self, text: &str) {
        self.faults += 1;
        if self.faults <= REPORTED {
            note(text);
        }
    }

    fn report_the_rest(&mut self) {
        if self.faults > REPORTED {
            note(&format!("{} more places are damaged or missing", self.faults - REPORTED));
            self.faults = REPORTED;
        }
    }
}

impl Decoder {
    fn new(file: File) -> io::Result<Self> {
        let mut magic = [0; MAGIC_LEN];
        let at = rustix::fs::tell(&file)?;
        let count = rustix::io::pread(&file, &mut magic, at)?;
        Ok(match gz::begins(&magic[..count]) {
            true => Self::Gz(Box::new(Gz::new(file))),
            false => Self::Zst(Box::new(Zst::new(file)?)),
        })
    }
}

/// Opens a file of a recording. A FIFO with such a name would block.
fn open(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    }
}

impl Fault {
    fn text(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Damaged { from, to, why, altered } => {
                let altered = if *altered { ", and records before them may be altered" } else { "" };
                format!("{path} is damaged at byte {from} ({why}): bytes up to {to} are left out{altered}")
            }
            Self::Cut { at } if *at == 0 => format!("{path} was cut short: it is empty"),
            Self::Cut { at } => format!("{path} was cut short at byte {at}: its writer was killed"),
        }
    }
}
