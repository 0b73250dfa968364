//! `--record`: the merged stream on disk, compressed, in files that follow one another.
//!
//! Each file is one zstd stream of complete records in NDJSON. It is flushed at least once a
//! second, so that at most the last second is lost if the writer is killed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cli::exit::{Failure, Result};
use zstd::stream::AutoFinishEncoder;
use zstd::stream::write::Encoder;

use crate::record::recording::{SUFFIX, files};

/// The maximum time that records stay in memory.
const FLUSH: Duration = Duration::from_secs(1);

/// zstd's own default: a fifth of the size, at some 150 MB a second.
const LEVEL: i32 = 3;

/// When the next file is begun, and how many are kept.
#[derive(Clone, Copy)]
pub struct Rotation {
    /// The size on disk at which a file is full.
    pub bytes: u64,
    /// The time after which the next file is begun.
    pub age: Duration,
    /// The maximum number of files; the oldest are removed.
    pub keep: Option<usize>,
}

/// The current recording.
pub struct Recorder {
    folder: PathBuf,
    rotation: Rotation,
    next: u64,
    open: Option<Open>,
}

/// The current file; dropping it finishes the zstd stream.
struct Open {
    encoder: AutoFinishEncoder<'static, CountingFile>,
    path: PathBuf,
    since: Instant,
    /// When unflushed records must be flushed.
    due: Option<Instant>,
}

/// A file and the number of bytes written to it.
struct CountingFile {
    file: File,
    bytes: u64,
}

impl Write for CountingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Recorder {
    /// Records into a folder, which is created if it does not exist; an existing recording is
    /// continued.
    pub fn new(folder: &Path, rotation: Rotation) -> Result<Self> {
        let refused = |error: io::Error| {
            Failure::usage(format!(
                "--record: cannot use {}: {error}; name a folder to write to",
                folder.display()
            ))
        };
        fs::create_dir_all(folder).map_err(refused)?;
        let next = files(folder).map_err(refused)?.last().map_or(1, |(number, _)| number + 1);
        let mut recorder = Self { folder: folder.to_owned(), rotation, next, open: None };
        // An unwritable folder is reported at once, not with the first record.
        recorder.open().map_err(refused)?;
        Ok(recorder)
    }

    fn open(&mut self) -> io::Result<()> {
        let path = self.folder.join(format!("{:08}{SUFFIX}", self.next));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        self.next += 1;
        let encoder = Encoder::new(CountingFile { file, bytes: 0 }, LEVEL)?.auto_finish();
        self.open = Some(Open { encoder, path, since: Instant::now(), due: None });
        if let Some(keep) = self.rotation.keep {
            let files = files(&self.folder)?;
            for (_, path) in files.iter().take(files.len().saturating_sub(keep.max(1))) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Adds complete records, as lines.
    pub fn push(&mut self, lines: &[u8]) -> Result<()> {
        self.try_push(lines).map_err(|error| self.failure(&error))
    }

    fn try_push(&mut self, lines: &[u8]) -> io::Result<()> {
        let now = Instant::now();
        let Rotation { bytes, age, .. } = self.rotation;
        if self
            .open
            .as_ref()
            .is_none_or(|open| open.encoder.get_ref().bytes >= bytes || open.since + age <= now)
        {
            self.open = None;
            self.open()?;
        }
        if let Some(open) = &mut self.open {
            open.encoder.write_all(lines)?;
            open.due.get_or_insert(now + FLUSH);
        }
        self.try_flush(now)
    }

    fn try_flush(&mut self, now: Instant) -> io::Result<()> {
        match &mut self.open {
            Some(open) if open.due.is_some_and(|due| due <= now) => {
                open.due = None;
                open.encoder.flush()
            }
            _ => Ok(()),
        }
    }

    /// Flushes if it is due.
    pub fn flush(&mut self) -> Result<()> {
        self.try_flush(Instant::now()).map_err(|error| self.failure(&error))
    }

    /// When [`Recorder::flush`] is due.
    pub fn due(&self) -> Option<Instant> {
        self.open.as_ref().and_then(|open| open.due)
    }

    fn failure(&self, error: &io::Error) -> Failure {
        let path = self.open.as_ref().map_or(&self.folder, |open| &open.path);
        Failure::failed(format!("--record: cannot write to {}: {error}", path.display()))
    }
}
