//! The options of `ebpfmux -- COMMAND`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;

/// What is to be measured, and how its summary is printed.
#[derive(Default, clap::Args)]
pub struct Options {
    /// Run this command, count its work alone, print a summary on stderr at its end, and end with its status
    ///
    /// It gets a cgroup of its own, and the tools of --run (without any: proclife, biolat, syncsnoop, inetstat and oomwatch)
    /// are started with --cgroup before it. --assert is about the sums over the whole run, by the keys of --by (default:
    /// op, call and proto).
    #[arg(value_name = "COMMAND", last = true, conflicts_with_all = ["files", "config", "check", "live", "window", "join", "select", "output", "duration"])]
    pub command: Vec<OsString>,

    /// With a COMMAND, the form of the summary: text, json, junit or md (Markdown)
    #[arg(
        long,
        value_name = "FORM",
        value_enum,
        default_value = "text",
        hide_possible_values = true,
        requires = "command"
    )]
    pub summary: Form,

    /// With a COMMAND, write the summary to this file instead of stderr
    #[arg(long, value_name = "FILE", requires = "command")]
    pub summary_file: Option<PathBuf>,
}

/// The form of a summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// One line
    #[default]
    Text,
    /// One JSON object, with the sums as records
    Json,
    /// A test suite: a case for the exit status, and one for each --assert
    Junit,
    /// A table of Markdown
    Md,
}
