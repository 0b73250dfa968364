//! `--live`: the stream on one screen, now or of a recording.
//!
//! Data goes: another `ebpfmux` that merges (`input`), what is known of its records (`state`), what of that is shown
//! (`view`, changed by `keys`, `player`), the picture (`draw`), the terminal (`screen`). Nothing that is kept grows without
//! bound: see `state`.

mod draw;
mod input;
pub mod keys;
mod player;
mod reading;
mod screen;
mod show;
mod state;
mod view;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::Path;

use cli::exit::{Exit, Failure, Result};
use cli::signals::Stop;

use crate::args::Args;
use show::Show;

/// Shows what these arguments say until it is to end.
///
/// # Errors
/// Bad usage where there is no terminal or nothing to show; else the status of the merge.
pub fn run(args: &Args) -> Result<()> {
    screen::check()?;
    let stdin =
        args.files.iter().any(|file| file.as_os_str() == "-") || args.files.is_empty() && args.run.is_empty();
    if stdin && io::stdin().is_terminal() {
        let what = "--live: of what? ebpfmux --live --run 'biolat 1', or ebpfmux --live FILE; a tool alone: biolat --live";
        return Err(Failure::usage(what));
    }
    let of_files = !stdin && args.run.is_empty() && args.files.iter().all(|file| is_file(file));
    if of_files
        && (args.record.is_some()
            || args.serve.is_some()
            || args.otlp.is_some()
            || args.otlp_traces.is_some())
    {
        return Err(Failure::usage(
            "--live over files reads them again and again: leave --record, --serve and --otlp out",
        ));
    }
    let stop = Stop::on_signals()?;
    let mut show = Show::start(words(), stdin, of_files, args.table)?;
    let shown = show.work(&stop);
    let (status, messages) = show.end();
    messages.print();
    shown?;
    match status.and_then(|status| status.code()).and_then(Exit::of_status) {
        Some(Exit::Done) => Ok(()),
        // It said why, but for a command that ended without a word.
        Some(exit) if messages.count > 0 => Err(Failure::new(exit, "")),
        Some(exit) => Err(Failure::new(exit, format!("the command ended with status {}", exit as u8))),
        None => Err(Failure::failed("the merge behind the screen did not end in order")),
    }
}

/// Whether it can be read again: a file, or the folder of a recording.
fn is_file(path: &Path) -> bool {
    // What is not there is reported by the merge.
    path.metadata().map_or(true, |metadata| metadata.is_file() || metadata.is_dir())
}

/// The command line of the merge: --live, which no option takes as its value, becomes --behind-screen.
fn words() -> Vec<OsString> {
    let mut words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    if let Some(at) = words[..end].iter().position(|word| word == "--live") {
        words[at] = "--behind-screen".into();
    }
    words
}
