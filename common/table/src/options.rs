//! The options of everything that prints tables.

use clap::ValueEnum;

/// How tables are shown.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Options {
    /// In tables, print numbers in full, without K, M and G
    #[arg(long)]
    pub exact: bool,

    /// In tables, show times in UTC, not in the reader's time zone (TZ, /etc/localtime)
    #[arg(long)]
    pub utc: bool,

    /// Colours in tables: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, hide_possible_values = true)]
    pub color: Color,
}

/// When tables have colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal that can show them, unless the environment has NO_COLOR.
    #[default]
    Auto,
    /// Also in pipes.
    Always,
    /// Nowhere.
    Never,
}
