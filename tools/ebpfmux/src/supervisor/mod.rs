//! All commands of `--run`: restarts, orderly shutdown, and failures.

pub mod attached;
pub mod child;
pub mod control;
mod ends;
mod entry;
pub mod planned;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use cli::exit::{Exit, Result};
use cli::{poll, shortage};
use rustix::event::PollFlags;
use rustix::process::Signal;

use child::Running;
use control::{Order, State, ToolState};
use entry::{Entry, Manner};
use planned::Planned;

/// The grace period after the first signal until SIGTERM, and then until SIGKILL.
const GRACE: Duration = Duration::from_millis(2500);

/// All children.
pub struct Children {
    entries: Vec<Entry>,
    quiet: bool,
    stopping: Option<(Instant, Signal)>,
    /// Exit statuses no longer matter.
    abandoned: bool,
    /// The number of commands that failed permanently.
    pub failed: u32,
    /// Whether stopped commands may be enabled again.
    pub kept: bool,
    /// Whether all this stands for the command: a person sees its own words and status.
    pub behind_screen: bool,
}

impl Children {
    /// None yet.
    pub fn new(quiet: bool) -> Self {
        Self {
            entries: Vec::new(),
            quiet,
            stopping: None,
            abandoned: false,
            failed: 0,
            kept: false,
            behind_screen: false,
        }
    }

    /// How this process is to end where commands have failed: behind a screen as all of them did, if that was alike.
    pub fn failure(&self) -> Exit {
        let mut refused = self.entries.iter().map(|entry| entry.refused);
        let first = refused.next().flatten().filter(|_| self.behind_screen);
        first.filter(|first| refused.all(|other| other == Some(*first))).unwrap_or(Exit::Failed)
    }

    /// Starts a command for the source of this number. A command that cannot be started is a usage error.
    pub fn start(&mut self, planned: Planned, source: usize) -> Result<OwnedFd> {
        let Planned { name, command, lifetime } = planned;
        let (running, pipe) = command.start().map_err(|error| {
            shortage::failure(Exit::Usage, format_args!("cannot run '{}'", command.text), &error)
        })?;
        let (started, running) = (Instant::now(), Some(running));
        self.entries.push(Entry {
            name,
            command,
            source,
            running,
            started,
            restarts: 0,
            restarted: 0,
            restart_at: None,
            enabled: true,
            lifetime,
            until: lifetime.map(|lifetime| started + lifetime),
            ending: None,
            gone: None,
            refused: None,
            planned: true,
        });
        Ok(pipe)
    }

    /// Runs these from now on: stops what is none of them, starts again what is not as it was, and leaves alone what is.
    /// Returns those that are new, which are to be started.
    pub fn plan(&mut self, commands: Vec<Planned>) -> Vec<Planned> {
        if self.stopping.is_some() {
            return Vec::new();
        }
        let now = Instant::now();
        for entry in self.entries.iter_mut().filter(|entry| entry.planned) {
            if !commands.iter().any(|planned| planned.name == entry.name) {
                entry.planned = false;
                entry.disable(now);
            }
        }
        let mut new = Vec::new();
        for planned in commands {
            match self.entries.iter_mut().find(|entry| entry.name == planned.name) {
                Some(entry) => entry.plan(planned, now),
                None => new.push(planned),
            }
        }
        new
    }

    /// Executes an order for the command of this name.
    pub fn order(&mut self, name: &str, order: Order) {
        let stopping = self.stopping.is_some();
        let mut planned = self.entries.iter_mut().filter(|entry| entry.planned && !stopping);
        let Some(entry) = planned.find(|entry| entry.name == name) else { return };
        let now = Instant::now();
        match order {
            Order::Enable(limit) => {
                (entry.enabled, entry.gone, entry.restarts) = (true, None, 0);
                entry.until = limit.map(|limit| now + limit);
                if entry.running.is_none() {
                    entry.restart_at = Some(now);
                }
            }
            Order::Disable => entry.disable(now),
        }
    }

    /// The commands as they are now.
    pub fn states(&self) -> Vec<ToolState> {
        let now = Instant::now();
        let state = |entry: &Entry| ToolState {
            name: entry.name.clone(),
            command: Some(entry.command.text.clone()),
            state: entry.state(),
            reason: entry.gone.as_ref().map(|(_, reason)| reason.clone()),
            running: entry.running.is_some(),
            enabled: entry.enabled,
            seconds_left: entry.until.map(|until| until.saturating_duration_since(now).as_secs_f64()),
            failed: entry.state() == State::Failed,
            restarts: entry.restarted,
            hooks: entry.running.as_ref().map_or_else(Vec::new, |running| running.attached.hooks().to_vec()),
        };
        self.entries.iter().filter(|entry| entry.planned).map(state).collect()
    }

    /// Whether no command is running or will run again.
    pub fn all_exited(&self) -> bool {
        if self.kept && self.stopping.is_none() {
            return false;
        }
        self.entries.iter().all(|entry| entry.running.is_none() && entry.restart_at.is_none())
    }

    /// How many commands have still to attach, as far as they tell.
    pub fn attaching(&self) -> usize {
        let attaches = |entry: &&Entry| {
            let tells = entry.running.as_ref().is_some_and(|running| !running.attached.is_complete());
            tells || entry.restart_at.is_some()
        };
        self.entries.iter().filter(attaches).count()
    }

