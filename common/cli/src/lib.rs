//! How every program here starts, waits and ends. Nothing here needs BPF.

pub mod attached;
pub mod clock;
pub mod exit;
pub mod generate;
pub mod inherited;
pub mod interval;
pub mod poll;
pub mod regular_file;
pub mod shortage;
pub mod signals;
pub mod stderr;
pub mod stdout;
pub mod text;
