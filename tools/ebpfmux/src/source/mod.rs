//! One stream of records: a file, a pipe, or the output of a child.

pub mod buffer;
pub mod csv;
mod guess;
mod head;
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

use cli::inherited;

use crate::note::note;
use crate::record::timestamp::Nanos;
use buffer::Buffer;
use input::Input;
use lines::{Format, Lines};
use problems::Problems;
use reorder::Reorder;
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
    /// What a command line names: a file, a FIFO, the folder of a recording, or by `-` stdin.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn named(name: &Path, rules: Rules) -> io::Result<Self> {
        if name.as_os_str() == "-" { Self::stdin(rules) } else { Self::open(name, rules) }
    }

    /// Opens a named file or FIFO, or the folder of a recording. A FIFO need not have a writer yet.
    fn open(path: &Path, rules: Rules) -> io::Result<Self> {
        let mut input = Input::open(path)?;
        rules.span.from.iter().for_each(|from| input.seek(*from));
        Self::new(path.display().to_string(), input, rules)
    }

    /// The process's stdin.
    fn stdin(rules: Rules) -> io::Result<Self> {
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

    /// The format of the stream.
    pub fn format(&self) -> &Format {
        &self.lines.format
    }
}