    /// How many commands run.
    pub fn running(&self) -> usize {
        self.entries.iter().filter(|entry| entry.running.is_some()).count()
    }

    /// The commands that have failed for good: their text, the status if a restart would not change it, and how they ended.
    pub fn failures(&self) -> impl Iterator<Item = (&str, Option<Exit>, &str)> {
        self.entries.iter().filter(|entry| entry.state() == State::Failed).filter_map(|entry| {
            let (_, reason) = entry.gone.as_ref()?;
            Some((entry.command.text.as_str(), entry.refused, reason.as_str()))
        })
    }

    /// The descriptors to poll for the exit of a child.
    pub fn ends(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.entries.iter().filter_map(|entry| entry.running.as_ref()).map(Running::ended)
    }

    /// The time when [`Children::poll`] is due, unless a child exits before. `drained` tells it of a source.
    pub fn deadline(&self, drained: impl Fn(usize) -> bool) -> Option<Instant> {
        // An overdue command may wait for its source to be drained, not for the clock. If it is drained, the command became
        // due after the last poll.
        let now = Instant::now();
        let due = |entry: &Entry| entry.restart_at.filter(|at| *at > now || drained(entry.source));
        let restart = self.entries.iter().filter_map(due).min();
        let running = self.entries.iter().any(|entry| entry.running.is_some());
        let escalation = self.stopping.filter(|_| running).map(|(since, _)| since + GRACE);
        let ending = self.entries.iter().filter_map(|entry| entry.ending).map(|(since, _)| since + GRACE);
        let until = self.entries.iter().filter_map(|entry| entry.until);
        restart.into_iter().chain(escalation).chain(ending).chain(until).min()
    }

    /// Reaps exited children and restarts those that are due and whose source is `drained`;
    /// connects the sources to the new pipes with `reopen`.
    pub fn poll(&mut self, mut reopen: impl FnMut(usize, OwnedFd, &str), drained: impl Fn(usize) -> bool) {
        let now = Instant::now();
        if let Some((since, signal)) = self.stopping.filter(|(since, _)| *since + GRACE <= now) {
            let next = if signal == Signal::INT { Signal::TERM } else { Signal::KILL };
            self.stopping = Some((since + GRACE, next));
            self.signal(next);
        }
        let alone = self.behind_screen && self.entries.len() == 1;
        let manner = Manner { stopping: self.stopping.is_some(), kept: self.kept, quiet: self.quiet, alone };
        for entry in &mut self.entries {
            entry.escalate(now);
            entry.running.iter_mut().for_each(|running| running.attached.poll());
            if let Some(status) = entry.running.as_mut().and_then(Running::reap) {
                entry.running = None;
                if entry.ending.take().is_some() {
                    // Enabled again before it had exited.
                    entry.restart_at = entry.enabled.then_some(now);
                } else if !self.abandoned {
                    self.failed += entry.ended(status, manner);
                }
            }
            if entry.restart_at.is_some_and(|at| at <= now) && drained(entry.source) {
                entry.restart_at = None;
                match entry.command.start() {
                    Ok((running, pipe)) => {
                        (entry.running, entry.started, entry.gone) = (Some(running), now, None);
                        reopen(entry.source, pipe, &entry.command.text);
                    }
                    // It may pass: the file is being replaced, or there are too many processes.
                    Err(error) => {
                        let how = format!("cannot be started again: {error}");
                        self.failed += entry.fell(how, false, manner);
                    }
                }
            }
        }
    }

    /// Stops all with SIGINT: they print their open interval. Children that do not exit get
    /// SIGTERM, then SIGKILL.
    pub fn stop(&mut self) {
        if self.stopping.is_none() {
            self.stopping = Some((Instant::now(), Signal::INT));
            self.signal(Signal::INT);
            self.entries.iter_mut().for_each(|entry| (entry.restart_at, entry.until) = (None, None));
        }
    }

    /// Kills and reaps all, ignoring their status: their output is not read any more.
    pub fn abandon(&mut self) {
        self.abandoned = true;
        self.stop();
        while !self.all_exited() {
            let timeout = self.deadline(|_| false).map(|at| at.saturating_duration_since(Instant::now()));
            let ends: Vec<_> = self.ends().map(|fd| (fd, PollFlags::IN)).collect();
            poll::ready(&ends, timeout);
            self.poll(|_, _, _| {}, |_| false);
        }
    }

    fn signal(&self, signal: Signal) {
        self.entries
            .iter()
            .filter_map(|entry| entry.running.as_ref())
            .for_each(|running| running.signal(signal));
    }
}

#[cfg(test)]
mod tests {
    use super::child::CommandLine;
    use super::*;

    /// Nothing else would wake who waits: the child has ended, and its pipe.
    #[test]
    fn a_command_that_became_due_since_the_last_poll_is_not_slept_through() {
        let mut children = Children::new(true);
        let commands = Planned::all(vec![CommandLine::parse("true").unwrap()]);
        for planned in commands {
            drop(children.start(planned, 0).unwrap());
        }
        children.entries[0].running = None;
        children.entries[0].restart_at = Some(Instant::now());
        assert!(children.deadline(|_| true).is_some_and(|at| at <= Instant::now()));
        assert_eq!(children.deadline(|_| false), None);
    }
}
