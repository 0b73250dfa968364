//! One command of `--run`: why it runs or does not, and whether it is started again.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use cli::exit::Exit;
use rustix::process::Signal;

use super::GRACE;
use super::child::{CommandLine, Running, describe};
use super::control::State;
use super::ends::Ends;
use super::planned::Planned;
use crate::note::note;

/// The maximum number of restarts of a failing command.
const RESTARTS: u32 = 3;
/// The delay before a restart.
const BACK_OFF: Duration = Duration::from_secs(1);
/// A command that ran this long is healthy: its earlier failures no longer count.
const HEALTHY: Duration = Duration::from_secs(60);
/// A tool that ends with status 0 may end earlier by this than its command line says: clocks differ.
const EARLY: Duration = Duration::from_secs(1);

/// Exit statuses that a restart would not change: bad usage, not supported, not permitted.
const NO_RETRY: [Exit; 3] = [Exit::Usage, Exit::Unsupported, Exit::NotPermitted];

/// A command of `--run`.
pub struct Entry {
    /// Its name in requests, which no other has.
    pub name: String,
    /// What is run.
    pub command: CommandLine,
    /// The source that reads its output.
    pub source: usize,
    /// The child, while it runs.
    pub running: Option<Running>,
    /// When it was last started.
    pub started: Instant,
    /// The number of restarts in a row.
    pub restarts: u32,
    /// How often it was started again after a failure, in all.
    pub restarted: u64,
    /// When it is started again.
    pub restart_at: Option<Instant>,
    /// Whether it is enabled; `--serve` can change it.
    pub enabled: bool,
    /// How long it is to run, from each start that was asked for.
    pub lifetime: Option<Duration>,
    /// The time when it is disabled, if there is a limit.
    pub until: Option<Instant>,
    /// It was disabled: the time since when it is being stopped, and the last signal sent.
    pub ending: Option<(Instant, Signal)>,
    /// Why it does not run, as far as that is not an order: its state and the reason.
    pub gone: Option<(State, String)>,
    /// The status with which it ended, if a restart would not change that.
    pub refused: Option<Exit>,
    /// Whether it is still one of the commands that are to run.
    pub planned: bool,
}

/// What there is beside a command that ends.
#[derive(Clone, Copy)]
pub struct Manner {
    /// All are being stopped.
    pub stopping: bool,
    /// Whether this process goes on when all commands have ended.
    pub kept: bool,
    /// Whether only failures are said.
    pub quiet: bool,
    /// Whether it is the only one, behind a screen: what it said itself, and its status, say all.
    pub alone: bool,
}

impl Entry {
    /// Runs this from now on, under the same name. What it printed before is read to its end. If nothing is new, nothing
    /// happens.
    pub fn plan(&mut self, new: Planned, now: Instant) {
        if self.planned && self.command.is(&new.command) && self.lifetime == new.lifetime {
            return;
        }
        let runs_on = self.command.is(&new.command) && self.ending.is_none();
        (self.planned, self.command, self.lifetime) = (true, new.command, new.lifetime);
        (self.enabled, self.gone, self.restarts) = (true, None, 0);
        self.until = self.lifetime.map(|lifetime| now + lifetime);
        match (&self.running, self.ending) {
            (None, _) => self.restart_at = Some(now),
            (Some(running), None) if !runs_on => {
                running.signal(Signal::INT);
                self.ending = Some((now, Signal::INT));
            }
            // It runs on, or is started again when it has ended.
            (Some(_), _) => {}
        }
    }

    /// Stops it and disables restarts.
    pub fn disable(&mut self, now: Instant) {
        (self.enabled, self.until, self.restart_at) = (false, None, None);
        if let (Some(running), None) = (&self.running, self.ending) {
            running.signal(Signal::INT);
            self.ending = Some((now, Signal::INT));
        }
    }

    /// Handles a command that was disabled, or that was enabled for a time that is over.
    pub fn escalate(&mut self, now: Instant) {
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

    /// What it does now.
    pub fn state(&self) -> State {
        match &self.gone {
            _ if self.running.is_some() && self.ending.is_some() => State::Ending,
            _ if self.running.is_some() => State::Running,
            _ if self.restart_at.is_some() => State::Restarting,
            _ if !self.enabled => State::Disabled,
            Some((state, _)) => *state,
            None => State::Ended,
        }
    }

    /// Schedules a restart if that can help; returns 1 if the command failed permanently.
    pub fn ended(&mut self, status: ExitStatus, manner: Manner) -> u32 {
        let Manner { stopping, kept, quiet, .. } = manner;
        let mut how = describe(status);
        // A child that was asked to stop may have died from that signal.
        if stopping && (status.success() || status.code().is_none_or(|code| code > 128)) {
            self.gone = Some((State::Done, how));
            return 0;
        }
        let ran = self.started.elapsed();
        if status.success() {
            match self.command.ends {
                Ends::After(length) if ran + EARLY >= length => {
                    self.gone = Some((State::Done, how));
                    return 0;
                }
                // A restart could read again what has been counted.
                Ends::Unknown => {
                    if kept && !quiet {
                        note(&format!("'{}' {how}; it is not started again", self.command.text));
                    }
                    self.gone = Some((State::Ended, how));
                    return 0;
                }
                // A tool ends with 0 on a signal, too.
                Ends::Never | Ends::After(_) => how += " before it was to end",
            }
        }
        if ran >= HEALTHY {
            self.restarts = 0;
        }
        self.refused = status.code().and_then(Exit::of_status).filter(|exit| NO_RETRY.contains(exit));
        self.fell(how, stopping || self.refused.is_some(), manner)
    }

    /// Handles a failure to run: schedules a restart, unless that is hopeless or there were too many;
    /// returns 1 if there is none.
    pub fn fell(&mut self, how: String, hopeless: bool, manner: Manner) -> u32 {
        let text = &self.command.text;
        if hopeless || self.restarts == RESTARTS {
            let after = match hopeless {
                true => String::new(),
                false => format!(", after {RESTARTS} restarts; not started again"),
            };
            if !(manner.alone && self.refused.is_some()) {
                note(&format!("'{text}' {how}{after}"));
            }
            self.gone = Some((State::Failed, how));
            return 1;
        }
        self.restarts += 1;
        self.restarted += 1;
        self.restart_at = Some(Instant::now() + BACK_OFF);
        self.gone = Some((State::Restarting, how.clone()));
        if !manner.quiet {
            let nth = self.restarts;
            note(&format!(
                "'{text}' {how}; starting it again in {} s ({nth} of {RESTARTS})",
                BACK_OFF.as_secs()
            ));
        }
        0
    }
}
