//! `--check`, the doctor: what of this system decides what the tools can see, and for each tool whether it works, by what,
//! and what to do. It asks each tool by its own `--check`, since nothing here is linked with BPF.

mod system;
mod tool;

use std::io::{self, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ::record::fields::tools;
use cli::exit::{Exit, Failure, Result};

use crate::args::Format;
use crate::process;
use system::System;
use tool::{Checked, Works};

/// How long a tool may take, unless -d says otherwise: attaching takes tenths of a second, in an emulated guest a hundred
/// times that.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many tools are asked at once, at most: each takes tens of MB while it attaches.
const AT_ONCE: usize = 4;

/// Looks at the system and asks all tools that are beside this program or in PATH, each for at most `patience`. Prints
/// JSON, an object per line, or else text.
///
/// # Errors
/// Status 4 if a tool is not permitted, 3 if this kernel lacks something that one needs, 1 if one did not tell or there is
/// none; without a message, as it has been printed.
pub fn run(format: Option<Format>, patience: Option<Duration>) -> Result<()> {
    if let Some(Format::Csv | Format::None) = format {
        return Err(Failure::usage("--check prints text, or with -o json JSON"));
    }
    let system = System::look();
    let (found, absent) = find();
    if found.is_empty() {
        let beside = std::env::current_exe().unwrap_or_default();
        let place = beside.parent().unwrap_or(&beside).display();
        return Err(Failure::failed(format!("--check: no tool is in {place} or in PATH: install them")));
    }
    let checked = ask_all(&found, patience.unwrap_or(PATIENCE));
    let mut out = io::stdout().lock();
    let written = match format {
        Some(Format::Json) => write_json(&mut out, &system, &checked),
        _ => write_text(&mut out, &system, &checked, &absent),
    };
    written.and_then(|()| out.flush()).map_err(Failure::stdout)?;
    let any = |status| checked.iter().any(|checked| checked.status == Some(status));
    let silent =
        |checked: &Checked| checked.works == Works::Unknown && checked.status != Some(Exit::Usage as i32);
    match () {
        () if any(Exit::NotPermitted as i32) => Err(Failure::new(Exit::NotPermitted, "")),
        () if any(Exit::Unsupported as i32) => Err(Failure::new(Exit::Unsupported, "")),
        () if checked.iter().any(silent) => Err(Failure::new(Exit::Failed, "")),
        () => Ok(()),
    }
}

/// The tools that are there, with their programs, and those that are not.
fn find() -> (Vec<(&'static str, PathBuf)>, Vec<&'static str>) {
    let folders = process::folders();
    let mut names: Vec<_> = tools().collect();
    names.sort_unstable();
    names.dedup();
    let (mut found, mut absent) = (Vec::new(), Vec::new());
    for name in names {
        let place = folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file());
        match place {
            Some(program) => found.push((name, program)),
            None => absent.push(name),
        }
    }
    (found, absent)
}

/// Asks them, several at once; the answers are in their order.
fn ask_all(found: &[(&str, PathBuf)], patience: Duration) -> Vec<Checked> {
    let at_once = thread::available_parallelism().map_or(1, NonZero::get).min(AT_ONCE);
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((at, (name, path))) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, found.get(at)?)))
        {
            let checked = Checked::of(name, path, patience);
            if let Ok(mut all) = all.lock() {
                all.push((at, checked));
            }
        }
    };
    thread::scope(|scope| {
        // Those that cannot be started are not needed: the first is this one.
        let _ = (1..at_once).map(|_| thread::Builder::new().spawn_scoped(scope, work)).collect::<Vec<_>>();
        work();
    });
    let mut all = all.into_inner().unwrap_or_default();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, checked)| checked).collect()
}

fn write_json(out: &mut impl Write, system: &System, checked: &[Checked]) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string(system)?)?;
    checked.iter().try_for_each(|checked| writeln!(out, "{}", serde_json::to_string(checked)?))
}

fn write_text(out: &mut impl Write, system: &System, checked: &[Checked], absent: &[&str]) -> io::Result<()> {
    for (name, text) in system.lines() {
        writeln!(out, "{name:<10}  {text}")?;
    }
    writeln!(out, "\n{:<10}  {:<6}  by", "tool", "works")?;
    for checked in checked {
        let works = match checked.works {
            Works::Yes => "yes",
            Works::Partly => "partly",
            Works::No => "no",
            Works::Unknown => "?",
        };
        let line = format!("{:<10}  {works:<6}  {}", checked.tool, checked.by());
        writeln!(out, "{}", line.trim_end())?;
        for remark in checked.remarks() {
            writeln!(out, "{:<10}  {remark}", "")?;
        }
    }
    if !absent.is_empty() {
        writeln!(out, "not installed: {}", absent.join(", "))?;
    }
    Ok(())
}
