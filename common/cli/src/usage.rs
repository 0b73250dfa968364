//! Mistakes on a command line, answered in one line with what is right.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

use crate::exit::{Failure, Result};
use crate::habits;

/// The failure of a command line, status 2: what is wrong, and what to type instead if that is known.
pub fn failure(command: &Command, error: &Error) -> Failure {
    let said = habit(command, error).unwrap_or_else(|| one_line(error));
    Failure::usage(format!("{said} (see --help)"))
}

/// Checks that there is room for the values of an option.
///
/// # Errors
/// A usage error for more than `most`.
pub fn at_most<T>(most: usize, values: &[T], option: &str) -> Result<()> {
    match values.len() <= most {
        true => Ok(()),
        false => Err(Failure::usage(format!("{option} can be given {most} times at most"))),
    }
}

/// A message of clap's in one line, with its tips.
pub fn one_line(error: &Error) -> String {
    let text = error.to_string();
    let mut paragraphs = text.split("\n\n");
    let words = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let first = words(paragraphs.next().unwrap_or_default());
    let mut line = first.trim_start_matches("error: ").to_owned();
    let lines = paragraphs.flat_map(str::lines);
    for tip in lines.filter_map(|line| line.trim_start().strip_prefix("tip: ")) {
        // How to pass a value that looks like an option is said of nearly every mistake.
        if !tip.starts_with("to pass ") {
            line = format!("{line}; {}", words(tip));
        }
    }
    line
}

/// What to type for a process that is known by its name.
fn pid(tool: &str, name: &str) -> String {
    format!("-p (--pid) takes the number of a process: type `{tool} -p $(pidof -s {name})`")
}

/// The answer to a user of other tools.
fn habit(command: &Command, error: &Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let tool = command.get_name();
    let has = |name: &str| command.get_arguments().any(|argument| argument.get_long() == Some(name));
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let option = text(ContextKind::InvalidArg)?;
            match option.starts_with('-') {
                true => habits::of_option(tool, option, &has),
                false => None,
            }
        }
        ErrorKind::ValueValidation => {
            let of_time = |argument: &str| argument.contains("INTERVAL") || argument.contains("--duration");
            let value = text(ContextKind::InvalidValue)?;
            match text(ContextKind::InvalidArg)? {
                argument if of_time(argument) => habits::of_name(tool, value, &has),
                argument if argument.starts_with("--pid") && habits::is_name(value) => Some(pid(tool, value)),
                _ => None,
            }
        }
        ErrorKind::InvalidValue if text(ContextKind::InvalidArg)?.starts_with("--pid") => {
            text(ContextKind::InvalidValue).filter(|value| value.is_empty()).map(|_| pid(tool, "nginx"))
        }
        _ => None,
    }
}
