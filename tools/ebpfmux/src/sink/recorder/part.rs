//! One file of a recording: zstd frames of complete records, each with a checksum of its content.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use memchr::memchr_iter;
use zstd::stream::raw::{CParameter, Encoder, InBuffer, Operation, OutBuffer};

use crate::record::recording::FRAME;

/// zstd's own default: a fifth of the size, at some 150 MB a second.
const LEVEL: i32 = 3;

/// The binary logarithm of [`FRAME`], which bounds the memory of a reader.
const WINDOW: u32 = FRAME.trailing_zeros();

/// The maximum time that a frame covers: a damaged frame is lost as a whole.
const FRAME_AGE: Duration = Duration::from_secs(60);

/// The number of compressed bytes gathered before a write.
const GATHER: usize = 64 << 10;

/// The maximum time that records stay in memory. With the time to write them it is a second.
const FLUSH: Duration = Duration::from_millis(800);

/// The current file.
pub struct Part {
    /// Its path.
    pub path: PathBuf,
    /// When it was created.
    pub since: Instant,
    /// When unflushed records must be flushed.
    pub due: Option<Instant>,
    /// The number of records that cannot be read back if the process is killed now.
    pub unflushed: u64,
    /// The number of records added.
    pub records: u64,
    file: File,
    encoder: Encoder<'static>,
    /// Compressed bytes not yet written.
    out: Vec<u8>,
    /// The number of bytes written.
    bytes: u64,
    /// The number of bytes up to the last flush, which can be read back.
    good: u64,
    /// The number of uncompressed bytes in the current frame, and when it was begun.
    content: usize,
    begun: Instant,
}

impl Part {
    /// Writes to an empty file.
    ///
    /// # Errors
    /// If there is not enough memory to compress.
    pub fn new(file: File, path: PathBuf) -> io::Result<Self> {
        let mut encoder = Encoder::new(LEVEL)?;
        encoder.set_parameter(CParameter::ChecksumFlag(true))?;
        encoder.set_parameter(CParameter::WindowLog(WINDOW))?;
        let now = Instant::now();
        Ok(Self {
            path,
            since: now,
            due: None,
            unflushed: 0,
            records: 0,
            file,
            encoder,
            out: Vec::with_capacity(GATHER),
            bytes: 0,
            good: 0,
            content: 0,
            begun: now,
        })
    }

    /// Its size on disk.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds complete records, as lines.
    ///
    /// # Errors
    /// If they cannot be written. Then call [`Part::give_up`].
    pub fn push(&mut self, lines: &[u8], now: Instant) -> io::Result<()> {
        let count = records(lines);
        self.unflushed += count;
        self.records += count;
        self.due.get_or_insert(now + FLUSH);
        if self.content > 0 && self.content + lines.len() > FRAME {
            self.end_frame(count)?;
        }
        if self.content == 0 {
            self.begun = now;
        }
        self.content += lines.len();
        let mut input = InBuffer::around(lines);
        while input.pos() < lines.len() {
            self.step(|encoder, out| encoder.run(&mut input, out))?;
        }
        Ok(())
    }

    /// Writes all records added so far, so that a reader of the file finds them.
    ///
    /// # Errors
    /// If they cannot be written, or the file was removed. Then call [`Part::give_up`].
    pub fn flush(&mut self, now: Instant) -> io::Result<()> {
        if self.begun + FRAME_AGE <= now {
            self.end_frame(0)?;
        } else if self.content > 0 {
            while self.step(Encoder::flush)? > 0 {}
            self.write_out()?;
            self.safe(0);
        }
        self.due = None;
        self.still_there()
    }

    fn still_there(&mut self) -> io::Result<()> {
        match rustix::fs::fstat(&self.file)?.st_nlink {
            0 => {
                self.unflushed = self.records;
                Err(io::Error::other("it was removed"))
            }
            _ => Ok(()),
        }
    }

    /// Ends the file and syncs it to disk.
    ///
    /// # Errors
    /// If that fails. Then call [`Part::give_up`].
    pub fn finish(&mut self) -> io::Result<()> {
        // A file without a frame would look truncated.
        if self.content > 0 || self.bytes == 0 {
            self.end_frame(0)?;
        }
        self.still_there()?;
        // Some file systems report a full disk only now.
        self.file.sync_all().inspect_err(|_| self.unflushed = self.records)
    }

    /// Truncates the file after an error to what can be read back. Returns whether that is anything.
    pub fn give_up(self) -> bool {
        // If this fails, a reader reports that the file was cut short.
        let _ = self.file.set_len(self.good);
        self.good > 0
    }

    /// Ends the frame. `after` is the number of added records that are not in it.
    fn end_frame(&mut self, after: u64) -> io::Result<()> {
        while self.step(|encoder, out| encoder.finish(out, true))? > 0 {}
        self.write_out()?;
        self.encoder.reinit()?;
        self.content = 0;
        self.safe(after);
        Ok(())
    }

    fn safe(&mut self, after: u64) {
        (self.good, self.unflushed) = (self.bytes, after);
    }

    /// Performs one step of the encoder and writes the output if it is large enough. Returns the
    /// result of the step.
    fn step(
        &mut self,
        step: impl FnOnce(&mut Encoder<'static>, &mut OutBuffer<'_, [u8]>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let filled = self.out.len();
        self.out.resize(filled + GATHER, 0);
        let mut out = OutBuffer::around(&mut self.out[filled..]);
        let result = step(&mut self.encoder, &mut out);
        let made = out.pos();
        self.out.truncate(filled + made);
        let left = result?;
        if self.out.len() >= GATHER {
            self.write_out()?;
        }
        Ok(left)
    }

    fn write_out(&mut self) -> io::Result<()> {
        let mut written = 0;
        let mut outcome = Ok(());
        while written < self.out.len() && outcome.is_ok() {
            match self.file.write(&self.out[written..]) {
                Ok(0) => outcome = Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => outcome = Err(error),
            }
        }
        self.bytes += written as u64;
        self.out.clear();
        outcome
    }
}

/// The number of records in these lines.
pub fn records(lines: &[u8]) -> u64 {
    memchr_iter(b'\n', lines).count() as u64
}
