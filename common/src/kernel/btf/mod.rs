//! The types of a kernel or a module (BTF): whether it has a name, and the offsets of the few types
//! and functions that a tool needs. Building the whole index of types, as the libraries do, costs
//! milliseconds and megabytes.

mod index;
mod layout;
mod modules;
pub mod relocations;
mod subset;
pub mod target;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use memchr::memmem;
use memmap2::{Mmap, MmapOptions};

pub use index::{Index, essential};
use layout::Tables;
pub use modules::{Modules, any_module_has, descriptor};

/// Where the kernel and its modules expose their types.
pub const FOLDER: &str = "/sys/kernel/btf";
/// The file with the kernel's own types.
pub const KERNEL: &str = "vmlinux";

/// The running kernel's types, while they are in use.
static RUNNING: Mutex<Option<Arc<Types>>> = Mutex::new(None);

/// The types of a kernel or a module.
pub struct Types(Blob);

impl Types {
    /// The types in a file, such as `/sys/kernel/btf/vmlinux`.
    pub fn open(path: &Path) -> io::Result<Self> {
        Blob::open(path).map(Self)
    }

    /// The types of the running kernel, read once; `None` if it does not expose them.
    pub fn running() -> Option<Arc<Self>> {
        Self::read_running().ok()
    }

    /// The same, with the reason why they cannot be had.
    ///
    /// # Errors
    /// When the file cannot be opened, mapped or read.
    pub fn read_running() -> io::Result<Arc<Self>> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        match &*running {
            Some(types) => Ok(Arc::clone(types)),
            None => {
                let types = Arc::new(Self::open(&Path::new(FOLDER).join(KERNEL))?);
                Ok(Arc::clone(running.insert(types)))
            }
        }
    }

    /// Drops the types of the running kernel, which take some megabytes if they cannot be mapped.
    pub fn forget_running() {
        if let Ok(mut running) = RUNNING.lock() {
            *running = None;
        }
    }

    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// Whether anything has this name: a type, a function, a field. The name of a typed tracepoint
    /// or an iterator is unique. A function may share its name with a variable, and is then refused
    /// when it is tried.
    pub fn has_name(&self, name: &str) -> bool {
        has_name(names(self.0.bytes()), name)
    }

    /// Looks up all these names at once; `None` if the blob is malformed.
    pub fn index(&self, names: &HashSet<Vec<u8>>) -> Option<Index> {
        Index::of(&Tables::of(self.0.bytes())?, names)
    }

    /// A blob of only the types of these names, which the index was built for, and the types that
    /// they need; `None` if the blob is malformed.
    pub fn subset<'n>(&self, index: &Index, names: impl Iterator<Item = &'n Vec<u8>>) -> Option<Vec<u8>> {
        subset::subset(&Tables::of(self.0.bytes())?, index, names)
    }
}

/// The table of names; the whole blob if it is malformed.
fn names(blob: &[u8]) -> &[u8] {
    Tables::of(blob).map_or(blob, |tables| tables.names)
}

/// Whether a table of names, each ended by a NUL, has this one.
fn has_name(names: &[u8], name: &str) -> bool {
    memmem::find(names, &[b"\0", name.as_bytes(), b"\0"].concat()).is_some()
}

/// A file of the kernel: mapped, which costs no memory, or read if it cannot be mapped (before
/// Linux 6.16).
enum Blob {
    Mapping(Mmap),
    Copy(Vec<u8>),
}

impl Blob {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len() as usize;
        // Private, because the kernel refuses shared mappings of it.
        // SAFETY: the file does not change while it is mapped: the kernel's types are constant, and
        // a module's file is removed with it.
        match unsafe { MmapOptions::new().len(len).map_copy_read_only(&file) } {
            Ok(mapping) => Ok(Self::Mapping(mapping)),
            Err(_) => Ok(Self::Copy(fs::read(path)?)),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapping(mapping) => mapping,
            Self::Copy(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::layout::tests::blob;
    use super::*;

    #[test]
    fn names_are_whole() {
        let table = b"\0btf_trace_a_longer\0xbtf_trace_b\0bpf_iter_task\0btf_trace_a\0";
        let found = ["btf_trace_a", "bpf_iter_task", "btf_trace_b", "btf_trace", ""]
            .map(|name| has_name(table, name));
        assert_eq!(found, [true, true, false, false, false]);
    }

    #[test]
    fn the_table_of_names_is_found_by_the_header() {
        assert_eq!(names(&blob(&[1, 2, 3], b"\0abc\0")), b"\0abc\0");
        assert_eq!(names(b"odd"), b"odd");
    }
}
