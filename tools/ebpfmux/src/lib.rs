//! `ebpfmux`: merges, re-windows, joins, checks, records and serves the streams of the tools.
//!
//! A library, so that the parsers of untrusted input can be fuzzed; the program is [`main`].

mod args;
mod command_line;
mod complete;
mod config;
mod diff;
mod discard;
mod doctor;
mod file_size;
mod filter;
pub mod fuzz;
mod help;
mod join;
mod live;
mod markup;
mod measure;
mod merge;
mod metrics;
mod note;
mod option_values;
mod otlp;
mod over_time;
mod process;
mod record;
mod report;
mod serve;
mod service;
mod sink;
mod source;
mod subcommand;
mod supervisor;
mod window;

use std::path::PathBuf;
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
use crate::measure::Measured;
use crate::merge::Merge;
use crate::metrics::{Bounds, Naming, Shared};
use crate::note::note;
use crate::otlp::exporters::Exporters;
use crate::record::span::Span;
use crate::serve::Serving;
use crate::sink::csv::CsvOut;
use crate::sink::end::{End, Form};
use crate::sink::recorder::{Recorder, Rotation};
use crate::sink::recording::Recording;
use crate::sink::recording::trigger::Trigger;
use crate::sink::tables::Tables;
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
    let outcome = subcommand::run().and_then(|ran| match ran {
        Some(code) => Ok(code),
        None => Args::read()?.map_or(Ok(ExitCode::SUCCESS), start),
    });
    outcome.unwrap_or_else(|failure| report("ebpfmux", Err(failure)))
}

fn start(args: Args) -> Result<ExitCode> {
    file_size::report_as_error();
    if args.check {
        return doctor::run(args.output, args.duration).map(|()| ExitCode::SUCCESS);
    }
    if args.live {
        return live::run(&args).map(|()| ExitCode::SUCCESS);
    }
    declare(&args.schema)?;
    if args.format() == Format::None {
        discard::stdout()?;
    }
    run(args)
}

fn run(mut args: Args) -> Result<ExitCode> {
    let config = args.configured.take();
    if let Some(config) = &config {
        validate(config, &args)?;
        if args.only_validate {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let (series, label_bytes, quiet) = (args.serve_series, args.serve_label_bytes, args.quiet);
    let metrics = Shared::new(Bounds { series, label_bytes, quiet }, naming(&args));
    // From here on a signal ends this in order, and no file stays behind.
    let stop = Stop::on_signals()?;
    let (mut measured, tools) = Measured::of(std::mem::take(&mut args.measure), &args.run)?.unzip();
    let mut asserts = Vec::new();
    let commands = match (&config, tools) {
        (Some(config), _) => config.commands.clone(),
        (None, Some(tools)) => Planned::all(tools),
        (None, None) => {
            let lines = args.run.iter().map(|text| CommandLine::parse(text));
            Planned::all(lines.collect::<Result<Vec<_>>>()?)
        }
    };
    let run_later = config.is_some();
    let reloads = config.map(Reloads::new).transpose()?;
    let exporters = Exporters::start(&args, &metrics)?;
    let can_order = run_later || !commands.is_empty();
    let control = control(&args, can_order, metrics.clone(), exporters.clone())?;
    // The token's file is removed at the end, with what serves.
    let (control, served) = control.unzip();
    let totals = (control.is_some() || exporters.any())
        .then(|| Totals::new(metrics.clone(), exporters.clone(), args.quiet));
    let mut sink = sink(&args, totals)?;
    if let Some(measured) = &measured {
        // They are about the sums, and are told of in the summary.
        asserts = std::mem::take(&mut sink.end.filter.asserts);
        sink.end.form = Form::Kept(measured.totals.clone());
        let by = args.by.as_deref().unwrap_or(measure::KEYS);
        sink.stages = Stages { window: Some(Windows::whole(args.window_keys, by, args.quiet)?), join: None };
    }
    let span = Span::of(args.from.as_deref(), args.to.as_deref(), args.table.utc)?;
    let (strict, verbose, lateness) = (args.strict, args.verbose, args.lateness);
    let rules = Rules { strict, quiet, verbose, lateness, span };
    let deadline = args.duration.map(|duration| Instant::now() + duration);

    let names =
        if args.files.is_empty() && commands.is_empty() { vec![PathBuf::from("-")] } else { args.files };
    let (mut sources, mut unopened) = (Vec::new(), Vec::new());
    for name in &names {
        match Source::named(name, rules) {
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
    children.behind_screen = args.behind_screen;
    for planned in commands {
        let name = planned.command.text.clone();
        let pipe = children.start(planned, sources.len())?;
        let source = Source::of_child(name, pipe, rules);
        sources.push(source.map_err(|error| Failure::failed(format!("cannot read a pipe: {error}")))?);
    }

    let serving = served.as_ref().map(|serving| serving.address.to_string());
    service::ready(serving.as_deref(), args.quiet);
    let hold = args.wait.max(args.lateness);
    let merge = Merge { sources, children, sink, control, stop, hold, deadline, reloads, rules };
    let outcome = merge.run(measured.as_mut());
    service::stopping(quiet);
    exporters.finish();
    if let Some(measured) = measured {
        return measured.finish(outcome, &mut asserts, quiet);
    }
    outcome?;
    // Each was reported when it could not be opened.
    unopened.first().map_or(Ok(ExitCode::SUCCESS), |failure| Err(Failure::new(failure.exit, "")))
}

/// How metrics are named, and how long they stay.
fn naming(args: &Args) -> Naming {
    let prefix = format!("{}_", args.namespace);
    Naming { host: !args.no_host, prefix, idle: args.series_idle }
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
    let tables = |all| Form::Tables(Tables::new(args.table, all, args.select.is_some()));
    let form = match (args.format(), args.join) {
        // Into /dev/null.
        (Format::Json | Format::None, _) => Form::Json,
        (Format::Csv, None) => Form::Csv(CsvOut::default()),
        (Format::Csv, Some(_)) => Form::WideCsv(WideCsv::new(args.quiet)),
        (Format::Table, _) => tables(false),
        (Format::Wide, _) => tables(true),
    };
    let rotation = Rotation { bytes: args.record_size << 20, age: args.record_age, keep: args.record_keep };
    let recorder = args.record.as_deref().map(|folder| Recorder::new(folder, rotation)).transpose()?;
    let trigger = Trigger::of(&args.around, args.quiet)?;
    let recording = recorder.map(|recorder| Recording::new(recorder, trigger));
    Ok(Sink::new(recording, totals, Stages { window, join }, End::new(filter, select, form)))
}

/// Starts the server, if --serve is given, and prints its address.
fn control(
    args: &Args,
    can_order: bool,
    metrics: Shared,
    exporters: Exporters,
) -> Result<Option<(Arc<Control>, Serving)>> {
    let Some(address) = &args.serve else { return Ok(None) };
    let control = Arc::new(Control::new(metrics, exporters)?);
    let token = args.serve_token.as_deref();
    let serving = serve::serve(address, token, can_order, Arc::clone(&control))?;
    if !args.quiet {
        note(&format!("serving on http://{}/metrics", serving.address));
        serving.made.iter().for_each(|made| {
            note(&format!("the token that enables and disables tools is in {}", made.path.display()));
        });
    }
    Ok(Some((control, serving)))
}
