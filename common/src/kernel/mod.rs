//! What a kernel offers and what it refuses, asked of the kernel itself or of its files.

pub mod btf;
pub(crate) mod diagnosis;
pub(crate) mod fentry;
pub(crate) mod offline;
pub(crate) mod privilege;
pub(crate) mod restrictions;
pub mod running;
