//! Noise told from change: how far a figure of one recording could lie from what the same work would show again, and
//! whether two recordings are further apart than that.
//!
//! The intervals of each recording are drawn anew, in blocks, as the stationary bootstrap has it (Politis and Romano 1994,
//! "The Stationary Bootstrap", JASA 89): what follows in time stays together, so that work that comes in waves is not
//! taken for many independent intervals. How long blocks are is found in the data (`blocks`).

mod blocks;
mod draws;
mod interval;

pub use blocks::Dependence;
pub use draws::{DRAWS, Draws};
pub use interval::{Apart, Drawn, Level, Pair};
