//! The command line of `ebpfmux diff`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use clap_complete::ArgValueCompleter;

use super::help::HELP;
use super::limit::Limit;
use crate::complete;
use crate::over_time::Options;

/// What changed between two recordings, and by how much; noise is told from change.
#[derive(Parser)]
#[command(name = "ebpfmux-diff", bin_name = "ebpfmux diff", version, after_long_help = HELP)]
pub struct Args {
    /// A file, or a folder of --record: how it was
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,

    /// Another one: how it is now. May be the same with other times (--from, --to)
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,

    /// Keep records apart by these fields only [default: all keys but host, pid, tid and ppid]
    #[arg(long, value_name = "FIELDS", add = ArgValueCompleter::new(complete::keys))]
    pub by: Option<String>,

    /// Compare only records for which this expression is true
    #[arg(long = "where", value_name = "EXPR", add = ArgValueCompleter::new(complete::expression))]
    pub keep: Option<String>,

    /// Compare only records of this time or later; twice: first for BEFORE, then for AFTER
    ///
    /// 03:10 (the last one that has passed), 2026-11-30 03:10, -15m, or RFC 3339; without a zone in the reader's, or with
    /// --utc in UTC.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Vec<String>,

    /// Compare only records of this time or earlier; twice: first for BEFORE, then for AFTER
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Vec<String>,

    /// End with status 5 if a figure has changed by more than this, up or down; +20%: only up, -20%: only down (repeatable)
    ///
    /// Only changes that are told from noise count.
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true)]
    pub fail_above: Vec<Limit>,

    /// Call it a change only if it is certainly more than this
    ///
    /// Two runs of the same work differ by some per cent because of what else the machine does, which no interval within a
    /// run shows. [default: 5, or what --fail-above says if that is less]
    #[arg(long, value_name = "PERCENT", value_parser = super::limit::percent)]
    pub least: Option<f64>,

    /// table, wide (all figures), json (an object for each figure, in lines) or md (Markdown) [default: table on a terminal,
    /// else json]
    #[arg(short, long, value_name = "SHAPE", value_enum, hide_possible_values = true)]
    pub output: Option<Shape>,

    #[command(flatten)]
    pub table: table::Options,

    #[command(flatten)]
    pub reading: Options,
}

/// The form of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// For a person: the figures that matter most, and all that have changed
    Table,
    /// The same with all figures
    Wide,
    /// One JSON object per figure, in lines
    Json,
    /// A table in Markdown
    Md,
}

impl Args {
    /// The limits on changes.
    pub fn limits(&self) -> &[Limit] {
        &self.fail_above
    }

    /// The least change that counts, as a share.
    pub fn least(&self) -> f64 {
        let strictest = self.fail_above.iter().map(|limit| limit.share).fold(0.05, f64::min);
        self.least.map_or(strictest, |percent| percent / 100.0)
    }
}
