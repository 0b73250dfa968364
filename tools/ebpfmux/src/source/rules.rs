//! Options for reading sources.

use std::time::Duration;

use crate::record::span::Span;

/// The options of every source.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Parse every record in full, and fail at the first bad one.
    pub strict: bool,
    /// Print failures only.
    pub quiet: bool,
    /// Print more.
    pub verbose: bool,
    /// The lateness: a record older by at most this than an earlier one of its source is put in
    /// order.
    pub lateness: Duration,
    /// Records of other times are left out.
    pub span: Span,
}
