//! `ebpfmux` as a user runs it, a module for each subject, in the order in which data goes through it. One program, so
//! that it is linked once. It needs no kernel, no tool of ours and no root.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a failure here fails its test with its message")]

mod support;

mod source;

mod merge;

mod bounds;
mod diff;
mod doctor;
mod join;
mod live;
mod window;

mod filter;

mod otlp;
mod record;
mod serve;

mod config;
mod fuzz;
mod recipes;
mod report;
mod screens;
mod supervisor;
