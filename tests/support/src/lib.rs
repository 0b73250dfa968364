//! What the end-to-end tests and those of `ebpfmux` share. Nothing here needs BPF, a kernel under test, or root.
#![allow(clippy::expect_used, reason = "a failure here fails the calling test with its message")]

pub mod kernel;
pub mod otlp;
pub mod programs;
pub mod prometheus;
pub mod records;
pub mod server;
pub mod streams;
pub mod terminal;
pub mod wait;
