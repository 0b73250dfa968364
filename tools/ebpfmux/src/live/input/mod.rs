//! What comes in: the records of an `ebpfmux` that merges, and the lines on its stderr.

pub mod feed;
pub mod line;
pub mod messages;
