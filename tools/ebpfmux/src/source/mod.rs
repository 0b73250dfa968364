//! One stream of records: a file, a pipe, or the output of a child.

pub mod buffer;
pub mod csv;
mod guess;
mod input;
pub mod lines;
mod packed;
mod problems;
mod reorder;
pub mod rules;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use cli::exit::Result;
use cli::inherited;

use crate::note::note;
use crate::record::timestamp::Nanos;
use buffer::Buffer;
use input::Input;
use lines::{Format, Found, Lines, line_ends};
use problems::Problems;
use reorder::{HeldRecord, Reorder};
use rules::Rules;

/// A source. Its head is its next record.
pub struct Source {
    /// Problems found so far.
    pub problems: Problems,
    /// Whether the merge passes its lines on unchanged; the sink decides this per stream.
    pub raw: Option<bool>,
    /// When bytes were last received, or it was opened.
    pub active: Instant,
    /// Whether a read failed, or something in it was damaged or missing.
    pub failed: bool,
    /// Whether it is the output of a child.
    pub of_child: bool,
    rules: Rules,
    input: Option<Input>,
    live: bool,
    buffer: Buffer,
    lines: Lines,
    line: u64,
    head: Option<(Nanos, usize)>,
    reorder: Option<Reorder>,
    newest: Nanos,
    /// The time of the record that went out last.
    pub previous: Nanos,
    unterminated: bool,
}

impl Source {
    /// Opens a named file or FIFO, or the folder of a recording. A FIFO need not have a writer yet.
    pub fn open(path: &Path, rules: Rules) -> io::Result<Self> {
        Self::new(path.display().to_string(), Input::open(path)?, rules)
    }

    /// The process's stdin.
    pub fn stdin(rules: Rules) -> io::Result<Self> {
        if inherited::stdin_is_closed() {
            return Err(io::Error::other("it is closed"));
        }
        let fd = io::stdin().as_fd().try_clone_to_owned()?;
        Self::new("stdin".into(), Input::of(fd, Path::new("stdin"))?, rules)
    }

    /// The output of a child, named by its command line.
    pub fn of_child(name: String, pipe: OwnedFd, rules: Rules) -> io::Result<Self> {
        Ok(Self { of_child: true, ..Self::new(name, Input::Plain(pipe), rules)? })
    }

    fn new(name: String, input: Input, rules: Rules) -> io::Result<Self> {
        let live = input.is_live()?;
        let lateness = Nanos::try_from(rules.lateness.as_nanos()).unwrap_or(Nanos::MAX);
        Ok(Self {
            problems: Problems::new(name, rules.strict, rules.quiet),
            raw: None,
            active: Instant::now(),
            failed: false,
            of_child: false,
            rules,
            input: Some(input),
            live,
            buffer: Buffer::new(live),
            lines: Lines::new(rules.strict),
            line: 0,
            head: None,
            reorder: (lateness > 0).then(|| Reorder::new(lateness)),
            newest: Nanos::MIN,
            previous: Nanos::MIN,
            unterminated: false,
        })
    }

    /// Continues with another stream after this one is drained.
    pub fn reopen(&mut self, pipe: OwnedFd, name: String) {
        self.problems.rename(name);
        self.input = Some(Input::Plain(pipe));
        self.lines = Lines::new(self.rules.strict);
        (self.line, self.unterminated, self.raw, self.active) = (0, false, None, Instant::now());
    }

    /// Stops reading and keeps what has been read. A last line without a line end is terminated and
    /// checked like any other.
    pub fn hang_up(&mut self) {
        self.input = None;
        if !self.buffer.unread().is_empty() {
            self.unterminated = !self.buffer.unread().ends_with(b"\n");
            if self.unterminated {
                self.buffer.close_line();
            }
        } else if self.line == 0 && self.rules.verbose {
            note(&format!("{}: is empty", self.problems.name()));
        }
    }

    /// Stops reading and drops what is unread.
    pub fn close(&mut self) {
        self.input = None;
        self.buffer = Buffer::new(false);
        self.head = None;
        self.reorder = None;
    }

    /// Whether the stream has not ended and may be silent for a while.
    pub fn is_live(&self) -> bool {
        self.live && self.input.is_some()
    }

    /// Whether it is live, or was.
    pub fn was_live(&self) -> bool {
        self.live
    }

    /// Whether it has ended and all its records have been passed on.
    pub fn drained(&self) -> bool {
        self.input.is_none() && self.time().is_none()
    }

    /// The descriptor to poll, if it is live and there is room for more.
    pub fn readable(&self) -> Option<BorrowedFd<'_>> {
        let input = self.input.as_ref().filter(|_| self.live && !self.crowded());
        input.and_then(Input::as_fd)
    }

    /// Whether its read-ahead is full.
    pub fn crowded(&self) -> bool {
        self.time().is_some() && self.buffer.full() || self.reorder.as_ref().is_some_and(Reorder::full)
    }

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

    /// Reads once; afterwards [`Source::advance`] finds the new records. A failed read ends the
    /// stream with a message.
    pub fn read(&mut self) {
        let Some(input) = &mut self.input else { return };
        let arrival = self.live.then(Instant::now);
        let outcome = self.buffer.fill(input, arrival);
        // It has been reported.
        self.failed |= input.faulty();
        match outcome {
            Ok(0) => self.hang_up(),
            Ok(_) => self.active = arrival.unwrap_or(self.active),
            // Another process has drained the pipe between the poll and the read.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                note(&format!("cannot read {}: {error}", self.problems.name()));
                self.failed = true;
                self.hang_up();
            }
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

    /// The format of the stream.
    pub fn format(&self) -> &Format {
        &self.lines.format
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
