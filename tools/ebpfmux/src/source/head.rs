//! The head of a source: its next record, which is found, waited for, and taken.

use std::time::Instant;

use cli::exit::Result;

use super::Source;
use super::buffer::Buffer;
use super::lines::{Format, Found, line_ends};
use super::reorder::HeldRecord;
use crate::record::timestamp::Nanos;

impl Source {
    /// The time of the head, by which it takes its turn.
    pub fn time(&self) -> Option<Nanos> {
        match &self.reorder {
            None => self.head.map(|(time, _)| time),
            Some(reorder) => reorder.first().map(|held| held.place),
        }
    }

    /// Records up to this time need not wait for this source; `None` if it sets no limit.
    pub fn frontier(&self) -> Option<Nanos> {
        if !self.is_live() {
            return None;
        }
        match &self.reorder {
            None => self.head.is_none().then_some(self.newest),
            Some(reorder) => {
                (!reorder.certain(self.newest)).then(|| self.newest.saturating_sub(self.lateness()))
            }
        }
    }

    fn lateness(&self) -> Nanos {
        Nanos::try_from(self.rules.lateness.as_nanos()).unwrap_or(Nanos::MAX)
    }

    /// When the head arrived, if it came from a live source.
    pub fn arrival(&mut self) -> Option<Instant> {
        match &self.reorder {
            None => self.buffer.arrival(),
            Some(reorder) => reorder.first().and_then(|held| held.arrival),
        }
    }

    /// Finds the next head in what has been read; continues reading if the source is a file.
    pub fn advance(&mut self) -> Result<()> {
        loop {
            let enough = match &self.reorder {
                None => self.head.is_some() || self.find()?,
                Some(reorder) => reorder.certain(self.newest) || self.hold()?,
            };
            if enough || self.live || self.input.is_none() {
                return Ok(());
            }
            self.read();
        }
    }

    /// Searches for a head in the read buffer only.
    pub fn find(&mut self) -> Result<bool> {
        loop {
            match self.lines.next(&self.buffer, self.input.is_none()) {
                Found::Record(time, len) if !self.rules.span.has(time) => {
                    if !self.live && self.rules.span.is_over(time) {
                        (self.input, self.buffer) = (None, Buffer::new(false));
                        return Ok(false);
                    }
                    self.pass_over(len);
                }
                Found::Record(time, len) => {
                    self.head = Some((time, len));
                    // Where nothing is put in order, a source is as far as its last record says, though its clock was set
                    // back; else see `Reorder::rebase`.
                    self.newest = if self.reorder.is_some() { self.newest.max(time) } else { time };
                    return Ok(true);
                }
                Found::More => return Ok(false),
                Found::Skip(len) => self.pass_over(len),
                Found::Bad(len, why) => {
                    let last = self.unterminated && self.buffer.unread().len() == len;
                    let why = if last { format!("is cut short: it {why}") } else { why };
                    self.problems.bad(self.line + 1, &why)?;
                    self.pass_over(len);
                }
            }
        }
    }

    /// Moves records from the read buffer to the reorder heap until the earliest is certain.
    fn hold(&mut self) -> Result<bool> {
        while self.find()? {
            let Some((time, len)) = self.head.take() else { break };
            let arrival = self.buffer.arrival();
            let bytes = self.buffer.unread()[..len].to_vec();
            self.pass_over(len);
            let held = HeldRecord { place: time, time, line: self.line, bytes, arrival };
            let Some(reorder) = &mut self.reorder else { break };
            if let Some(time) = reorder.push(held, self.newest) {
                self.newest = time;
            }
            if reorder.certain(self.newest) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn pass_over(&mut self, len: usize) {
        self.line += line_ends(&self.buffer.unread()[..len]);
        self.buffer.consume(len);
    }

    /// The position of the head if it is in the read buffer, together with those after it.
    pub fn position(&self) -> Option<usize> {
        self.reorder.is_none().then(|| self.buffer.position())
    }

    /// Consumes the head without copying it: its bytes stay valid until the next read.
    pub fn take(&mut self) {
        match (self.head.take(), &self.lines.format) {
            (Some((_, len)), Format::Csv(_)) => self.pass_over(len),
            (Some((_, len)), _) => {
                self.line += 1;
                self.buffer.consume(len);
            }
            (None, _) => {}
        }
    }

    /// Bytes between two positions.
    pub fn between(&self, from: usize, to: usize) -> &[u8] {
        self.buffer.between(from, to)
    }

    /// Takes the head for converting: its line, that line's number and the record's own time.
    pub fn take_line(&mut self, line: &mut Vec<u8>) -> (u64, Nanos) {
        line.clear();
        match &mut self.reorder {
            Some(reorder) => match reorder.pop() {
                Some(held) => {
                    line.extend_from_slice(&held.bytes);
                    (held.line, held.time)
                }
                None => (self.line, self.newest),
            },
            None => {
                let head = self.head.take();
                if let Some((_, len)) = head {
                    line.extend_from_slice(&self.buffer.unread()[..len]);
                    self.pass_over(len);
                }
                (self.line, head.map_or(self.newest, |(time, _)| time))
            }
        }
    }
}
