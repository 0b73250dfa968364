//! The commands of `--run` together: restarts, the orderly end, and who failed.

pub mod child;
pub mod control;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use cli::exit::{Failure, Result};
use rustix::event::PollFlags;
use rustix::process::Signal;

use crate::note::note;
use crate::poll;
use child::{CommandLine, Running, describe};
use control::{Order, ToolState};

/// How often a command that fails is started again.
const RESTARTS: u32 = 3;
/// How long after its failure.
const BACK_OFF: Duration = Duration::from_secs(1);
/// A command that ran this long is healthy: its earlier failures no longer count.
const HEALTHY: Duration = Duration::from_secs(60);
/// After the first signal a child has so long before it gets SIGTERM, and then as long again before SIGKILL.
const GRACE: Duration = Duration::from_millis(2500);

/// Statuses that the same command would end with again: bad usage, not supported, not permitted.
const NO_RETRY: [i32; 3] = [2, 3, 4];

struct Entry {
    command: CommandLine,
    /// The source that its output feeds.
    source: usize,
    running: Option<Running>,
    started: Instant,
    restarts: u32,
    restart_at: Option<Instant>,
    /// Whether it is to run; `--serve` can switch it off and on.
    enabled: bool,
    /// Until when, if there is a limit.
    until: Option<Instant>,
    /// It was switched off: since when it is being ended, and by which signal.
    ending: Option<(Instant, Signal)>,
    /// It failed for good.
    failed: bool,
}

/// All children.
pub struct Children {
    entries: Vec<Entry>,
    quiet: bool,
    stopping: Option<(Instant, Signal)>,
    /// Nobody cares any more how they end.
    abandoned: bool,
    /// Commands that failed for good.
    pub failed: u32,
    /// Whether commands that do not run may be switched on again.
    pub kept: bool,
}

impl Children {
    /// None yet.
    pub fn new(quiet: bool) -> Self {
        Self { entries: Vec::new(), quiet, stopping: None, abandoned: false, failed: 0, kept: false }
    }

    /// Starts a command for the source of this number. A command that cannot be started is a usage error.
    pub fn start(&mut self, command: CommandLine, source: usize) -> Result<OwnedFd> {
        let (running, pipe) = command
            .start()
            .map_err(|error| Failure::usage(format!("cannot run '{}': {error}", command.text)))?;
        let (started, running) = (Instant::now(), Some(running));
        self.entries.push(Entry {
            command,
            source,
            running,
            started,
            restarts: 0,
            restart_at: None,
            enabled: true,
            until: None,
            ending: None,
            failed: false,
        });
        Ok(pipe)
    }

