//! The bound of what one window holds, in number and in bytes, and what did not fit.

use crate::note::note;

/// The estimated size of a key's or a field's own data structures, in bytes.
pub const OVERHEAD: usize = 200;
/// Values of at most this size need no accounting: every number fits.
pub const SMALL: usize = 64;

/// What a window may hold.
#[derive(Clone, Copy)]
pub struct Room {
    /// The maximum number of keys or fields.
    pub items: usize,
    /// The maximum of their names and values, in bytes.
    pub bytes: usize,
}

/// Counts what was left out of all windows, and reports the first.
pub struct LeftOut {
    /// The option that sets the bound.
    option: &'static str,
    quiet: bool,
    /// The number of records or values.
    pub count: u64,
}

impl LeftOut {
    /// Nothing yet; `option` sets the bound, `quiet` suppresses reports.
    pub fn new(option: &'static str, quiet: bool) -> Self {
        Self { option, quiet, count: 0 }
    }

    /// Adds to the count.
    pub fn add(&mut self, more: u64) {
        if self.count == 0 && more > 0 && !self.quiet {
            note(&format!(
                "a window is full: see {}; what is left out of it from now on is only counted",
                self.option
            ));
        }
        self.count += more;
    }

    /// Reports the total at the end.
    pub fn report(&self) {
        if self.count > 0 && !self.quiet {
            note(&format!("{} records or values left out of full windows: see {}", self.count, self.option));
        }
    }
}
