//! A merge at work: reads the sources, passes on records in order, and sleeps when there is nothing to
//! do.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use cli::exit::{Failure, Result};
use cli::poll;
use cli::signals::Woken;
use rustix::event::PollFlags;

use super::Merge;
use super::tournament::Tree;
use crate::config::reload::Reloads;
use crate::note::note;
use crate::record::timestamp::Nanos;
use crate::sink::Converted;
use crate::source::Source;

/// The number of runs of records passed on between two checks of signals and live sources.
const RUNS: usize = 1024;

/// How long live sources other than children are still read after a stop was requested.
const LINGER: Duration = Duration::from_millis(500);

/// A running merge.
pub struct Run {
    /// What is merged.
    pub merge: Merge,
    tree: Tree,
    /// The time of the last record that was not late.
    last: Nanos,
    ending: Option<Instant>,
    /// When the record that is held back now is passed on in any case.
    due: Option<Instant>,
    line: Vec<u8>,
}

impl Run {
    /// Before anything is read.
    pub fn of(merge: Merge) -> Self {
        let tree = Tree::new(merge.sources.len());
        Self { merge, tree, last: Nanos::MIN, ending: None, due: None, line: Vec::new() }
    }

    /// Until all sources have ended, or a stop is requested.
    pub fn work(&mut self) -> Result<()> {
        for at in 0..self.merge.sources.len() {
            self.advance(at)?;
        }
        loop {
            self.take_in()?;
            if self.pass_on()? {
                continue;
            }
            if self.merge.children.all_exited() && self.merge.sources.iter().all(Source::drained) {
                return self.merge.sink.finish();
            }
            self.rest()?;
        }
    }

    fn advance(&mut self, at: usize) -> Result<()> {
        let outcome = self.merge.sources[at].advance();
        self.tree.set(at, self.merge.sources[at].time());
        outcome
    }

    /// Reads the available input without waiting, and handles what is due.
    fn take_in(&mut self) -> Result<()> {
        let (fds, which): (Vec<_>, Vec<_>) =
            self.readable().map(|(fd, at)| ((fd, PollFlags::IN), at)).unzip();
        if !fds.is_empty() {
            let ready = poll::ready(&fds, Some(Duration::ZERO));
            for at in which.into_iter().zip(ready).filter_map(|(at, ready)| ready.then_some(at)) {
                self.merge.sources[at].read();
                self.advance(at)?;
            }
        }
        let Merge { sources, children, control, .. } = &mut self.merge;
        if let Some(control) = control {
            control.take_orders().into_iter().for_each(|(name, order)| children.order(&name, order));
        }
        let mut pipes = Vec::new();
        children.poll(|at, pipe, text| pipes.push((at, pipe, text.to_owned())), |at| sources[at].drained());
        if let Some(control) = control {
            *control.tools() = children.states();
        }
        pipes.into_iter().for_each(|(at, pipe, text)| sources[at].reopen(pipe, text));
        self.reload();
        self.look_for_the_end()?;
        self.close_silent_window()
    }

    /// Runs what the file of --config has now, if it is to be read again.
    fn reload(&mut self) {
        let Merge { sources, children, reloads, rules, .. } = &mut self.merge;
        let Some(commands) = reloads.as_mut().filter(|_| self.ending.is_none()).and_then(Reloads::commands)
        else {
            return;
        };
        let before = sources.len();
        for planned in children.plan(commands) {
            let text = planned.command.text.clone();
            let started = children.start(planned, sources.len()).and_then(|pipe| {
                Source::of_child(text, pipe, *rules)
                    .map_err(|error| Failure::failed(format!("cannot read a pipe: {error}")))
            });
            match started {
                Ok(source) => sources.push(source),
                Err(failure) => note(&failure.message),
            }
        }
        if sources.len() > before {
            self.tree = Tree::new(sources.len());
            sources.iter().enumerate().for_each(|(at, source)| self.tree.set(at, source.time()));
        }
    }

    fn readable(&self) -> impl Iterator<Item = (BorrowedFd<'_>, usize)> {
        self.merge.sources.iter().enumerate().filter_map(|(at, source)| Some((source.readable()?, at)))
    }

    fn look_for_the_end(&mut self) -> Result<()> {
        let now = Instant::now();
        let Some(since) = self.ending else {
            if self.merge.stop.requested() || self.merge.deadline.is_some_and(|deadline| deadline <= now) {
                self.ending = Some(now);
                self.merge.children.stop();
                for at in 0..self.merge.sources.len() {
                    if !self.merge.sources[at].was_live() {
                        self.merge.sources[at].close();
                        self.tree.set(at, None);
                    }
                }
            }
            return Ok(());
        };
        if since + LINGER <= now {
            let children_gone = self.merge.children.all_exited();
            for at in 0..self.merge.sources.len() {
                if self.merge.sources[at].is_live() && (children_gone || !self.merge.sources[at].of_child) {
                    self.merge.sources[at].hang_up();
                    self.advance(at)?;
                }
            }
        }
        Ok(())
    }

    /// Closes a window by the clock if no record follows.
    fn close_silent_window(&mut self) -> Result<()> {
        match self.window_closes() {
            Some(at) if at <= Instant::now() => self.merge.sink.close_window(),
            _ => Ok(()),
        }
    }

