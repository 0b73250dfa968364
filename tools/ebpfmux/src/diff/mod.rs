//! `ebpfmux diff BEFORE AFTER`: what changed between two recordings, and by how much.

mod compare;
mod estimate;
mod figures;
mod forms;
mod help;
mod limit;
pub mod options;
mod statistics;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use cli::exit::{Exit, Failure, Result};

use crate::filter::condition::Condition;
use crate::note::note;
use crate::over_time::{By, OverTime, Selection, Shape, read};
use crate::record::span::Span;
use compare::{FEWEST, OfTool, compare};
use options::Args;

/// How many stretches of each time line are compared: more intervals are merged first.
const STRETCHES: usize = 128;
/// How many keys of a tool are compared.
const KEYS: usize = 1000;

/// Compares what the command line names.
///
/// # Errors
/// When one cannot be read, or a name is in none of its records; when a change is above --fail-above.
pub fn run(args: &Args) -> Result<ExitCode> {
    let by = args.by.as_deref().map_or(Ok(By::Usual), By::parse)?;
    let spans = spans(args)?;
    let mut keep = args.keep.as_deref().map(|text| Condition::new("--where", text)).transpose()?;
    let shape = Shape { stretches: STRETCHES, keys: KEYS, by };
    let mut complete = true;
    let mut sides = Vec::new();
    for (name, span) in [&args.before, &args.after].into_iter().zip(spans) {
        let mut selection = Selection { rules: args.reading.rules(span), keep: keep.take() };
        let mut side = OverTime::new(shape.clone());
        complete &= read(name, &mut selection, |time, fields| side.add(time, fields))?;
        keep = selection.keep;
        sides.push(side);
    }
    let [before, after] = &sides[..] else { return Ok(ExitCode::SUCCESS) };
    keep.iter().try_for_each(Condition::finish)?;
    refuse(args, before, after)?;
    let tools = compare(before, after, args.least());
    if !args.reading.quiet {
        notes(args, [before, after], &tools);
    }
    let shape = args.output.unwrap_or(match std::io::stdout().is_terminal() {
        true => options::Shape::Table,
        false => options::Shape::Json,
    });
    let text = forms::text(shape, &tools, args);
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::stdout)?;
    let broken = broken(args, &tools);
    match (broken, complete) {
        (Some(why), _) => Err(Failure::new(Exit::CheckFailed, why)),
        // What could not be read was reported when it happened.
        (None, false) => Err(Failure::failed("")),
        (None, true) => Ok(ExitCode::SUCCESS),
    }
}

/// The span of each side.
fn spans(args: &Args) -> Result<[Span; 2]> {
    for (option, given) in [("--from", &args.from), ("--to", &args.to)] {
        if given.len() > 2 {
            return Err(Failure::usage(format!(
                "{option} is given {} times; once for each side is enough",
                given.len()
            )));
        }
    }
    let of = |given: &[String], side: usize| given.get(side).or(given.first()).cloned();
    let span =
        |side| Span::of(of(&args.from, side).as_deref(), of(&args.to, side).as_deref(), args.table.utc);
    Ok([span(0)?, span(1)?])
}

/// Fails if there is nothing to compare.
fn refuse(args: &Args, before: &OverTime, after: &OverTime) -> Result<()> {
    if let (Some(name), Some(_)) = (before.unseen(), after.unseen()) {
        return Err(Failure::usage(format!("--by: no record had a `{name}`")));
    }
    for (side, name) in [(before, &args.before), (after, &args.after)] {
        if side.tools.is_empty() {
            let events = if side.events > 0 { ": there are only events, which have none" } else { "" };
            return Err(Failure::failed(format!("{}: no record of an interval{events}", name.display())));
        }
    }
    match before.tools.keys().any(|tool| after.tools.contains_key(tool)) {
        true => Ok(()),
        false => Err(Failure::failed("the two have no tool in common: nothing can be compared")),
    }
}

/// What is not compared, and why.
fn notes(args: &Args, sides: [&OverTime; 2], tools: &[OfTool]) {
    let names: [&Path; 2] = [&args.before, &args.after];
    for (side, name) in sides.iter().zip(names) {
        let name = name.display();
        if side.events > 0 {
            note(&format!("{name}: {} records of events are left out: they have no interval", side.events));
        }
        if side.left_out > 0 {
            let left_out = side.left_out;
            note(&format!(
                "{name}: {left_out} records are left out, of more than {KEYS} keys of a tool: see --by"
            ));
        }
    }
    for (at, name) in names.iter().enumerate() {
        let other = sides[1 - at];
        let alone = sides[at].tools.keys().filter(|tool| !other.tools.contains_key(*tool));
        alone.for_each(|tool| note(&format!("{tool} is only in {}: it is not compared", name.display())));
    }
    for tool in tools {
        if tool.intervals.iter().any(|n| *n < FEWEST) {
            let [before, after] = tool.intervals;
            let name = &tool.name;
            note(&format!("{name}: {before} and {after} intervals are too few to tell noise from change"));
        }
        if tool.lacks_buckets {
            let name = &tool.name;
            note(&format!("{name}: percentiles are not compared: run it with --buckets"));
        }
    }
}

/// Which changes are above a limit, in a sentence.
fn broken(args: &Args, tools: &[OfTool]) -> Option<String> {
    let figures = tools.iter().flat_map(|tool| {
        let keys = tool.keys.iter().map(move |key| (tool, key));
        keys.flat_map(|(tool, key)| key.figures.iter().map(move |figure| (tool, key, figure)))
    });
    let above = figures.filter(|(.., figure)| args.limits().iter().any(|limit| limit.is_broken_by(figure)));
    let above: Vec<_> = above.collect();
    let (tool, key, figure) = above.first()?;
    let more = match above.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let (key, change) = (forms::key(&key.key), forms::change(figure.change()));
    Some(format!("--fail-above: {}: {change}{more}", forms::words(&[&tool.name, &key, &figure.name])))
}
