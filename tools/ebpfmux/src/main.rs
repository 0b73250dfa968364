//! `ebpfmux`: merges, joins and converts the streams of the tools.

mod args;
mod buffer;
mod child;
mod children;
mod csv_out;
mod join;
mod lines;
mod merge;
mod output;
mod record;
mod reorder;
mod sink;
mod source;
mod table;
mod tally;
mod tree;
mod ts;
mod wait;
mod window;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use common::exit::{Exit, Failure, Result, report};
use common::signals::Stop;

use crate::args::{Args, Format};
use crate::child::CommandLine;
use crate::children::Children;
use crate::csv_out::CsvOut;
use crate::join::Join;
use crate::merge::Merge;
use crate::sink::{Form, Sink};
use crate::source::{Rules, Source};
use crate::tally::note;

fn main() -> ExitCode {
    report("ebpfmux", Args::read().and_then(|args| args.map_or(Ok(()), run)))
}

fn run(args: Args) -> Result<()> {
    let commands: Vec<CommandLine> =
        args.run.iter().map(|text| CommandLine::parse(text)).collect::<Result<_>>()?;
    let rules =
        Rules { strict: args.strict, quiet: args.quiet, verbose: args.verbose, lateness: args.lateness };
    let stop = Stop::on_signals()?;
    let deadline = args.duration.map(|duration| Instant::now() + duration);

    let names =
        if args.files.is_empty() && commands.is_empty() { vec![PathBuf::from("-")] } else { args.files };
    let mut sources = Vec::new();
    for name in &names {
        match open(name, rules) {
            Ok(source) => sources.push(source),
            Err(error) => note(&format!("cannot read {}: {error}", name.display())),
        }
    }
    let unopened = names.len() - sources.len();

    let mut children = Children::new(args.quiet);
    for command in commands {
        let name = command.text.clone();
        let pipe = children.start(command, sources.len())?;
        let source = Source::of_child(name, pipe, rules);
        sources.push(source.map_err(|error| Failure::failed(format!("cannot read a pipe: {error}")))?);
    }

    let csv = args.output == Format::Csv;
    let form = match args.join {
        Some(length) => Form::Join(Box::new(Join::new(length, csv, args.quiet))),
        None if csv => Form::Csv(CsvOut::default()),
        None => Form::Json,
    };
    let hold = args.wait.max(args.lateness);
    Merge { sources, children, sink: Sink::new(form), stop, hold, deadline, verbose: args.verbose }.run()?;
    match unopened {
        0 => Ok(()),
        // Each has been named when it could not be opened.
        _ => Err(Failure::new(Exit::Usage, "")),
    }
}

fn open(name: &Path, rules: Rules) -> io::Result<Source> {
    if name.as_os_str() == "-" { Source::stdin(rules) } else { Source::open(name, rules) }
}
