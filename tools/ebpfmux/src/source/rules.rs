//! How sources are read.

use std::time::Duration;

/// What holds for every source.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Parse every record in full, and end at the first that is bad.
    pub strict: bool,
    /// Say nothing but failures.
    pub quiet: bool,
    /// Say more.
    pub verbose: bool,
    /// A record this much older than one before it in its source is still put in order.
    pub lateness: Duration,
}
