//! A command of --run: the tool's name, then what the tool itself says of its words.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap_complete::CompletionCandidate;
use cli::complete::VARIABLE;
use record::fields::tools;

use crate::process;
use crate::process::ask::ask_with;

/// How long a tool may take to say what fits: a person waits.
const PATIENCE: Duration = Duration::from_millis(150);

/// Commands that begin so.
pub fn commands(begin: &OsStr) -> Vec<CompletionCandidate> {
    let Some(begin) = begin.to_str() else { return Vec::new() };
    let Some((before, word)) = begin.rsplit_once(' ') else {
        let there: BTreeSet<&str> = tools().filter(|tool| program(tool).is_some()).collect();
        let fit = there.into_iter().filter(|tool| tool.starts_with(begin));
        return fit.map(CompletionCandidate::new).collect();
    };
    said(before, word).into_iter().map(|word| CompletionCandidate::new(format!("{before} {word}"))).collect()
}

/// What the tool says.
fn said(before: &str, word: &str) -> Vec<String> {
    let words = shlex::split(before).unwrap_or_default();
    let tool = words.first().filter(|tool| tools().any(|known| known == *tool));
    let Some(program) = tool.and_then(|tool| program(tool)) else { return Vec::new() };
    let index = words.len().to_string();
    let arguments: Vec<&str> =
        ["--"].into_iter().chain(words.iter().map(String::as_str)).chain([word]).collect();
    let variables = [(VARIABLE, "bash"), ("_CLAP_COMPLETE_INDEX", &index), ("_CLAP_IFS", "\n")];
    let Ok(answer) = ask_with(&program, &arguments, &variables, PATIENCE) else { return Vec::new() };
    String::from_utf8_lossy(&answer.stdout).lines().map(str::to_owned).collect()
}

/// The tool beside this program or in PATH, as --run finds it.
fn program(tool: &str) -> Option<PathBuf> {
    process::folders().into_iter().map(|folder| folder.join(tool)).find(|path| path.is_file())
}

/// The tools that the command line names with --run; all if it names none.
pub fn named<'a>(known: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let words: Vec<String> = env::args_os().filter_map(|word| word.into_string().ok()).collect();
    let of = |pair: &[String]| {
        let command = pair[0].strip_prefix("--run=").or((pair[0] == "--run").then_some(pair[1].as_str()))?;
        let first = command.trim_start_matches(['"', '\'']).split(' ').next()?.rsplit('/').next()?;
        known.get(first).copied()
    };
    let found: Vec<&str> = words.windows(2).filter_map(of).collect();
    if found.is_empty() { known.iter().copied().collect() } else { found }
}
