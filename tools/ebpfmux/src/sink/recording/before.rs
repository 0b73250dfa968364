//! The records of the last while, compressed in memory: what a trigger wants recorded of the time before it.

use std::collections::VecDeque;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

use crate::record::timestamp::Nanos;

/// The fastest that is worth it: a sixth of the size of records, at some 400 MB a second.
const LEVEL: i32 = 1;
/// The size at which a block is compressed, in bytes, unless a single line is longer.
const BLOCK: usize = 256 << 10;

/// The last records.
pub struct Before {
    /// How long they are kept.
    span: Nanos,
    /// The maximum number of bytes of all blocks.
    room: usize,
    /// The oldest first.
    blocks: VecDeque<Block>,
    /// The sum of their bytes.
    bytes: usize,
    /// The block that is filled.
    open: Block,
    /// The newest time that was forgotten for lack of room.
    forgotten: Option<Nanos>,
    compressor: Compressor<'static>,
    decompressor: Decompressor<'static>,
    /// A block, decompressed.
    content: Vec<u8>,
}

/// Records that followed one another.
struct Block {
    /// Each line behind its time and its length; compressed unless it is the open one.
    content: Vec<u8>,
    /// Its length before that.
    length: usize,
    /// The earliest and the latest time in it.
    times: (Nanos, Nanos),
}

impl Block {
    fn new() -> Self {
        Self { content: Vec::new(), length: 0, times: (Nanos::MAX, Nanos::MIN) }
    }
}

impl Before {
    /// Keeps records for this long, within so many bytes.
    ///
    /// # Errors
    /// If there is not enough memory to compress.
    pub fn new(span: Nanos, room: usize) -> io::Result<Self> {
        Ok(Self {
            span,
            room,
            blocks: VecDeque::new(),
            bytes: 0,
            open: Block::new(),
            forgotten: None,
            compressor: Compressor::new(LEVEL)?,
            decompressor: Decompressor::new()?,
            content: Vec::new(),
        })
    }

    /// Keeps a record, and forgets those for which it is too late.
    ///
    /// # Errors
    /// If there is not enough memory to compress.
    pub fn take(&mut self, time: Nanos, line: &[u8]) -> io::Result<()> {
        if self.open.content.len() + line.len() > BLOCK && !self.open.content.is_empty() {
            self.close()?;
        }
        // A line is bounded by the source, far below this.
        let length = u32::try_from(line.len()).map_err(io::Error::other)?;
        let Block { content, times, .. } = &mut self.open;
        content.extend_from_slice(&time.to_ne_bytes());
        content.extend_from_slice(&length.to_ne_bytes());
        content.extend_from_slice(line);
        *times = (times.0.min(time), times.1.max(time));
        self.forget(time);
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let open = std::mem::replace(&mut self.open, Block::new());
        let mut content = self.compressor.compress(&open.content)?;
        content.shrink_to_fit();
        self.bytes += content.len();
        self.blocks.push_back(Block { length: open.content.len(), content, times: open.times });
        while self.bytes > self.room
            && let Some(block) = self.blocks.pop_front()
        {
            self.bytes -= block.content.len();
            self.forgotten = self.forgotten.max(Some(block.times.1));
        }
        Ok(())
    }

    /// Forgets what is too old at this time, or, after a step of the clock, of a time to come.
    fn forget(&mut self, now: Nanos) {
        let (from, to) = (now.saturating_sub(self.span), now.saturating_add(self.span));
        let is_old = |block: &Block| block.times.1 < from || to < block.times.0;
        while self.blocks.front().is_some_and(is_old)
            && let Some(block) = self.blocks.pop_front()
        {
            self.bytes -= block.content.len();
        }
    }

