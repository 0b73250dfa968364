//! The first word of a command line where it is a subcommand: `diff`, `report`. A file of such a name is given as `./diff`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Command, CommandFactory, FromArgMatches};
use cli::exit::{Failure, Result};
use cli::{generate, help, inherited, usage};

use crate::{declare, diff, report};

/// The command lines of all subcommands, under their names.
pub fn commands() -> [Command; 2] {
    [diff::options::Args::command().name("diff"), report::options::Args::command().name("report")]
}

/// Runs the subcommand that the process's command line names; `None` if it names none.
///
/// # Errors
/// What is wrong with its command line, and what it returns.
pub fn run() -> Result<Option<ExitCode>> {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    let name = words.get(1).and_then(|word| word.to_str()).unwrap_or_default().to_owned();
    if !matches!(name.as_str(), "diff" | "report") {
        return Ok(None);
    }
    words.remove(1);
    let done = Ok(ExitCode::SUCCESS);
    let outcome = match name.as_str() {
        "diff" => parse::<diff::options::Args>(&words)?.map(|args| {
            declare(&args.reading.schema)?;
            diff::run(&args)
        }),
        _ => parse::<report::options::Args>(&words)?.map(|args| {
            declare(&args.reading.schema)?;
            report::run(&args)
        }),
    };
    outcome.unwrap_or(done).map(Some)
}

/// Reads the words of a subcommand; `None` if --help or the like has been printed.
fn parse<A: CommandFactory + FromArgMatches>(words: &[OsString]) -> Result<Option<A>> {
    inherited::check_stdout()?;
    let command = || help::shaped(A::command(), words, &[]);
    let parsed = command().try_get_matches_from(words).and_then(|matches| {
        // It stands alone, without what is needed else.
        match matches.get_one::<generate::Form>("generate") {
            Some(form) => Ok(Err(*form)),
            None => A::from_arg_matches(&matches).map(Ok),
        }
    });
    match parsed {
        Ok(Ok(args)) => Ok(Some(args)),
        Ok(Err(form)) => generate::print(A::command(), form).map(|()| None),
        Err(error) if error.use_stderr() => Err(usage::failure(&command(), &error)),
        Err(error) => error.print().map(|()| None).map_err(Failure::stdout),
    }
}
