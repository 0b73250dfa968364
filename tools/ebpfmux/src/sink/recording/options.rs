//! The options of a recording around triggers.

use std::time::Duration;

use clap::builder::TypedValueParser;
use clap_complete::ArgValueCompleter;

use crate::complete;
use crate::option_values::seconds;

/// When to record, and how much around it.
#[derive(Clone, clap::Args)]
pub struct Options {
    /// With --record, record only what is around records for which this expression is true (repeatable: any of them)
    ///
    /// It is about the records as they come in, whatever --where, --window and --join do. What came before is kept in memory
    /// until then.
    #[arg(long, value_name = "EXPR", requires = "record", add = ArgValueCompleter::new(complete::expression))]
    pub trigger: Vec<String>,

    /// With --trigger, record what came at most this long before
    #[arg(long, value_name = "SECONDS", requires = "trigger", default_value = "60", value_parser = seconds)]
    pub before: Duration,

    /// With --trigger, record what comes at most this long after; a record that meets it again meanwhile prolongs this
    #[arg(long, value_name = "SECONDS", requires = "trigger", default_value = "60", value_parser = seconds)]
    pub after: Duration,

    /// With --trigger, keep at most this of what came before, compressed; what is older is forgotten, and a note says so
    #[arg(long, value_name = "MIB", requires = "trigger", default_value = "256", value_parser = clap::value_parser!(u64).range(1..=1 << 20).map(|mib| mib as usize))]
    pub before_memory: usize,
}
