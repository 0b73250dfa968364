//! The bytes of one source that have been read and not yet passed on.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use super::input::Input;

/// Bytes of a file's buffer, and so of the largest read: more is no faster, and many files are merged at once.
const FILE: usize = 64 << 10;

/// Bytes of a live source's buffer, which may have to hold input while the merge waits for another
/// source. Only the used part takes memory.
const LIVE: usize = 256 << 10;

/// A window onto a stream: unread bytes in the middle of a block that is filled at its end.
pub struct Buffer {
    bytes: Vec<u8>,
    /// Its size, unless a line is longer.
    chunk: usize,
    start: usize,
    end: usize,
    /// Position in the stream of `bytes[0]`.
    base: u64,
    /// Whether every unread byte is printable ASCII or a line end, so that lines need not be
    /// checked.
    plain: bool,
    /// For a live source: positions in the stream and the times when bytes up to there had arrived.
    arrivals: VecDeque<(u64, Instant)>,
}

impl Buffer {
    /// An empty buffer of a live source or a file.
    pub fn new(live: bool) -> Self {
        let chunk = if live { LIVE } else { FILE };
        let (bytes, arrivals) = (vec![0; chunk], VecDeque::new());
        Self { bytes, chunk, start: 0, end: 0, base: 0, plain: true, arrivals }
    }

    /// What has been read and not consumed.
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Where the unread bytes start, for [`Buffer::between`]; good until the next [`Buffer::fill`].
    pub fn position(&self) -> usize {
        self.start
    }

    /// The bytes between two positions.
    pub fn between(&self, from: usize, to: usize) -> &[u8] {
        &self.bytes[from..to]
    }

    /// Takes bytes off the front of the unread.
    pub fn consume(&mut self, count: usize) {
        self.start += count;
    }

    /// Whether all unread bytes are printable ASCII or line ends.
    pub fn plain(&self) -> bool {
        self.plain
    }

    /// When the first unread byte arrived, for a live source.
    pub fn arrival(&mut self) -> Option<Instant> {
        let at = self.base + self.start as u64;
        while self.arrivals.front().is_some_and(|(end, _)| *end <= at) {
            self.arrivals.pop_front();
        }
        self.arrivals.front().map(|(_, arrival)| *arrival)
    }

    /// Whether the unread bytes reach the limit of read-ahead.
    pub fn full(&self) -> bool {
        self.end - self.start > self.chunk / 4 * 3
    }

    /// Reads once; returns the number of bytes, 0 at the end of the stream. Grows if a single line fills the buffer.
    pub fn fill(&mut self, input: &mut Input, arrival: Option<Instant>) -> io::Result<usize> {
        self.make_room();
        let count = input.read(&mut self.bytes[self.end..])?;
        self.plain = (self.plain || plain(self.unread())) && plain(&self.bytes[self.end..self.end + count]);
        self.end += count;
        if let Some(arrival) = arrival.filter(|_| count > 0) {
            self.arrivals.push_back((self.base + self.end as u64, arrival));
        }
        Ok(count)
    }

    /// Appends bytes as if they had been read.
    pub fn feed(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(FILE / 4) {
            self.make_room();
            self.bytes[self.end..self.end + part.len()].copy_from_slice(part);
            self.end += part.len();
        }
        self.plain = plain(self.unread());
    }

    /// Terminates a last line without a line end.
    pub fn close_line(&mut self) {
        self.make_room();
        self.bytes[self.end] = b'\n';
        self.end += 1;
    }

    /// Moves the unread bytes to the front, so that at least a quarter of a chunk is free behind them.
    fn make_room(&mut self) {
        let unread = self.end - self.start;
        self.bytes.copy_within(self.start..self.end, 0);
        self.base += self.start as u64;
        (self.start, self.end) = (0, unread);
        if unread > self.bytes.len() / 4 * 3 {
            self.bytes.resize(self.bytes.len() * 2, 0);
        } else if unread <= self.chunk / 2 && self.bytes.len() > self.chunk {
            // The long line has been consumed: back to the size that limits the memory of many
            // sources.
            self.bytes.truncate(self.chunk);
            self.bytes.shrink_to_fit();
        }
    }
}

/// Whether all bytes are printable ASCII or line ends. It is written so that the compiler
/// vectorizes it.
pub fn plain(bytes: &[u8]) -> bool {
    let ok = |byte: &u8| ((0x20..0x7f).contains(byte)) | (*byte == b'\n');
    let mut blocks = bytes.chunks_exact(1024);
    blocks.all(|block| block.iter().fold(true, |all, byte| all & ok(byte)))
        && blocks.remainder().iter().all(ok)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in_whatever_the_reads() {
        let mut file = tempfile::tempfile().unwrap();
        let written: Vec<u8> = (0..FILE * 3 + 17).map(|i| b'a' + (i % 23) as u8).collect();
        file.write_all(&written).unwrap();
        file.rewind().unwrap();
        let (mut buffer, mut read) = (Buffer::new(false), Vec::new());
        let mut input = Input::Plain(file.into());
        while buffer.fill(&mut input, None).unwrap() > 0 {
            // Leave some unread each time, as a line across two reads does.
            let take = buffer.unread().len().saturating_sub(1000);
            read.extend_from_slice(&buffer.unread()[..take]);
            buffer.consume(take);
        }
        read.extend_from_slice(buffer.unread());
        assert_eq!(read, written);
    }

    #[test]
    fn plain_text_is_recognized() {
        assert!(plain(b"{\"a\":1}\n"));
        for odd in [&b"\0"[..], b"\xff", "ü".as_bytes(), b"\r", b"\x7f"] {
            assert!(!plain(odd));
            assert!(!plain(&[&[b'x'; 3000][..], odd].concat()));
            assert!(!plain(&[odd, &[b'x'; 3000][..]].concat()));
        }
    }
}
