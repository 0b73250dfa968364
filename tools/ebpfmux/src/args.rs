//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgGroup, CommandFactory, Parser, ValueEnum};
use cli::exit::{Failure, Result};
use cli::{generate, inherited};

use crate::config::Config;
use crate::help::EXAMPLES;

/// Merges the streams of the tools (NDJSON or CSV) by time.
#[derive(Parser)]
#[command(name = "ebpfmux", version, after_long_help = EXAMPLES)]
#[command(group = ArgGroup::new("totals").args(["serve", "otlp"]).multiple(true))]
pub struct Args {
    /// Files, FIFOs, or folders of --record; `-` is stdin, and so is no FILE without --run
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Run this command and merge its output (repeatable)
    ///
    /// Words are split as by a shell, but no shell is run. A name without a slash is searched beside ebpfmux, then in
    /// PATH.
    #[arg(long, value_name = "COMMAND")]
    pub run: Vec<String>,

    /// Do what this file says, in TOML: each option is a key, and commands are tables [[run]]
    ///
    /// See below. No other option goes with it but --validate, --quiet and --verbose. SIGHUP has the file read again.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// With --config, only say whether the file is right
    #[arg(long, requires = "config")]
    pub validate: bool,

    /// Whether the file of --config is only validated.
    #[arg(skip)]
    pub only_validate: bool,

    /// What the file of --config says.
    #[arg(skip)]
    pub configured: Option<Config>,

    /// Combine records into windows of this length
    #[arg(long, value_name = "SECONDS", value_parser = length)]
    pub window: Option<Duration>,

    /// With --window, keep records separate by these fields only: `--by disk` merges hosts and operations
    #[arg(long, value_name = "FIELDS", requires = "window")]
    pub by: Option<String>,

    /// With --window, keep at most this many keys in a window, and 8 KiB for each; others are left out and counted
    #[arg(long, value_name = "N", requires = "window", default_value = "100000", value_parser = clap::value_parser!(u32).range(1..).map(|keys| keys as usize))]
    pub window_keys: usize,

    /// One wide record per window of this length (default 1)
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "1", value_parser = length)]
    pub join: Option<Duration>,

    /// With --join, keep at most this many fields in a record, and 1 KiB for each; others are left out and counted
    #[arg(long, value_name = "N", requires = "join", default_value = "100000", value_parser = clap::value_parser!(u32).range(1..).map(|fields| fields as usize))]
    pub join_fields: usize,

    /// Read what the fields of another program's records are from this JSON Schema (repeatable)
    ///
    /// As the tools print it with --schema: `title` names the program, and each property has `x-kind` (key, counter,
    /// gauge, minimum, maximum, mean, percentile, ratio, difference, buckets) and `x-unit`. A field of which nothing is
    /// declared is never added up: --window and --join pass its last value on, metrics leave it out, and a note says so.
    /// The environment variable EBPFMUX_SCHEMA has the same, several files parted by colons.
    #[arg(long, value_name = "FILE", env = "EBPFMUX_SCHEMA", value_delimiter = ':', hide_env_values = true)]
    pub schema: Vec<PathBuf>,

    /// Print the manual page, docs/tools' page, a shell's completions or the options, and exit
    #[arg(long, value_name = "FORM", hide = true)]
    pub generate: Option<generate::Form>,

    /// Pass on only records for which this expression is true
    #[arg(long = "where", value_name = "EXPR")]
    pub keep: Option<String>,

    /// End with status 5 at the first record for which this expression is false (repeatable)
    #[arg(long, value_name = "EXPR")]
    pub assert: Vec<String>,

    /// Pass on only these fields, in this order, separated by commas
    #[arg(long, value_name = "FIELDS")]
    pub select: Option<String>,

    /// Record the merged stream in this folder, compressed; `ebpfmux DIR` replays it
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,

    /// With --record, begin a new file at this size on disk
    #[arg(long, value_name = "MIB", default_value = "64", requires = "record", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub record_size: u64,

    /// With --record, begin a new file after this time
    #[arg(long, value_name = "SECONDS", default_value = "3600", requires = "record", value_parser = length)]
    pub record_age: Duration,

    /// With --record, keep at most this many files; the oldest are removed
    #[arg(long, value_name = "FILES", requires = "record", value_parser = clap::value_parser!(u64).range(1..).map(|files| files as usize))]
    pub record_keep: Option<usize>,

    /// Serve /metrics, /healthz and /tools by HTTP on this port of 127.0.0.1, or ADDRESS:PORT
    #[arg(long, value_name = "ADDR")]
    pub serve: Option<String>,

    /// With --serve, require the token in this file for reading, too; mandatory for addresses other than loopback
    #[arg(long, value_name = "FILE", requires = "serve")]
    pub serve_token: Option<PathBuf>,

    /// With --serve or --otlp, keep at most this many series; others are dropped and counted
    #[arg(long, value_name = "N", requires = "totals", default_value = "10000")]
    pub serve_series: usize,

    /// With --serve or --otlp, leave out series whose labels are longer than this; they are counted
    #[arg(long, value_name = "BYTES", requires = "totals", default_value = "2048", value_parser = clap::value_parser!(u32).range(256..=1 << 20).map(|bytes| bytes as usize))]
    pub serve_label_bytes: usize,

    /// Send the totals that --serve has to this OpenTelemetry receiver: http:// or https://HOST:PORT[/PATH]
    ///
    /// The default path is /v1/metrics, that of a collector. Prometheus has /api/v1/otlp/v1/metrics.
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,

    /// With --otlp, also send this header (repeatable); put secrets into OTEL_EXPORTER_OTLP_HEADERS
    #[arg(long, value_name = "'NAME: VALUE'", requires = "otlp")]
    pub otlp_header: Vec<String>,

    /// With --otlp, send the totals at this interval, by the time of the records
    #[arg(long, value_name = "SECONDS", requires = "otlp", default_value = "10", value_parser = length)]
    pub otlp_interval: Duration,

    /// With --otlp, keep at most this for a receiver that does not answer; older data is dropped and counted
    #[arg(long, value_name = "MIB", requires = "otlp", default_value = "16", value_parser = clap::value_parser!(u64).range(1..=1 << 20).map(|mib| mib as usize))]
    pub otlp_buffer: usize,

    /// Put records in order that are late within their source by at most this time
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pub lateness: Duration,

    /// Wait at most this long for a silent live source
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub wait: Duration,

    /// Stop after this time, as on SIGINT
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<Duration>,

    /// The output format
    #[arg(short, long, value_name = "FORMAT", default_value = "json")]
    pub output: Format,

    /// Parse every record in full, refuse repeated names, and end with status 1 at the first bad line
    #[arg(long)]
    pub strict: bool,

    /// Print more on stderr: empty files, records per source
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Print only failures on stderr
    #[arg(short, long)]
    pub quiet: bool,
}

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object per line
    Json,
    /// One header, then rows
    Csv,
}