    /// Carries out an order for the command of this number.
    pub fn order(&mut self, at: usize, order: Order) {
        let Some(entry) = self.entries.get_mut(at).filter(|_| self.stopping.is_none()) else { return };
        let now = Instant::now();
        match order {
            Order::Enable(limit) => {
                (entry.enabled, entry.failed, entry.restarts) = (true, false, 0);
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
            name: entry.command.name().to_owned(),
            command: entry.command.text.clone(),
            running: entry.running.is_some(),
            enabled: entry.enabled,
            seconds_left: entry.until.map(|until| until.saturating_duration_since(now).as_secs_f64()),
            failed: entry.failed,
        };
        self.entries.iter().map(state).collect()
    }

    /// Whether none runs, and none is to run again.
    pub fn all_exited(&self) -> bool {
        if self.kept && self.stopping.is_none() {
            return false;
        }
        self.entries.iter().all(|entry| entry.running.is_none() && entry.restart_at.is_none())
    }

    /// What to wait on for a child's end.
    pub fn ends(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.entries.iter().filter_map(|entry| entry.running.as_ref()).map(Running::ended)
    }

    /// When [`Children::poll`] has something to do, if no child ends before.
    pub fn deadline(&self) -> Option<Instant> {
        // One that is overdue waits for its source to be drained, not for the clock.
        let now = Instant::now();
        let restart = self.entries.iter().filter_map(|entry| entry.restart_at).filter(|at| *at > now).min();
        let running = self.entries.iter().any(|entry| entry.running.is_some());
        let escalation = self.stopping.filter(|_| running).map(|(since, _)| since + GRACE);
        let ending = self.entries.iter().filter_map(|entry| entry.ending).map(|(since, _)| since + GRACE);
        let until = self.entries.iter().filter_map(|entry| entry.until);
        restart.into_iter().chain(escalation).chain(ending).chain(until).min()
    }

    /// Reaps those that have ended and starts again those that are due and whose source is `drained`; gives the
    /// sources new pipes through `reopen`.
    pub fn poll(&mut self, mut reopen: impl FnMut(usize, OwnedFd), drained: impl Fn(usize) -> bool) {
        let now = Instant::now();
        if let Some((since, signal)) = self.stopping.filter(|(since, _)| *since + GRACE <= now) {
            let next = if signal == Signal::INT { Signal::TERM } else { Signal::KILL };
            self.stopping = Some((since + GRACE, next));
            self.signal(next);
        }
        for entry in &mut self.entries {
            entry.escalate(now);
            if let Some(status) = entry.running.as_mut().and_then(Running::reap) {
                entry.running = None;
                if entry.ending.take().is_some() {
                    // Switched on again before it had ended.
                    entry.restart_at = entry.enabled.then_some(now);
                } else if !self.abandoned {
                    let failed = entry.ended(status, self.stopping.is_some(), self.quiet);
                    (self.failed, entry.failed) = (self.failed + failed, failed > 0);
                }
            }
            if entry.restart_at.is_some_and(|at| at <= now) && drained(entry.source) {
                entry.restart_at = None;
                match entry.command.start() {
                    Ok((running, pipe)) => {
                        (entry.running, entry.started) = (Some(running), now);
                        reopen(entry.source, pipe);
                    }
                    Err(error) => {
                        note(&format!("cannot run '{}' again: {error}", entry.command.text));
                        self.failed += 1;
                    }
                }
            }
        }
    }

    /// Asks all to end: they print what is under way. Those that do not are ended the harder way.
    pub fn stop(&mut self) {
        if self.stopping.is_none() {
            self.stopping = Some((Instant::now(), Signal::INT));
            self.signal(Signal::INT);
            self.entries.iter_mut().for_each(|entry| (entry.restart_at, entry.until) = (None, None));
        }
    }

    /// Ends all and reaps them, however they end: nobody is left to read what they print.
    pub fn abandon(&mut self) {
        self.abandoned = true;
        self.stop();
        while !self.all_exited() {
            let timeout = self.deadline().map(|at| at.saturating_duration_since(Instant::now()));
            let ends: Vec<_> = self.ends().map(|fd| (fd, PollFlags::IN)).collect();
            poll::ready(&ends, timeout);
            self.poll(|_, _| {}, |_| false);
        }
    }

    fn signal(&self, signal: Signal) {
        self.entries
            .iter()
            .filter_map(|entry| entry.running.as_ref())
            .for_each(|running| running.signal(signal));
    }
}

impl Entry {
    /// Asks it to end, and not to be started again.
    fn disable(&mut self, now: Instant) {
        (self.enabled, self.until, self.restart_at) = (false, None, None);
        if let (Some(running), None) = (&self.running, self.ending) {
            running.signal(Signal::INT);
            self.ending = Some((now, Signal::INT));
        }
    }

    /// Does what is due to a command that was switched off, or that was switched on for a time that is over.
    fn escalate(&mut self, now: Instant) {
        if self.until.is_some_and(|until| until <= now) {
            self.disable(now);
        }
        if let (Some((since, signal)), Some(running)) = (self.ending, &self.running)
            && since + GRACE <= now
        {
            let next = if signal == Signal::INT { Signal::TERM } else { Signal::KILL };
            running.signal(next);
            self.ending = Some((now, next));
        }
    }

    /// Plans a restart where there is hope, and returns 1 where this was a failure for good.
    fn ended(&mut self, status: ExitStatus, stopping: bool, quiet: bool) -> u32 {
        // A child that was asked to end may have died of that very signal.
        if status.success() || stopping && status.code().is_none_or(|code| code > 128) {
            return 0;
        }
        if self.started.elapsed() >= HEALTHY {
            self.restarts = 0;
        }
        let (how, text) = (describe(status), &self.command.text);
        if stopping || status.code().is_some_and(|code| NO_RETRY.contains(&code)) {
            note(&format!("'{text}' {how}"));
            return 1;
        }
        if self.restarts == RESTARTS {
            note(&format!("'{text}' {how}, after {RESTARTS} restarts; not started again"));
            return 1;
        }
        self.restarts += 1;
        self.restart_at = Some(Instant::now() + BACK_OFF);
        if !quiet {
            let nth = self.restarts;
            note(&format!(
                "'{text}' {how}; starting it again in {} s ({nth} of {RESTARTS})",
                BACK_OFF.as_secs()
            ));
        }
        0
    }
}
