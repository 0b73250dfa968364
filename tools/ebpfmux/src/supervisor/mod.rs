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
use entry::Entry;
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
}

impl Children {
    /// None yet.
    pub fn new(quiet: bool) -> Self {
        Self { entries: Vec::new(), quiet, stopping: None, abandoned: false, failed: 0, kept: false }
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

    /// The descriptors to poll for the exit of a child.
    pub fn ends(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.entries.iter().filter_map(|entry| entry.running.as_ref()).map(Running::ended)
    }

    /// The time when [`Children::poll`] is due, unless a child exits before.
    pub fn deadline(&self) -> Option<Instant> {
        // An overdue command waits for its source to be drained, not for the clock.
        let now = Instant::now();
        let restart = self.entries.iter().filter_map(|entry| entry.restart_at).filter(|at| *at > now).min();
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
        for entry in &mut self.entries {
            entry.escalate(now);
            entry.running.iter_mut().for_each(|running| running.attached.poll());
            if let Some(status) = entry.running.as_mut().and_then(Running::reap) {
                entry.running = None;
                if entry.ending.take().is_some() {
                    // Enabled again before it had exited.
                    entry.restart_at = entry.enabled.then_some(now);
                } else if !self.abandoned {
                    self.failed += entry.ended(status, self.stopping.is_some(), self.kept, self.quiet);
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
                        self.failed += entry.fell(how, false, self.quiet);
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
            let timeout = self.deadline().map(|at| at.saturating_duration_since(Instant::now()));
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
