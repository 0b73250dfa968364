//! `--record`.

mod trouble;
