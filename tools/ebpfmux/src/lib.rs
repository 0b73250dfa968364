//! `ebpfmux`: merges, re-windows, joins, checks, records and serves the streams of the tools.
//!
//! A library, so that the parsers of untrusted input can be fuzzed; the program is [`main`].

mod args;
mod config;
mod file_size;
mod filter;
pub mod fuzz;
mod help;
mod join;
mod merge;
mod metrics;
mod note;
mod otlp;
mod record;
mod serve;
mod sink;
mod source;
mod supervisor;
mod window;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use ::record::fields::Schemas;
use cli::exit::{Exit, Failure, Result, report};
use cli::shortage;
use cli::signals::Stop;

use crate::args::{Args, Format};
use crate::config::Config;
use crate::config::reload::Reloads;
use crate::filter::Filter;
use crate::filter::condition::Condition;
use crate::filter::select::Select;
use crate::join::Join;
use crate::merge::Merge;
use crate::metrics::{Bounds, Shared};
use crate::note::note;
use crate::otlp::Exporter;
use crate::otlp::settings::Settings;
use crate::serve::Serving;
use crate::serve::token::Made;
use crate::sink::csv::CsvOut;
use crate::sink::end::{End, Form};
use crate::sink::recorder::{Recorder, Rotation};
use crate::sink::totals::Totals;
use crate::sink::wide_csv::WideCsv;
use crate::sink::{Sink, Stages};
use crate::source::Source;
use crate::source::rules::Rules;
use crate::supervisor::Children;
use crate::supervisor::child::CommandLine;
use crate::supervisor::control::Control;
use crate::supervisor::planned::Planned;
use crate::window::Windows;

/// The program: reads the command line, runs it, and returns the exit status.
pub fn main() -> ExitCode {
    report("ebpfmux", Args::read().and_then(|args| args.map_or(Ok(()), run)))
}

fn run(mut args: Args) -> Result<()> {
    file_size::report_as_error();
    declare(&args.schema)?;
    let config = args.configured.take();
    if let Some(config) = &config {
        validate(config, &args)?;
        if args.only_validate {
            return Ok(());
        }
    }
    let commands = match &config {
        Some(config) => config.commands.clone(),
        None => {
            let lines = args.run.iter().map(|text| CommandLine::parse(text));
            Planned::all(lines.collect::<Result<Vec<_>>>()?)
        }
    };
    let (series, label_bytes, quiet) = (args.serve_series, args.serve_label_bytes, args.quiet);
    let metrics = Shared::new(Bounds { series, label_bytes, quiet });
    // From here on a signal ends this in order, and no file stays behind.
    let stop = Stop::on_signals()?;
    let run_later = config.is_some();
    let reloads = config.map(Reloads::new).transpose()?;
    let exporter = exporter(&args, metrics.clone())?;
    let can_order = run_later || !commands.is_empty();
    let control = control(&args, can_order, metrics.clone(), exporter.clone())?;
    // The token's file is removed at the end.
    let (control, _token) = control.unzip();
    let totals = (control.is_some() || exporter.is_some())
        .then(|| Totals { metrics: metrics.clone(), exporter: exporter.clone() });
    let sink = sink(&args, totals)?;
    let rules =
        Rules { strict: args.strict, quiet: args.quiet, verbose: args.verbose, lateness: args.lateness };
    let deadline = args.duration.map(|duration| Instant::now() + duration);

    let names =
        if args.files.is_empty() && commands.is_empty() { vec![PathBuf::from("-")] } else { args.files };
    let (mut sources, mut unopened) = (Vec::new(), Vec::new());
    for name in &names {
        match open(name, rules) {
            Ok(source) => sources.push(source),
            Err(error) => unopened.push(shortage::failure(
                Exit::Usage,
                format_args!("cannot read {}", name.display()),
                &error,
            )),
        }
    }
    unopened.iter().for_each(|failure| note(&failure.message));

    let mut children = Children::new(args.quiet);
    children.kept = control.is_some() && can_order;
    for planned in commands {
        let name = planned.command.text.clone();
        let pipe = children.start(planned, sources.len())?;
        let source = Source::of_child(name, pipe, rules);
        sources.push(source.map_err(|error| Failure::failed(format!("cannot read a pipe: {error}")))?);
    }

    let hold = args.wait.max(args.lateness);
    let outcome = Merge { sources, children, sink, control, stop, hold, deadline, reloads, rules }.run();
    if let Some(exporter) = exporter {
        exporter.finish(&metrics);
    }
    outcome?;
    // Each was reported when it could not be opened.
    unopened.first().map_or(Ok(()), |failure| Err(Failure::new(failure.exit, "")))
}

