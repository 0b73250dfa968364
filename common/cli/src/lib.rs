//! How every program here starts, waits and ends. Nothing here needs BPF.

pub mod attached;
pub mod clock;
pub mod complete;
pub mod duration;
pub mod exit;
pub mod generate;
pub mod habits;
pub mod help;
pub mod inherited;
pub mod interval;
pub mod kernel_files;
pub mod mounts;
pub mod notes;
pub mod poll;
pub mod regular_file;
pub mod security;
pub mod shortage;
pub mod signals;
pub mod stderr;
pub mod stdout;
pub mod text;
pub mod usage;
pub mod version;