    fn window_closes(&self) -> Option<Instant> {
        self.merge.sink.closes().map(|at| at + self.merge.hold)
    }

    /// Passes on records until none may be passed on, or for a limited number of runs; returns
    /// whether there was one.
    fn pass_on(&mut self) -> Result<bool> {
        self.due = None;
        // No source becomes live here, and with files only the limits need not be computed.
        let live = self.merge.sources.iter().any(Source::is_live);
        for runs in 0..RUNS {
            let Some(at) = self.tree.first() else { return Ok(runs > 0) };
            let Some(time) = self.merge.sources[at].time() else { return Ok(runs > 0) };
            let sources = self.merge.sources.iter().take_while(|_| live);
            let limit = sources.filter_map(Source::frontier).min().unwrap_or(Nanos::MAX);
            if time > limit && self.held(at, time) {
                return Ok(runs > 0);
            }
            self.send(at, time, limit)?;
            // Commands are stopped before waiting for the reader any longer.
            if self.merge.sink.asked() && self.ending.is_none() {
                return Ok(true);
            }
            if self.merge.sources[at].was_live() && self.merge.sources[at].time().is_none() {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// Whether this head must wait for a live source that may still have an earlier record.
    fn held(&mut self, at: usize, time: Nanos) -> bool {
        let hold = self.merge.hold;
        let source = &mut self.merge.sources[at];
        let due = match source.arrival().filter(|_| !source.crowded()) {
            Some(arrival) => arrival + hold,
            // A file, or a source with full read-ahead: the deadline counts from the last input of
            // the others.
            None => {
                let silent = self
                    .merge
                    .sources
                    .iter()
                    .filter(|other| other.frontier().is_some_and(|limit| limit < time));
                silent.map(|other| other.active + hold).max().unwrap_or_else(Instant::now)
            }
        };
        self.due = (due > Instant::now()).then_some(due);
        self.due.is_some()
    }

    /// Passes on the head of a source and the records after it up to `limit`, as long as they are
    /// the earliest.
    fn send(&mut self, at: usize, mut time: Nanos, limit: Nanos) -> Result<()> {
        let Self { merge: Merge { sources, sink, .. }, tree, last, line, .. } = self;
        let source = &mut sources[at];
        let raw = match source.raw {
            Some(raw) => raw,
            None => *source.raw.insert(sink.takes(source.format())?),
        };
        let Some(from) = source.position().filter(|_| raw) else {
            let (number, time) = source.take_line(line);
            in_order(source, time, last);
            let converted = if raw {
                sink.push(line)?;
                Converted::Record
            } else {
                sink.convert(time, line, source.format())?
            };
            match converted {
                Converted::Record => source.problems.records += 1,
                Converted::Malformed(why) => source.problems.bad(number, &why)?,
            }
            return self.advance(at);
        };
        let (to, found) = loop {
            in_order(source, time, last);
            source.take();
            source.problems.records += 1;
            let to = source.position().unwrap_or(from);
            let found = source.find();
            let Some(next) = source.time() else { break (to, found) };
            time = next;
            tree.set(at, Some(time));
            if time > limit || source.position() != Some(to) || tree.first() != Some(at) {
                break (to, found);
            }
        };
        sink.push(source.between(from, to))?;
        if found? { Ok(()) } else { self.advance(at) }
    }

    /// Sleeps until a source, a child, the clock or a signal is ready.
    fn rest(&mut self) -> Result<()> {
        self.merge.sink.flush()?;
        let lingering = self.ending.map(|since| since + LINGER).filter(|at| *at > Instant::now());
        let own_end = self.merge.deadline.filter(|_| self.ending.is_none());
        let children = &self.merge.children;
        let deadlines = [self.due, own_end, lingering, children.deadline(), self.window_closes()];
        let deadline = deadlines.into_iter().flatten().min();
        // Polling stdout without events still shows when its reader has exited.
        let mut fds = vec![(self.merge.sink.out_fd(), PollFlags::empty())];
        fds.extend(self.readable().map(|(fd, _)| (fd, PollFlags::IN)));
        fds.extend(self.merge.control.iter().map(|control| (control.woken(), PollFlags::IN)));
        fds.extend(self.merge.reloads.iter().map(|reloads| (reloads.as_fd(), PollFlags::IN)));
        fds.extend(self.merge.children.ends().map(|fd| (fd, PollFlags::IN)));
        let gone = match self.ending {
            None => self.merge.stop.wait(deadline, &fds) == Woken::Ready(0),
            // The stop stays readable and would end every wait at once.
            Some(_) => {
                let timeout = deadline.map(|at| at.saturating_duration_since(Instant::now()));
                poll::ready(&fds, timeout).first() == Some(&true)
            }
        };
        if gone { Err(Failure::stdout(io::ErrorKind::BrokenPipe.into())) } else { Ok(()) }
    }
}

/// Counts a record that is late. Where its own source had a later one before, what is late from now on is measured by this
/// one: the source's clock was set back, or the one before was ahead of its time.
fn in_order(source: &mut Source, time: Nanos, last: &mut Nanos) {
    let late = time < *last;
    if late {
        source.problems.late(last.saturating_sub(time));
    }
    if !late || time < source.previous {
        *last = time;
    }
    source.previous = time;
}
