//! The manual page and the shells' completions of a tool, from the definitions that parse its command line.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};

use clap::Command;
use clap_complete::{Shell, generate};

use crate::exit::{Failure, Result};

/// What asks for them, as the only option: for whoever packages the tools, and so not among those of `--help`.
const OPTION: &str = "--generate";

/// Prints what the command line asks for, if it does.
///
/// # Errors
/// With the usage's status for a word that is none of `man`, `bash`, `zsh` and `fish`; when stdout cannot be written to.
pub fn printed(command: fn() -> Command, args: &[OsString]) -> Result<bool> {
    match args {
        [_, option, what] if option == OPTION => print(command(), what).map(|()| true),
        _ => Ok(false),
    }
}

fn print(mut command: Command, what: &OsStr) -> Result<()> {
    let name = command.get_name().to_string();
    let mut text = Vec::new();
    let shell = match what.to_str() {
        Some("man") => None,
        Some("bash") => Some(Shell::Bash),
        Some("zsh") => Some(Shell::Zsh),
        Some("fish") => Some(Shell::Fish),
        _ => {
            let given = what.display();
            return Err(Failure::usage(format!("{OPTION} {given}: not one of man, bash, zsh, fish")));
        }
    };
    match shell {
        Some(shell) => generate(shell, &mut command, name, &mut text),
        None => {
            clap_mangen::Man::new(command).render(&mut text).map_err(Failure::stdout)?;
            text = with_headings(&String::from_utf8_lossy(&text)).into_bytes();
        }
    }
    io::stdout().write_all(&text).map_err(Failure::stdout)
}

/// What `--help` shows behind the options has headings of its own, which are sections of a page.
fn with_headings(page: &str) -> String {
    let Some((options, behind)) = page.split_once(".SH EXTRA\n") else { return page.to_string() };
    let heading = |line: &str| {
        let words = line.strip_suffix(':').filter(|words| words.starts_with(|c: char| c.is_uppercase()));
        words.map_or_else(|| line.to_string(), |words| format!(".SH {}", words.to_uppercase()))
    };
    let behind: Vec<String> = behind.lines().map(heading).collect();
    format!("{options}{}\n", behind.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_sections() {
        let page =
            ".SH OPTIONS\nSays: no\n.SH EXTRA\nExamples:\n  tool 1\n\nBounds:\n  none\nOrder: is kept\n";
        let expected =
            ".SH OPTIONS\nSays: no\n.SH EXAMPLES\n  tool 1\n\n.SH BOUNDS\n  none\nOrder: is kept\n";
        assert_eq!(with_headings(page), expected);
        assert_eq!(with_headings(".SH NAME\nExamples:\n"), ".SH NAME\nExamples:\n");
    }
}
