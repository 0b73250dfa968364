//! `--serve`.

mod access;
