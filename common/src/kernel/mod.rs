//! What a kernel supports and what it refuses, from the kernel itself or from its files.

pub mod btf;
pub mod diagnosis;
pub(crate) mod fentry;
pub mod offline;
pub mod pid_namespace;
pub mod privilege;
pub mod restrictions;
pub mod running;
