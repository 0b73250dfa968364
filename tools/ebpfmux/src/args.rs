//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::{ArgGroup, Parser, ValueEnum};
use clap_complete::ArgValueCompleter;
use cli::generate;

use crate::complete;
use crate::config::Config;
use crate::help::EXAMPLES;
use crate::measure::options::Options;
use crate::option_values::{length, namespace, seconds};
use crate::sink::recording::options::Options as Around;

/// Merges the streams of the tools (NDJSON or CSV) by time.
#[derive(Parser)]
#[command(name = "ebpfmux", version, after_long_help = EXAMPLES)]
#[command(group = ArgGroup::new("totals").args(["serve", "otlp"]).multiple(true))]
#[command(group = ArgGroup::new("combined").args(["window", "command"]).multiple(true))]
#[command(group = ArgGroup::new("sent").args(["otlp", "otlp_traces"]).multiple(true))]
pub struct Args {
    /// Files, FIFOs, or folders of --record; `-` is stdin, and so is no FILE without --run
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Run this command and merge its output (repeatable)
    ///
    /// Words are split as by a shell, but no shell is run. A name without a slash is searched beside ebpfmux, then in
    /// PATH.
    #[arg(long, value_name = "COMMAND", add = ArgValueCompleter::new(complete::commands))]
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

    /// With --window or a COMMAND, keep records separate by these fields only: `--by disk` merges hosts and operations
    #[arg(long, value_name = "FIELDS", requires = "combined", add = ArgValueCompleter::new(complete::keys))]
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
    #[arg(long = "where", value_name = "EXPR", add = ArgValueCompleter::new(complete::expression))]
    pub keep: Option<String>,

    /// Pass on only records of this time or later: 03:10 (the last one that has passed), 2026-11-30 03:10, -15m, or RFC 3339
    ///
    /// Times without a zone are of the reader's zone, or with --utc of UTC. Of a recording, what is earlier is not read.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,

    /// Pass on only records of this time or earlier
    ///
    /// A file is not read further than a minute behind it.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<String>,

    /// End with status 5 at the first record for which this expression is false (repeatable)
    #[arg(long, value_name = "EXPR", add = ArgValueCompleter::new(complete::expression))]
    pub assert: Vec<String>,

    /// Pass on only these fields, in this order, separated by commas
    #[arg(long, value_name = "FIELDS", add = ArgValueCompleter::new(complete::fields))]
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

    #[command(flatten)]
    pub around: Around,

    /// Serve /metrics, /healthz and /tools by HTTP on this port of 127.0.0.1, or ADDRESS:PORT, or systemd's socket fd://N
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

    /// With --serve, leave the label host out of all metrics, where all records are of one host
    ///
    /// Scrapers add their own label for it (instance), as they do for ebpf_exporter. Of several hosts, series that would
    /// be one are left out but those of the first, and counted (ebpfmux_names_dropped_total).
    #[arg(long, requires = "serve")]
    pub no_host: bool,

    /// With --serve or --otlp, begin the names of mapstat's metrics with this and _, as ebpf_exporter does by default
    #[arg(long, value_name = "NAME", requires = "totals", default_value = "ebpf_exporter", value_parser = namespace)]
    pub namespace: String,

    /// With --serve or --otlp, forget series that no record has added to for this time; by default they stay
    ///
    /// What comes again after that counts from 0, as a series of its own to Prometheus. Choose at least ten intervals of
    /// the tools and of the scraper.
    #[arg(long, value_name = "SECONDS", requires = "totals", value_parser = length)]
    pub series_idle: Option<Duration>,

    /// Send the totals that --serve has to this OpenTelemetry receiver: http:// or https://HOST:PORT[/PATH]
    ///
    /// The default path is /v1/metrics, that of a collector. Prometheus has /api/v1/otlp/v1/metrics.
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,

    /// Send the spans of mapstat --events to this OpenTelemetry receiver [default: that of --otlp]
    ///
    /// The default path is /v1/traces. Without this option spans go to the URL of --otlp, if that has no path, or to its
    /// path with /v1/traces instead of /v1/metrics.
    #[arg(long, value_name = "URL")]
    pub otlp_traces: Option<String>,

    /// With --otlp, also send this header (repeatable); put secrets into OTEL_EXPORTER_OTLP_HEADERS
    #[arg(long, value_name = "'NAME: VALUE'", requires = "sent")]
    pub otlp_header: Vec<String>,

    /// With --otlp, send the totals at this interval, by the time of the records
    #[arg(long, value_name = "SECONDS", requires = "sent", default_value = "10", value_parser = length)]
    pub otlp_interval: Duration,

    /// With --otlp, keep at most this for a receiver that does not answer; older data is dropped and counted
    ///
    /// As much for spans again.
    #[arg(long, value_name = "MIB", requires = "sent", default_value = "16", value_parser = clap::value_parser!(u64).range(1..=1 << 20).map(|mib| mib as usize))]
    pub otlp_buffer: usize,

    /// Put records in order that are late within their source by at most this time
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pub lateness: Duration,

    /// Wait at most this long for a silent live source
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub wait: Duration,

    /// Show the records on one screen instead of writing them: of --run, stdin or FIFOs as they come, of files and
    /// recordings to be played; press ? for the keys
    #[arg(long, conflicts_with_all = ["config", "join", "assert", "select", "output", "check"])]
    pub live: bool,

    /// This is the merge behind the screen of --live: where no command could run, its status is that of the command.
    #[arg(long, hide = true)]
    pub behind_screen: bool,

    /// Tell what of this system the tools can use, and for each tool beside ebpfmux or in PATH whether it works, by what,
    /// what it cannot see, which right is missing, and what to do
    ///
    /// Each tool is run with --check, for at most 60 s (-d SECONDS). -o json prints an object for the system and one for
    /// each tool. Exit status: 0 all work, 4 a tool is not permitted, 3 this kernel lacks something that one needs, 1 one
    /// did not tell. mapstat is not judged, as it needs a config.
    #[arg(long, conflicts_with_all = ["files", "run", "config", "window", "join", "keep", "assert", "select", "record", "serve", "otlp", "otlp_traces"])]
    pub check: bool,

    /// Stop after this time, as on SIGINT
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<Duration>,

    /// json, csv, table, wide (a table of all columns), or none [default: table on a terminal, else json]
    ///
    /// none is for --record, --serve, --otlp and --assert where no shell could say > /dev/null: in a container, in a file of
    /// --config.
    #[arg(short, long, value_name = "SHAPE", value_enum, hide_possible_values = true)]
    pub output: Option<Format>,

    #[command(flatten)]
    pub measure: Options,

    #[command(flatten)]
    pub table: table::Options,

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
    /// For a terminal: the columns for which it has room, a block for each tool
    Table,
    /// The same with all columns
    Wide,
    /// Nothing is written
    None,
}
