//! Generated from the definitions of a program's command line and of its records: the manual page,
//! the page in `docs/tools`, and shell completions.

mod man;
mod markdown;
mod options;
mod sections;

use std::io::{self, Write};

use clap::{Command, ValueEnum};

use crate::complete;
use crate::exit::{Failure, Result};

/// What can be generated: the values of the hidden option `--generate`, for packagers of the tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// The manual page.
    Man,
    /// The page in `docs/tools`.
    Markdown,
    /// Completions for bash.
    Bash,
    /// Completions for zsh.
    Zsh,
    /// Completions for fish.
    Fish,
    /// The options, for a program that makes command lines: see `options`.
    Options,
}

/// Prints a form of a program's command line.
///
/// # Errors
/// When stdout cannot be written to.
pub fn print(command: Command, form: Form) -> Result<()> {
    let shell = match form {
        Form::Man => return out(man::page(command).map_err(Failure::stdout)?.as_bytes()),
        Form::Options => return out(options::lines(command).as_bytes()),
        Form::Markdown => return out(markdown::page(command).as_bytes()),
        Form::Bash => "bash",
        Form::Zsh => "zsh",
        Form::Fish => "fish",
    };
    out(complete::script(&command, shell).map_err(Failure::stdout)?.as_bytes())
}

fn out(text: &[u8]) -> Result<()> {
    io::stdout().write_all(text).map_err(Failure::stdout)
}
