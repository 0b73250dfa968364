//! Code that the tools share, from a skeleton to a running tool. Code is moved here once two tools
//! need it.

pub mod bpf;
mod complete;
pub mod dns;
pub mod endpoints;
pub mod fuzz;
pub mod hooks;
pub mod kernel;
mod live;
pub mod measure;
pub mod options;
pub mod output;
pub mod owner;
pub mod session;
