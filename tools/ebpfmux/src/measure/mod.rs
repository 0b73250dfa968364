//! `ebpfmux -- COMMAND`: counts the work of one command, by the tools, in a cgroup of its own.
//!
//! The tools are started and attached first, so that nothing of the command is missed; it is started then, with this
//! process's terminal; at its end the tools are stopped, and what they counted is summed up.

mod cgroup;
pub mod options;
mod program;
mod summary;
mod tools;

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::rc::Rc;
use std::time::{Duration, Instant};

use cli::exit::{Exit, Failure, Result};
use cli::signals::Stop;

use crate::filter::condition::Condition;
use crate::filter::resolve::Resolver;
use crate::note::note;
use crate::record::{Fields, Value, find};
use crate::supervisor::Children;
use crate::supervisor::child::CommandLine;
use cgroup::{Cgroup, Used};
use options::{Form, Options};
use program::Program;
use summary::{Check, Summary};

/// The keys of the sums, unless --by says others.
pub const KEYS: &str = "op,call,proto";

/// How long the tools may take to attach. The slowest takes seconds on an emulated machine.
const ATTACH: Duration = Duration::from_secs(120);

/// The sums, which the last stage of the merge leaves here.
pub type Totals = Rc<RefCell<Vec<Fields<'static>>>>;

/// A command that is measured.
pub struct Measured {
    options: Options,
    cgroup: Cgroup,
    /// Whether tools that this kernel cannot run may be missing: nobody has named them.
    may_lack: bool,
    state: State,
    /// The names of the tools, in the order of the summary.
    tools: Vec<String>,
    /// Whether it was asked to end.
    terminated: bool,
    /// The sums.
    pub totals: Totals,
}

enum State {
    /// The tools attach, since then.
    Attaching(Instant),
    /// The command runs, since then.
    Running(Program, Instant),
    /// It has ended so, after so long, having used this.
    Ended(ExitStatus, Duration, Used),
    /// It could not be started: the status to end with.
    Refused(u8),
}

impl Measured {
    /// What the options ask for; `None` if there is no command. `run` are the commands of --run.
    ///
    /// # Errors
    /// When no cgroup can be made for it, or a command of --run is wrong.
    pub fn of(options: Options, run: &[String]) -> Result<Option<(Self, Vec<CommandLine>)>> {
        if options.command.is_empty() {
            return Ok(None);
        }
        let cgroup = Cgroup::make()?;
        let commands = tools::commands(run, cgroup.path())?;
        let (may_lack, state) = (run.is_empty(), State::Attaching(Instant::now()));
        let tools = commands.iter().map(|command| command.name().to_owned()).collect();
        let totals = Totals::default();
        let measured = Self { options, cgroup, may_lack, state, tools, terminated: false, totals };
        Ok(Some((measured, commands)))
    }

    /// Starts the command when all tools have attached, and notices its end. Returns whether it is over.
    ///
    /// # Errors
    /// When a tool cannot attach: the command is not run then.
    pub fn step(&mut self, children: &Children, stop: &Stop) -> Result<bool> {
        match &mut self.state {
            State::Attaching(since) => {
                let late = since.elapsed() > ATTACH;
                if stop.requested() {
                    return Err(Failure::failed("asked to end before the command was started"));
                }
                self.refuse(children)?;
                if children.attaching() == 0 {
                    self.start(children)?;
                } else if late {
                    let seconds = ATTACH.as_secs();
                    return Err(Failure::failed(format!(
                        "the command was not run: a tool has not told within {seconds} s where it has attached"
                    )));
                }
            }
            State::Running(program, since) => {
                if let Some(status) = program.status() {
                    self.state = State::Ended(status, since.elapsed(), self.cgroup.used());
                } else if stop.requested() && !self.terminated {
                    self.terminated = true;
                    program.terminate();
                }
            }
            State::Ended(..) | State::Refused(_) => {}
        }
        Ok(matches!(self.state, State::Ended(..) | State::Refused(_)))
    }

    /// Fails if a tool that was asked for has failed.
    fn refuse(&self, children: &Children) -> Result<()> {
        let lacks = |exit: Option<Exit>| self.may_lack && exit == Some(Exit::Unsupported);
        let Some((text, exit, reason)) = children.failures().find(|(_, exit, _)| !lacks(*exit)) else {
            return Ok(());
        };
        let exit = exit.unwrap_or(Exit::Failed);
        Err(Failure::new(exit, format!("the command was not run: '{text}' {reason}")))
    }

