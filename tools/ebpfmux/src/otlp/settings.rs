//! The options of `--otlp`.

use std::time::Duration;

/// The options of sending.
pub struct Settings {
    /// The receiver's URL, as the user wrote it.
    pub url: String,
    /// The interval of a point, by the time of the records.
    pub interval: Duration,
    /// The maximum number of queued bytes.
    pub room: usize,
    /// Whether to print failures only.
    pub quiet: bool,
    /// Whether to print the totals even if nothing was dropped.
    pub verbose: bool,
}