impl Args {
    /// Reads the process's command line. `None` if --help, --version or the like has been printed.
    pub fn read() -> Result<Option<Self>> {
        inherited::check_stdout()?;
        let error = match Self::try_parse() {
            Ok(Self { generate: Some(form), .. }) => {
                return generate::print(Self::command(), form).map(|()| None);
            }
            Ok(Self { config: Some(file), validate, quiet, verbose, .. }) => {
                let args = Self::of_file(&file, quiet, verbose)?.check()?;
                return Ok(Some(Self { only_validate: validate, ..args }));
            }
            Ok(args) => return args.check().map(Some),
            Err(error) => error,
        };
        if !error.use_stderr() {
            return error.print().map(|()| None).map_err(Failure::stdout);
        }
        Err(Failure::usage(format!("{}; try --help", one_line(&error))))
    }

    /// What the file of --config says.
    fn of_file(file: &Path, quiet: bool, verbose: bool) -> Result<Self> {
        let mut command = Self::command();
        let matches = command.get_matches_mut();
        let given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let argument = |id: &str| command.get_arguments().find(|argument| argument.get_id() == id);
        let allowed = ["config", "validate", "quiet", "verbose"];
        let others = matches.ids().map(clap::Id::as_str).filter(given).filter(|id| !allowed.contains(id));
        if let Some(other) = others.filter_map(argument).next() {
            let file = file.display();
            return Err(Failure::usage(format!("{other} does not go with --config: write it into {file}")));
        }
        let config = Config::read(file)?;
        let mut args = Self::of_config(&config)?;
        (args.quiet, args.verbose) = (args.quiet || quiet, args.verbose || verbose);
        args.configured = Some(config);
        Ok(args)
    }

    fn of_config(config: &Config) -> Result<Self> {
        let parsed = |without| Self::try_parse_from(["ebpfmux"].into_iter().chain(config.words(without)));
        let error = match parsed(None) {
            Ok(args) => return Ok(args),
            Err(error) => error,
        };
        let text = one_line(&error);
        // Of something missing, the key is to blame without which nothing would be.
        if error.kind() == ErrorKind::MissingRequiredArgument {
            let blamed = |key: &usize| {
                parsed(Some(*key)).map_or_else(|error| one_line(&error), |_| String::new()) != text
            };
            return Err(config.failure((0..config.keys()).find(blamed), &text));
        }
        let option = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(option)) => option.split([' ', '[', '=']).next(),
            _ => None,
        };
        Err(config.failure(option.and_then(|option| config.key_of(option)), &text))
    }

    fn check(self) -> Result<Self> {
        if self.files.iter().filter(|file| file.as_os_str() == "-").count() > 1 {
            return Err(Failure::usage("stdin (-) is named twice; it can be read once"));
        }
        Ok(self)
    }
}

/// A message of clap's in one line.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    // clap lists missing arguments on lines of their own.
    let lines: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if seconds <= 1e9 => Ok(duration),
        _ => Err("not between 0 and 1000000000 seconds".to_owned()),
    }
}

fn length(text: &str) -> std::result::Result<Duration, String> {
    seconds(text).and_then(|length| match length >= Duration::from_millis(1) {
        true => Ok(length),
        false => Err("a window is at least 0.001 seconds long".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
        let args = Args::try_parse_from(["ebpfmux", "--join", "a", "-"]).unwrap();
        assert_eq!((args.join, args.files.len()), (Some(Duration::from_secs(1)), 2));
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        for bad in ["-1", "x", "inf", "NaN", "1e300"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(length("0").is_err());
    }
}