    /// Hands over the lines of the span before this time and up to another, and forgets what is older. Returns the time of
    /// the latest record of the span that was forgotten for lack of room.
    ///
    /// # Errors
    /// If there is not enough memory to decompress.
    pub fn hand_over(
        &mut self,
        now: Nanos,
        until: Nanos,
        mut to: impl FnMut(&[u8]),
    ) -> io::Result<Option<Nanos>> {
        let from = now.saturating_sub(self.span);
        // Records are mostly in order, so there are few of these.
        let mut later = Vec::new();
        let mut pass_on = |content: &[u8]| {
            for (time, line) in (Lines { content }) {
                match time {
                    _ if time > until => later.push((time, line.to_vec())),
                    _ if time >= from => to(line),
                    _ => {}
                }
            }
        };
        self.bytes = 0;
        for block in std::mem::take(&mut self.blocks) {
            self.content.clear();
            self.content.reserve(block.length);
            self.decompressor.decompress_to_buffer(&block.content, &mut self.content)?;
            pass_on(&self.content);
        }
        let open = std::mem::replace(&mut self.open, Block::new());
        pass_on(&open.content);
        later.iter().try_for_each(|(time, line)| self.take(*time, line))?;
        Ok(self.forgotten.take().filter(|forgotten| from <= *forgotten))
    }
}

/// The times and the lines of a block.
struct Lines<'a> {
    content: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = (Nanos, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (time, rest) = self.content.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (line, rest) = rest.split_at_checked(u32::from_ne_bytes(*length) as usize)?;
        self.content = rest;
        Some((Nanos::from_ne_bytes(*time), line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    fn line(n: Nanos) -> Vec<u8> {
        format!("{{\"n\":{n},\"x\":{}}}\n", n.wrapping_mul(6_364_136_223_846_793_005)).into_bytes()
    }

    #[test]
    fn the_last_while_is_handed_over_once() {
        let mut before = Before::new(10 * SECOND, 1 << 30).unwrap();
        // 100 000 records of 100 s: the last 10 s and the one at their beginning are 10 001.
        for n in 0..100_000 {
            before.take(n * SECOND / 1000, &line(n)).unwrap();
        }
        assert!(before.bytes < 10_001 * 40 + 2 * BLOCK, "{}", before.bytes);
        let mut lines = Vec::new();
        let lost = before
            .hand_over(99_999 * SECOND / 1000, 99_999 * SECOND / 1000, |line| lines.push(line.to_vec()))
            .unwrap();
        let expected: Vec<_> = (89_999..100_000).map(line).collect();
        assert!(lines == expected, "{} lines", lines.len());
        assert_eq!(lost, None);
        before.hand_over(100 * SECOND, 200 * SECOND, |_| panic!("nothing is left")).unwrap();
    }

    #[test]
    fn what_has_no_room_is_told() {
        let mut before = Before::new(1000 * SECOND, 64 << 10).unwrap();
        for n in 0..100_000 {
            before.take(n * SECOND / 1000, &line(n)).unwrap();
            assert!(before.bytes <= 64 << 10);
        }
        let mut first = None;
        let lost = before
            .hand_over(100 * SECOND, 100 * SECOND, |line| _ = first.get_or_insert(line.to_vec()))
            .unwrap();
        let lost = lost.unwrap() / (SECOND / 1000);
        assert_eq!(first.unwrap(), line(lost + 1), "the one behind the latest that was forgotten");
    }

    #[test]
    fn times_to_come_are_forgotten_after_a_step_back() {
        let mut before = Before::new(10 * SECOND, 1 << 30).unwrap();
        for n in 0..20_000 {
            before.take(3600 * SECOND + n, &line(n)).unwrap();
        }
        before.take(SECOND, &line(1)).unwrap();
        assert_eq!((before.bytes, before.blocks.len()), (0, 0));
        let mut lines = Vec::new();
        before.hand_over(SECOND, SECOND, |line| lines.push(line.to_vec())).unwrap();
        assert_eq!(lines, [line(1)]);
    }

    #[test]
    fn what_came_too_early_stays() {
        let mut before = Before::new(10 * SECOND, 1 << 30).unwrap();
        for n in [1, 3, 2] {
            before.take(n * SECOND, &line(n)).unwrap();
        }
        for (until, expected) in [(2, vec![line(1), line(2)]), (3, vec![line(3)])] {
            let mut lines = Vec::new();
            before.hand_over(2 * SECOND, until * SECOND, |line| lines.push(line.to_vec())).unwrap();
            assert_eq!(lines, expected);
        }
    }
}
