//! Reads a zstd file frame by frame. A damaged frame is left out, and the next one is read.

use std::fs::File;
use std::io::{self, Seek};
use std::os::unix::fs::FileExt;

use memchr::memmem;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::{Fault, Step};
use crate::record::recording::FRAME;

/// The magic number of a frame (RFC 8878, 3.1.1).
pub const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The magic number of a skippable frame without its first byte, which is 0x50 to 0x5f (RFC 8878,
/// 3.1.2).
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The bit of the frame header descriptor that announces a checksum (RFC 8878, 3.1.1.1.1.5).
const CHECKSUM: u8 = 1 << 2;

/// The number of bytes read at once.
const CHUNK: usize = 128 << 10;

/// The maximum size of a block (RFC 8878, 3.1.1.2.4). A damaged block may extend this far into the
/// next frames.
const BLOCK: u64 = 128 << 10;

/// The number of damaged places after which the rest of a file is left out, to bound the time spent
/// searching for frames.
const DAMAGED: u32 = 1000;

/// A reader of a zstd file.
pub struct Zst {
    file: File,
    decoder: Decoder<'static>,
    /// Compressed bytes of the file; those before `next` are decoded.
    bytes: Vec<u8>,
    next: usize,
    /// The offset of `bytes` in the file.
    base: u64,
    frame: Option<Frame>,
    /// The content of a frame that is kept, and how much of it has been returned.
    content: Vec<u8>,
    given: usize,
    /// A fault to report after the content has been returned.
    fault: Option<Fault>,
    damaged: u32,
}

/// The current frame.
struct Frame {
    /// Its offset in the file.
    at: u64,
    /// Whether its content is kept until its checksum has been verified.
    kept: bool,
}

impl Zst {
    /// Reads a file from its current offset.
    ///
    /// # Errors
    /// If it is no file, or there is no memory to decompress in.
    pub fn new(mut file: File) -> io::Result<Self> {
        let base = file.stream_position()?;
        let empty = file.metadata()?.len() == base;
        Ok(Self {
            file,
            decoder: Decoder::new()?,
            bytes: Vec::new(),
            next: 0,
            base,
            frame: None,
            content: Vec::new(),
            given: 0,
            fault: empty.then_some(Fault::Cut { at: base }),
            damaged: 0,
        })
    }

    /// Continues reading.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(&mut self, out: &mut [u8]) -> io::Result<Step> {
        loop {
            // Nothing of a kept frame is returned before its end.
            if self.given < self.content.len() && !self.frame.as_ref().is_some_and(|frame| frame.kept) {
                let count = out.len().min(self.content.len() - self.given);
                out[..count].copy_from_slice(&self.content[self.given..self.given + count]);
                self.given += count;
                return Ok(Step::Bytes(count));
            }
            if let Some(fault) = self.fault.take() {
                return Ok(Step::Fault(fault));
            }
            let step = match self.frame {
                None => self.begin()?,
                Some(_) => self.decode(out)?,
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    fn position(&self) -> u64 {
        self.base + self.next as u64
    }

    /// Examines the beginning of the next frame.
    fn begin(&mut self) -> io::Result<Option<Step>> {
        self.given = 0;
        self.content.clear();
        while self.bytes.len() - self.next <= MAGIC.len() && self.fill()? {}
        let (at, unread) = (self.position(), &self.bytes[self.next..]);
        let skippable = is_skippable(unread);
        if skippable || unread.len() > MAGIC.len() && unread.starts_with(&MAGIC) {
            let kept = skippable || unread[MAGIC.len()] & CHECKSUM != 0;
            self.frame = Some(Frame { at, kept });
            return Ok(None);
        }
        if unread.is_empty() {
            return Ok(Some(Step::End));
        }
        if MAGIC.starts_with(unread) {
            self.next = self.bytes.len();
            return Ok(Some(Step::Fault(Fault::Cut { at: self.position() })));
        }
        let frame = Frame { at, kept: true };
        self.leave_out(&frame, at + 1, "no zstd frame").map(Some)
    }

    /// Decodes a part of the frame, into `out` if the frame is not kept.
    fn decode(&mut self, out: &mut [u8]) -> io::Result<Option<Step>> {
        let Some(frame) = &self.frame else { return Ok(None) };
        let (at, kept) = (frame.at, frame.kept);
        let filled = self.content.len();
        let out = match kept {
            false => out,
            true => {
                self.content.resize(filled + CHUNK, 0);
                &mut self.content[filled..]
            }
        };
        let (mut input, mut output) = (InBuffer::around(&self.bytes[self.next..]), OutBuffer::around(out));
        let result = self.decoder.run(&mut input, &mut output);
        let (taken, made) = (input.pos(), output.pos());
        self.next += taken;
        if kept {
            self.content.truncate(filled + made);
        }
        match result {
            Err(error) => {
                let frame = Frame { at, kept };
                let from = self.next_may_begin(&frame);
                return self.leave_out(&frame, from, &error.to_string()).map(Some);
            }
            Ok(0) => self.frame = None,
            Ok(_) if taken == 0 && made == 0 && !self.fill()? => return self.end_in(&Frame { at, kept }),
            // Too large to keep: a wrong checksum is reported after its content.
            Ok(_) => self.frame = Some(Frame { at, kept: kept && self.content.len() <= FRAME }),
        }
        Ok((!kept && made > 0).then_some(Step::Bytes(made)))
    }

    /// Handles the end of the file within a frame: the file was cut short, or, if another frame
    /// follows, this one is damaged.
    fn end_in(&mut self, frame: &Frame) -> io::Result<Option<Step>> {
        let from = self.next_may_begin(frame);
        if self.find(from)?.is_some() {
            return self.leave_out(frame, from, "it has no end").map(Some);
        }
        self.frame = None;
        self.fault = Some(Fault::Cut { at: self.position() });
        Ok(None)
    }

    /// The lowest possible offset of the frame after this one.
    fn next_may_begin(&self, frame: &Frame) -> u64 {
        let least = frame.at + MAGIC.len() as u64;
        if frame.kept { least } else { least.max(self.position().saturating_sub(BLOCK)) }
    }

    /// Leaves out a frame and continues with the first one at `from` or later.
    fn leave_out(&mut self, frame: &Frame, from: u64, why: &str) -> io::Result<Step> {
        self.damaged += 1;
        let next = if self.damaged < DAMAGED { self.find(from)? } else { None };
        let to = next.map_or_else(|| self.file.metadata().map(|meta| meta.len()), Ok)?;
        (self.frame, self.given) = (None, 0);
        self.content.clear();
        self.decoder = Decoder::new()?;
        match to.checked_sub(self.base).filter(|ahead| *ahead <= self.bytes.len() as u64) {
            Some(ahead) => self.next = ahead as usize,
            None => {
                self.bytes.clear();
                (self.base, self.next) = (to, 0);
            }
        }
        Ok(Step::Fault(Fault::Damaged { from: frame.at, to, why: why.to_owned(), altered: !frame.kept }))
    }

    /// The offset of the first frame at `from` or later.
    fn find(&self, mut from: u64) -> io::Result<Option<u64>> {
        let mut bytes = vec![0; CHUNK];
        loop {
            let count = self.file.read_at(&mut bytes, from)?;
            if let Some(at) = memmem::find(&bytes[..count], &MAGIC) {
                return Ok(Some(from + at as u64));
            }
            if count < MAGIC.len() {
                return Ok(None);
            }
            // The magic number may begin in the last three bytes.
            from += (count - MAGIC.len() + 1) as u64;
        }
    }

    /// Reads more compressed bytes; returns whether there were any.
    fn fill(&mut self) -> io::Result<bool> {
        self.bytes.drain(..self.next);
        self.base += self.next as u64;
        self.next = 0;
        let unread = self.bytes.len();
        self.bytes.resize(unread + CHUNK, 0);
        let count = self.file.read_at(&mut self.bytes[unread..], self.base + unread as u64);
        self.bytes.truncate(unread + *count.as_ref().unwrap_or(&0));
        Ok(count? > 0)
    }
}

fn is_skippable(bytes: &[u8]) -> bool {
    matches!(bytes, [first, rest @ ..] if first & 0xf0 == 0x50 && rest.starts_with(&SKIPPABLE))
}

/// Whether these are the first bytes of a zstd file.
pub fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC) || is_skippable(bytes)
}
