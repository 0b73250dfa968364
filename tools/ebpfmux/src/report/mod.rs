//! `ebpfmux report FILE… > report.html`: a page of what was recorded, in one file that loads nothing.

mod asserts;
mod axis;
mod course;
mod heatmap;
mod help;
mod html;
pub mod options;
mod told;
mod tools;

use std::io::Write;
use std::process::ExitCode;

use cli::exit::{Exit, Failure, Result};
use record::fields::Unit;

use crate::filter::condition::Condition;
use crate::note::note;
use crate::over_time::{By, OverTime, Selection, Shape, Timeline, read};
use crate::record::span::Span;
use asserts::Assert;
use axis::Axis;
use options::Args;

/// Keys that say what was done, not by whom.
const OPERATIONS: &[&str] = &["op", "call", "proto"];
/// How many steps a time line has at most.
const STRETCHES: usize = 360;
/// How many keys' totals are kept for each tool.
const KEYS: usize = 5000;

/// Nothing is loaded and no script runs, whatever a browser finds in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Writes the page of what the command line names.
///
/// # Errors
/// When a file cannot be read or has no records, when a condition does not hold, when stdout cannot be written to.
pub fn run(args: &Args) -> Result<ExitCode> {
    let check = args.check.as_ref().map(|file| {
        std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("--check: {}: cannot be read: {error}", file.display())))
    });
    let check = check.transpose()?;
    let span = Span::of(args.from.as_deref(), args.to.as_deref(), args.utc)?;
    let keep = args.keep.as_deref().map(|text| Condition::new("--where", text)).transpose()?;
    let mut selection = Selection { rules: args.reading.rules(span), keep };
    let mut asserts = args.assert.iter().map(|text| Assert::new(text)).collect::<Result<Vec<_>>>()?;
    let shape = |stretches, keys, by| OverTime::new(Shape { stretches, keys, by });
    let mut over_time = shape(STRETCHES, 100, By::Known(OPERATIONS));
    let mut owners = shape(2, KEYS, By::Others(OPERATIONS));
    let (mut complete, mut records) = (true, 0);
    for file in &args.files {
        complete &= read(file, &mut selection, |time, fields| {
            records += 1;
            asserts.iter_mut().try_for_each(|assert| assert.judge(time, fields))?;
            over_time.add(time, fields)?;
            owners.add(time, fields)
        })?;
    }
    selection.keep.iter().try_for_each(Condition::finish)?;
    asserts.iter().try_for_each(Assert::finish)?;
    if owners.left_out > 0 && !args.reading.quiet {
        note(&format!(
            "{} records are of more than {KEYS} keys of a tool: they are in no list of owners",
            owners.left_out
        ));
    }
    let lines = || over_time.tools.values().flat_map(|tool| tool.hosts.values()).filter_map(Timeline::span);
    let Some((from, to)) = lines().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else {
        return Err(Failure::failed("no record of an interval: there is nothing to show"));
    };
    let axis = Axis::new(from, to, table::Zone::new(args.utc));
    let page = page(args, &over_time, &owners, (&asserts, check.as_deref(), records), &axis);
    std::io::stdout().write_all(page.as_bytes()).map_err(Failure::stdout)?;
    match asserts.iter().find_map(|assert| assert.first.as_ref()) {
        Some((_, why)) => Err(Failure::new(Exit::CheckFailed, why.clone())),
        // What could not be read was reported when it happened.
        None if !complete => Err(Failure::failed("")),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn page(
    args: &Args,
    over_time: &OverTime,
    owners: &OverTime,
    (asserts, check, records): (&[Assert], Option<&str>, u64),
    axis: &Axis,
) -> String {
    let mut hosts: Vec<&str> =
        over_time.tools.values().flat_map(|tool| tool.hosts.keys()).map(String::as_str).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let [first, last] = axis.ends();
    let of_hosts = match &hosts[..] {
        [host] => html::text(host),
        hosts => format!("{} hosts", hosts.len()),
    };
    let title = args.title.as_deref().map_or_else(|| of_hosts.clone(), html::text);
    let nav: String =
        over_time.tools.keys().map(|name| format!("<a href=\"#{0}\">{0}</a>", html::text(name))).collect();
    let style = include_str!("style.css").trim_end();
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n<meta http-equiv=Content-Security-Policy content=\"{POLICY}\">\n\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\n<title>{title}</title>\n<style>\n{style}\n</style>\n\
         <h1>{title}</h1>\n<p class=soft>{} to {}, of {of_hosts}. Made by ebpfmux {}.</p>\n<nav>{nav}</nav>\n",
        axis.told(first),
        axis.told(last),
        env!("CARGO_PKG_VERSION")
    );
    page += "<h3>What was recorded</h3>\n";
    page += &told::recorded(over_time, records, axis);
    page += &told::asserts(asserts, axis);
    page += &told::gaps(over_time, axis);
    page += &told::check(check, over_time);
    page += &tools::parts(over_time, owners, axis);
    page + "</html>\n"
}

/// A number for a person, with its unit where it is one of bytes or of time.
fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes if value >= 1024.0 => {
            let short = table::numbers::bytes(value);
            let (digits, prefix) = short.split_at(short.len() - 1);
            format!("{digits} {prefix}iB")
        }
        Unit::Bytes => format!("{} B", table::numbers::significant(value)),
        Unit::Microseconds => time(value),
        _ if value.abs() >= 100_000.0 => table::numbers::count(value),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ => table::numbers::significant(value),
    }
}

/// A length of time, given in microseconds.
fn time(micros: f64) -> String {
    let of = table::numbers::significant;
    match micros {
        _ if micros < 1.0 => format!("{:.0} ns", micros * 1e3),
        _ if micros < 1e3 => format!("{} µs", of(micros)),
        _ if micros < 1e6 => format!("{} ms", of(micros / 1e3)),
        _ => format!("{} s", of(micros / 1e6)),
    }
}
