//! A merge at work: reads the sources, passes on records in order, and sleeps when there is nothing to
//! do.

mod passing;

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
use crate::measure::Measured;
use crate::note::note;
use crate::record::timestamp::Nanos;
use crate::source::Source;

/// How long live sources other than children are still read after a stop was requested.
const LINGER: Duration = Duration::from_millis(500);

/// A running merge.
pub struct Run<'m> {
    /// What is merged.
    pub merge: Merge,
    tree: Tree,
    /// The time of the last record that was not late.
    last: Nanos,
    ending: Option<Instant>,
    /// When the record that is held back now is passed on in any case.
    due: Option<Instant>,
    line: Vec<u8>,
    /// The command whose work is merged, if there is one.
    measured: Option<&'m mut Measured>,
}

impl<'m> Run<'m> {
    /// Before anything is read.
    pub fn of(merge: Merge, measured: Option<&'m mut Measured>) -> Self {
        let tree = Tree::new(merge.sources.len());
        Self { merge, tree, last: Nanos::MIN, ending: None, due: None, line: Vec::new(), measured }
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
            let over = match &mut self.measured {
                Some(measured) => measured.step(&self.merge.children, &self.merge.stop)?,
                None => {
                    self.merge.stop.requested() || self.merge.deadline.is_some_and(|deadline| deadline <= now)
                }
            };
            if over {
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

    /// Sleeps until a source, a child, the clock or a signal is ready.
    fn rest(&mut self) -> Result<()> {
        self.merge.sink.flush()?;
        let lingering = self.ending.map(|since| since + LINGER).filter(|at| *at > Instant::now());
        let own_end = self.merge.deadline.filter(|_| self.ending.is_none());
        let sources = &self.merge.sources;
        let restart = self.merge.children.deadline(|at| sources[at].drained());
        let measured = self.measured.as_deref().filter(|_| self.ending.is_none());
        let looks = measured.and_then(Measured::deadline);
        let deadlines = [self.due, own_end, lingering, restart, self.window_closes(), looks];
        let deadline = deadlines.into_iter().flatten().min();
        // Polling stdout without events still shows when its reader has exited. A measured command has it for itself.
        let out = self.measured.is_none().then(|| self.merge.sink.out_fd());
        let is_out = |woken: usize| out.is_some() && woken == 0;
        let mut fds: Vec<_> = out.into_iter().map(|out| (out, PollFlags::empty())).collect();
        fds.extend(measured.and_then(Measured::ended).map(|fd| (fd, PollFlags::IN)));
        fds.extend(self.readable().map(|(fd, _)| (fd, PollFlags::IN)));
        fds.extend(self.merge.control.iter().map(|control| (control.woken(), PollFlags::IN)));
        fds.extend(self.merge.reloads.iter().map(|reloads| (reloads.as_fd(), PollFlags::IN)));
        fds.extend(self.merge.children.ends().map(|fd| (fd, PollFlags::IN)));
        // A stop stays readable and would end every wait at once.
        let stopped = self.ending.is_some() || measured.is_some_and(Measured::heeds_no_more);
        let gone = match stopped {
            false => matches!(self.merge.stop.wait(deadline, &fds), Woken::Ready(at) if is_out(at)),
            true => {
                let timeout = deadline.map(|at| at.saturating_duration_since(Instant::now()));
                poll::ready(&fds, timeout).first() == Some(&true) && is_out(0)
            }
        };
        if gone { Err(Failure::stdout(io::ErrorKind::BrokenPipe.into())) } else { Ok(()) }
    }
}
