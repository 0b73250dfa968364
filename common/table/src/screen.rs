//! What a table is shown on.

use std::env;
use std::io::{self, IsTerminal};

use crate::options::Color;

/// Wider than any line: a program that sets COLUMNS may say anything.
const WIDEST: usize = 10_000;

/// A terminal's size and abilities. A pipe has no height, and no width unless COLUMNS says one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// How many cells a line has; `None` for any number.
    pub columns: Option<usize>,
    /// How many lines there are; `None` for any number.
    pub rows: Option<usize>,
    /// Whether it shows colours.
    pub colours: bool,
}

impl Screen {
    /// That of stdout as it is now. To be asked again for each interval, as a terminal's size may change.
    pub fn now(color: Color) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let size = terminal.then(|| rustix::termios::tcgetwinsize(&stdout).ok()).flatten();
        // A terminal that does not say its size (a serial line) says 0.
        let known = |size: u16| (size > 0).then_some(usize::from(size));
        let said = || env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0);
        let columns = size.and_then(|size| known(size.ws_col)).or_else(said);
        let assumed = |size: usize| terminal.then_some(size);
        Self {
            columns: columns.or_else(|| assumed(80)).map(|columns| columns.min(WIDEST)),
            rows: size.and_then(|size| known(size.ws_row)).or_else(|| assumed(24)),
            colours: match color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => terminal && shows_colours(),
            },
        }
    }
}

/// Whether a terminal shows colours, and its user wants them (<https://no-color.org>).
fn shows_colours() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && env::var_os("TERM").is_none_or(|term| term != "dumb")
}
