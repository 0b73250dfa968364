//! The options of `--otlp`.

use std::time::Duration;

use super::client::Target;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Totals.
    Metrics,
    /// Spans.
    Traces,
}

impl Signal {
    /// The default path of the OTLP specification.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Metrics => "/v1/metrics",
            Self::Traces => "/v1/traces",
        }
    }

    /// What is counted, in messages.
    pub const fn items(self) -> &'static str {
        match self {
            Self::Metrics => "points",
            Self::Traces => "spans",
        }
    }
}

/// The options of sending.
pub struct Settings {
    /// What is sent.
    pub signal: Signal,
    /// The option that has named the receiver.
    pub option: &'static str,
    /// The receiver's URL, as the user wrote it or as it follows from that.
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

impl Settings {
    /// Where it is sent.
    pub fn target(&self) -> Target<'_> {
        Target { option: self.option, url: &self.url, path: self.signal.path() }
    }
}
