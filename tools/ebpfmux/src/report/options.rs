//! The command line of `ebpfmux report`.

use std::path::PathBuf;

use clap::Parser;
use clap_complete::ArgValueCompleter;

use super::help::HELP;
use crate::complete;
use crate::over_time::Options;

/// Makes a page of a recording, for a browser or a printer: one file of HTML on stdout.
#[derive(Parser)]
#[command(name = "ebpfmux-report", bin_name = "ebpfmux report", version, after_long_help = HELP)]
pub struct Args {
    /// Files, or folders of --record; `-` is stdin
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Only records for which this expression is true
    #[arg(long = "where", value_name = "EXPR", add = ArgValueCompleter::new(complete::expression))]
    pub keep: Option<String>,

    /// Say whether this expression holds for all records; end with status 5 if it does not (repeatable)
    #[arg(long, value_name = "EXPR", add = ArgValueCompleter::new(complete::expression))]
    pub assert: Vec<String>,

    /// Only records of this time or later: 03:10 (the last one that has passed), 2026-11-30 03:10, -15m, or RFC 3339
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,

    /// Only records of this time or earlier
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<String>,

    /// What `ebpfmux --check -o json` said where it was recorded: kernel, hooks and bounds are taken from there
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,

    /// The heading of the page [default: the hosts and the day]
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,

    /// Times in UTC, not in the zone of this machine (TZ, /etc/localtime)
    #[arg(long)]
    pub utc: bool,

    #[command(flatten)]
    pub reading: Options,
}
