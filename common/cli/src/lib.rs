//! How every program here starts, waits and ends. Nothing here needs BPF.

pub mod clock;
pub mod exit;
pub mod generate;
pub mod interval;
pub mod signals;
