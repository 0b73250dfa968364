//! The record's conventions: what the tools write and `ebpfmux` reads. Nothing here needs BPF.

pub mod fields;
pub mod histogram;
pub mod labels;
pub mod statistics;
