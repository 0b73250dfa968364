//! `--record`.

mod kept;
mod span;
mod trigger;
mod trouble;