    fn start(&mut self, children: &Children) -> Result<()> {
        if children.running() == 0 {
            return Err(Failure::unsupported("the command was not run: no tool could be attached"));
        }
        let entrance = self.cgroup.entrance();
        let entrance = entrance
            .map_err(|error| Failure::failed(format!("cannot open the command's cgroup: {error}")))?;
        self.state = match Program::start(&self.options.command, entrance) {
            Ok(program) => State::Running(program, Instant::now()),
            Err((code, error)) => {
                let name =
                    self.options.command.first().map(|name| name.to_string_lossy()).unwrap_or_default();
                note(&format!("cannot run {name}: {error}"));
                State::Refused(code)
            }
        };
        Ok(())
    }

    /// Becomes readable when the command has ended.
    pub fn ended(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Running(program, _) => Some(program.ended()),
            _ => None,
        }
    }

    /// Whether requests to end have been passed on, so that they need not wake anybody any more.
    pub fn heeds_no_more(&self) -> bool {
        self.terminated
    }

    /// When to look again though nothing has happened.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            // What tools tell while they attach wakes nobody.
            State::Attaching(_) => Some(Instant::now() + Duration::from_millis(2)),
            _ => None,
        }
    }

    /// Prints the summary, and returns the status to end with: the command's own, or 5 if that is 0 and a condition does
    /// not hold.
    ///
    /// # Errors
    /// What ended the merge, if the command was not run; when the summary cannot be written; when a condition has a name
    /// that no record has.
    pub fn finish(self, merged: Result<()>, conditions: &mut [Condition], quiet: bool) -> Result<ExitCode> {
        let mut complete = merged.is_ok();
        let (status, elapsed, used) = match self.state {
            State::Attaching(_) => {
                let why = "the command was not run: all tools have ended";
                return Err(merged.err().unwrap_or_else(|| Failure::failed(why)));
            }
            State::Refused(code) => return Ok(ExitCode::from(code)),
            State::Ended(status, elapsed, used) => (status, elapsed, used),
            // The tools have ended. The command has not.
            State::Running(mut program, since) => {
                complete = false;
                (program.wait(), since.elapsed(), self.cgroup.used())
            }
        };
        if let Err(failure) = merged
            && !failure.message.is_empty()
        {
            note(&failure.message);
        }
        let mut totals = self.totals.take();
        // As they were asked for, whichever came first.
        let order = |record: &Fields<'_>| {
            let tool = find(record, "tool").map_or("", Value::text);
            self.tools.iter().position(|known| known == tool).unwrap_or(usize::MAX)
        };
        totals.sort_by_key(order);
        let checks =
            conditions.iter_mut().map(|condition| check(condition, &totals)).collect::<Result<Vec<_>>>()?;
        let code = program::code(status);
        let broken: Vec<String> = checks.iter().filter_map(|check| check.broken.clone()).collect();
        let words = summary::words(&self.options.command);
        let summary = Summary {
            words,
            code,
            signal: status.signal(),
            elapsed,
            used,
            totals: &totals,
            checks,
            complete,
        };
        print(&summary, &self.options, quiet)?;
        broken.iter().for_each(|why| note(why));
        let check_failed = Exit::CheckFailed as u8;
        Ok(ExitCode::from(if code == 0 && !broken.is_empty() { check_failed } else { code }))
    }
}

/// Writes the summary to its file, or on stderr.
fn print(summary: &Summary<'_>, options: &Options, quiet: bool) -> Result<()> {
    let text = summary.form(options.summary);
    if let Some(file) = &options.summary_file {
        return fs::write(file, text).map_err(|error| {
            Failure::failed(format!("cannot write the summary to {}: {error}", file.display()))
        });
    }
    if !quiet {
        match options.summary {
            Form::Text => cli::stderr::lines(&text),
            // Text of a program, or with its own escapes.
            _ => _ = std::io::stderr().write_all(text.as_bytes()),
        }
    }
    Ok(())
}

/// Whether a condition holds for all sums.
fn check(condition: &mut Condition, totals: &[Fields<'static>]) -> Result<Check> {
    let mut broken = None;
    for record in totals {
        let why = condition.broken(&Resolver::new(record))?;
        broken = broken.or(why);
    }
    condition.finish()?;
    Ok(Check { text: condition.text().to_owned(), broken })
}
