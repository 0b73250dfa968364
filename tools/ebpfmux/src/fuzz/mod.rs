//! Runs what takes untrusted bytes on arbitrary ones: for fuzzing (`fuzz/`), and for a test on a few seeds
//! (`tests/fuzz.rs`).
//!
//! Each function panics if an invariant is violated.
#![allow(clippy::expect_used, reason = "a panic is what a fuzzer looks for")]

mod exposition;
mod expression;
mod recording;
mod records;
mod replies;
mod requests;

pub use exposition::{Exposition, metrics};
pub use expression::expression;
pub use recording::Recording;
pub use records::{csv, ndjson};
pub use replies::replies;
pub use requests::requests;
