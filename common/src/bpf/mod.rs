//! The maps and globals of a loaded object, and how user space reads and sets them.

pub mod batch;
pub mod bytes;
pub mod exchange;
pub mod globals;
pub mod layouts;
pub mod mmap;
pub mod path;
pub mod plain;
pub mod walk;
