//! `--record`.

mod kept;
mod trouble;
