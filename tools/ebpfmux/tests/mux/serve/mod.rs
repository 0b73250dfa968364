//! `--serve`.

mod access;
mod orders;
mod scraped;
