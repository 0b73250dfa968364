//! What the user asks of `--otlp`.

use std::time::Duration;

/// How the metrics are sent.
pub struct Settings {
    /// The receiver, as the user wrote it.
    pub url: String,
    /// How much time of the records one point is of.
    pub interval: Duration,
    /// Bytes kept at most.
    pub room: usize,
    /// Whether to say failures only.
    pub quiet: bool,
    /// Whether to say the totals even if nothing was dropped.
    pub verbose: bool,
}
