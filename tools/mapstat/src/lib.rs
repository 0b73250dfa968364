//! What mapstat is made of: reading configs, decoding keys, and what came in an interval. The library is for the program
//! and for fuzzing.

pub mod config;
pub mod decode;
pub mod fuzz;
pub mod histogram;
mod pci;
pub mod re2;
pub mod row;
pub mod span;
pub mod state;
pub mod symbols;
pub mod system;
pub mod yaml;
