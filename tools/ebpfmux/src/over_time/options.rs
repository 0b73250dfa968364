//! The options of all that looks at a recording as a whole.

use std::path::PathBuf;
use std::time::Duration;

use cli::generate;

use crate::record::span::Span;
use crate::source::rules::Rules;

/// How records are read, and how much is said of it.
#[derive(clap::Args)]
pub struct Options {
    /// Read what the fields of another program's records are from this JSON Schema (repeatable)
    #[arg(long, value_name = "FILE", env = "EBPFMUX_SCHEMA", value_delimiter = ':', hide_env_values = true)]
    pub schema: Vec<PathBuf>,

    /// Parse every record in full, refuse repeated names, and end with status 1 at the first bad line
    #[arg(long)]
    strict: bool,

    /// Print only failures on stderr
    #[arg(short, long)]
    pub quiet: bool,

    /// Print the manual page or docs/tools' page, and exit
    #[arg(long, value_name = "FORM", hide = true, exclusive = true)]
    generate: Option<generate::Form>,
}

impl Options {
    /// How sources are read of which the records of a span are asked for.
    pub fn rules(&self, span: Span) -> Rules {
        Rules { strict: self.strict, quiet: self.quiet, verbose: false, lateness: Duration::ZERO, span }
    }
}