/// Reads the declarations of --schema.
fn declare(files: &[PathBuf]) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let mut schemas = Schemas::default();
    for file in files {
        let bad = |why: String| Failure::usage(format!("--schema: {}: {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| bad(format!("cannot be read: {error}")))?;
        schemas.declare(&text).map_err(bad)?;
    }
    record::declared::declare(schemas);
    Ok(())
}

/// Whether what a file of --config says can be done, as far as that is known without doing it.
fn validate(config: &Config, args: &Args) -> Result<()> {
    filter(args).map(drop).map_err(|failure| {
        let option = failure.message.split([' ', ':']).next().unwrap_or_default();
        config.failure(config.key_of(option), &failure.message)
    })
}

/// Which records, and what of them, is passed on.
fn filter(args: &Args) -> Result<(Filter, Option<Select>)> {
    let keep = args.keep.as_deref().map(|text| Condition::new("--where", text)).transpose()?;
    let asserts = args.assert.iter().map(|text| Condition::new("--assert", text)).collect::<Result<_>>()?;
    Ok((Filter { keep, asserts }, args.select.as_deref().map(Select::new).transpose()?))
}

/// What is done with the records, as the options say.
fn sink(args: &Args, totals: Option<Totals>) -> Result<Sink> {
    let (filter, select) = filter(args)?;
    let windows = |length| Windows::new(length, args.window_keys, args.by.as_deref(), args.quiet);
    let window = args.window.map(windows).transpose()?;
    // A join after --window uses the same windows.
    let join = args.join.map(|length| Join::new(args.window.unwrap_or(length), args.join_fields, args.quiet));
    let form = match (args.output, args.join) {
        (Format::Json, _) => Form::Json,
        (Format::Csv, None) => Form::Csv(CsvOut::default()),
        (Format::Csv, Some(_)) => Form::WideCsv(WideCsv::new(args.quiet)),
    };
    let rotation = Rotation { bytes: args.record_size << 20, age: args.record_age, keep: args.record_keep };
    let recorder = args.record.as_deref().map(|folder| Recorder::new(folder, rotation)).transpose()?;
    Ok(Sink::new(recorder, totals, Stages { window, join }, End::new(filter, select, form)))
}

/// Starts the exporter, if --otlp is given.
fn exporter(args: &Args, metrics: Shared) -> Result<Option<Arc<Exporter>>> {
    let Some(url) = &args.otlp else { return Ok(None) };
    let settings = Settings {
        url: url.clone(),
        interval: args.otlp_interval,
        room: args.otlp_buffer << 20,
        quiet: args.quiet,
        verbose: args.verbose,
    };
    Exporter::start(settings, &args.otlp_header, metrics).map(Some)
}

/// Starts the server, if --serve is given, and prints its address.
fn control(
    args: &Args,
    can_order: bool,
    metrics: Shared,
    exporter: Option<Arc<Exporter>>,
) -> Result<Option<(Arc<Control>, Option<Made>)>> {
    let Some(address) = &args.serve else { return Ok(None) };
    let control = Arc::new(Control::new(metrics, exporter)?);
    let token = args.serve_token.as_deref();
    let Serving { address, made } = serve::serve(address, token, can_order, Arc::clone(&control))?;
    if !args.quiet {
        note(&format!("serving on http://{address}/metrics"));
        made.iter().for_each(|made| {
            note(&format!("the token that enables and disables tools is in {}", made.path.display()));
        });
    }
    Ok(Some((control, made)))
}

fn open(name: &Path, rules: Rules) -> io::Result<Source> {
    if name.as_os_str() == "-" { Source::stdin(rules) } else { Source::open(name, rules) }
}
