//! The types that a kernel or a module tells of itself (BTF): just so much of them as answers whether it has a name.
//! Building the whole index of types, as the libraries do, costs milliseconds and megabytes.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use memchr::memmem;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Size of `struct btf_type` of `linux/btf.h`.
const TYPE: usize = 12;
/// `BTF_KIND_FUNC` of `linux/btf.h`.
const FUNC: u32 = 12;

/// The types of a kernel or a module.
pub struct Types(Blob);

impl Types {
    /// Those in a file, such as `/sys/kernel/btf/vmlinux`.
    pub fn open(path: &Path) -> io::Result<Self> {
        Blob::open(path).map(Self)
    }

    /// Whether anything has this name: a type, a function, a field. A typed tracepoint or an iterator bears a name like
    /// no other; a function may share its name with a variable, and is then refused when it is tried.
    pub fn has_name(&self, name: &str) -> bool {
        has_name(names(self.0.bytes()), name)
    }

    /// The number of the first function; nothing where there is none or the blob is odd.
    pub fn first_function(&self) -> Option<u32> {
        first_function(self.0.bytes())
    }
}

/// A field of `struct btf_header`.
fn header(btf: &[u8], at: usize) -> Option<usize> {
    Some(word(btf, at)? as usize)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The table of names; the whole blob where it is odd.
fn names(btf: &[u8]) -> &[u8] {
    let table = || btf.get(header(btf, 4)? + header(btf, 16)?..)?.get(..header(btf, 20)?);
    table().unwrap_or(btf)
}

/// Whether a table of names, each ended by a NUL, has this one.
fn has_name(names: &[u8], name: &str) -> bool {
    memmem::find(names, &[b"\0", name.as_bytes(), b"\0"].concat()).is_some()
}

fn first_function(btf: &[u8]) -> Option<u32> {
    let types = btf.get(header(btf, 4)? + header(btf, 8)?..)?.get(..header(btf, 12)?)?;
    let mut at = 0;
    for id in 1.. {
        let info = word(types, at + 4)?;
        let members = (info & 0xffff) as usize;
        // What follows the common head, per kind.
        let more = match info >> 24 & 0x1f {
            FUNC => return Some(id),
            // An integer; a variable; a tag on a declaration.
            1 | 14 | 17 => 4,
            // An array.
            3 => 12,
            // Structures, unions, sections of data, wide enumerations.
            4 | 5 | 15 | 19 => 12 * members,
            // Enumerations and prototypes of functions.
            6 | 13 => 8 * members,
            _ => 0,
        };
        at += TYPE + more;
    }
    None
}

/// A file of the kernel's: mapped, which costs no memory, or read where it cannot be (before Linux 6.16).
enum Blob {
    Mapping(*mut u8, usize),
    Copy(Vec<u8>),
}

impl Blob {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len() as usize;
        // SAFETY: a new mapping at an address that the kernel chooses.
        let mapped = unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE, &file, 0) };
        match mapped {
            Ok(at) => Ok(Self::Mapping(at.cast(), len)),
            Err(_) => Ok(Self::Copy(fs::read(path)?)),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            // SAFETY: the mapping that `open` made, of a file that does not change while it is in use.
            Self::Mapping(at, len) => unsafe { std::slice::from_raw_parts(*at, *len) },
            Self::Copy(bytes) => bytes,
        }
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        if let Self::Mapping(at, len) = self {
            // SAFETY: the mapping that `open` made; borrows of it have ended.
            let _ = unsafe { munmap(at.cast(), *len) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A blob of these types, as words, and these names.
    fn blob(types: &[u32], names: &[u8]) -> Vec<u8> {
        let len = 4 * types.len() as u32;
        let words = [0xeb9f_0100_u32.to_be(), 24, 0, len, len, names.len() as u32];
        let mut blob: Vec<u8> = words.iter().chain(types).flat_map(|word| word.to_ne_bytes()).collect();
        blob.extend(names);
        blob
    }

    #[test]
    fn names_are_whole() {
        let table = b"\0btf_trace_a_longer\0xbtf_trace_b\0bpf_iter_task\0btf_trace_a\0";
        let found = ["btf_trace_a", "bpf_iter_task", "btf_trace_b", "btf_trace", ""]
            .map(|name| has_name(table, name));
        assert_eq!(found, [true, true, false, false, false]);
    }

    #[test]
    fn the_table_of_names_is_found_by_the_header() {
        let mut blob = blob(&[1, 2, 3], b"\0abc\0");
        blob.extend(b"more");
        assert_eq!(names(&blob), b"\0abc\0");
        assert_eq!(names(b"odd"), b"odd");
    }

    #[test]
    fn the_first_function_comes_after_what_has_members() {
        let kind = |kind: u32, members: u32| kind << 24 | members;
        // An integer, a structure of two members, a prototype of one parameter, a function.
        let types = [
            &[1, kind(1, 0), 4, 0][..],
            &[1, kind(4, 2), 8, 1, 1, 0, 1, 1, 32],
            &[0, kind(13, 1), 1, 1, 1],
            &[1, kind(FUNC, 1), 3],
        ]
        .concat();
        assert_eq!(first_function(&blob(&types, b"\0")), Some(4));
        assert_eq!(first_function(&blob(&types[..4], b"\0")), None);
        assert_eq!(first_function(b"odd"), None);
    }
}
