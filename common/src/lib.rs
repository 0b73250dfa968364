//! What the tools share, from a skeleton to a tool at work. A line belongs here once two tools need it.

pub mod bpf;
pub mod hooks;
pub mod kernel;
pub mod measure;
pub mod options;
pub mod output;
pub mod owner;
pub mod session;
