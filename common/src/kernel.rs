//! What the running kernel offers, asked of the kernel itself and never of its version.

use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use memchr::memmem;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::mount::{MountFlags, mount};

use crate::hooks::{Kernel, Kind, Program, Refusal};

/// Where the kernel shows its own types.
const VMLINUX_BTF: &str = "/sys/kernel/btf/vmlinux";
/// Where tracefs is found, in order; the last is where older systems have it.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The kernel that this process runs on.
#[derive(Default)]
pub struct Running {
    typed: OnceCell<HashSet<String>>,
    /// What was done to the system on the way, for stderr.
    notes: RefCell<Vec<String>>,
}

impl Running {
    /// Whether the kernel tells its types at all: without that nothing here can be loaded.
    pub fn has_btf() -> bool {
        Path::new(VMLINUX_BTF).exists()
    }

    /// What was done to the system meanwhile: told to the user, for nothing is mounted in silence.
    pub fn take_notes(&self) -> Vec<String> {
        self.notes.take()
    }

    /// The typed tracepoints and iterators of this kernel, by the names that mark them in its types. Read off
    /// the table of names alone: building the whole index of types costs milliseconds and megabytes, and
    /// nothing else is named like these.
    fn has_typed(&self, name: &str) -> Result<(), Refusal> {
        let typed = self.typed.get_or_init(|| {
            let Ok(btf) = File::open(VMLINUX_BTF).and_then(|file| Mapped::new(&file)) else {
                return HashSet::new();
            };
            names(btf.bytes(), &TYPED_MARKS)
        });
        if typed.contains(name) { Ok(()) } else { Err(Refusal::missing("not in this kernel")) }
    }

    fn tracepoint(&self, target: &str) -> Result<(), Refusal> {
        let root = self.tracefs()?;
        match fs::metadata(root.join("events").join(target).join("id")) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(unreadable(&root)),
            Err(_) => Err(Refusal::missing("no such tracepoint")),
        }
    }

    /// Finds tracefs, or mounts it where the kernel keeps a place for it.
    fn tracefs(&self) -> Result<PathBuf, Refusal> {
        for root in TRACEFS.map(Path::new) {
            match fs::metadata(root.join("events")) {
                Ok(_) => return Ok(root.to_path_buf()),
                Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(unreadable(root)),
                Err(_) => continue,
            }
        }
        let place = Path::new(TRACEFS[0]);
        match mount(
            "tracefs",
            place,
            "tracefs",
            MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
            None,
        ) {
            Ok(()) => {
                self.notes.borrow_mut().push(format!("mounted tracefs at {}", place.display()));
                Ok(place.to_path_buf())
            }
            Err(error) => Err(Refusal::not_permitted(format!(
                "tracefs is not mounted and cannot be ({error}): mount -t tracefs tracefs {}",
                place.display()
            ))),
        }
    }
}

fn unreadable(root: &Path) -> Refusal {
    Refusal::not_permitted(format!("{} is not readable: needs root or CAP_DAC_READ_SEARCH", root.display()))
}

/// What the names of the types of typed tracepoints and of iterators begin with.
const TYPED_MARKS: [&str; 2] = ["btf_trace_", "bpf_iter_"];

/// The names in a BTF blob that begin with one of these marks.
fn names(btf: &[u8], marks: &[&str]) -> HashSet<String> {
    let mut found = HashSet::new();
    for mark in marks {
        let start = [b"\0", mark.as_bytes()].concat();
        for at in memmem::find_iter(btf, &start) {
            let name = &btf[at + 1..];
            let end = memchr::memchr(0, name).unwrap_or(name.len());
            found.insert(String::from_utf8_lossy(&name[..end]).into_owned());
        }
    }
    found
}

impl Kernel for Running {
    fn can_attach(&self, program: &Program) -> Result<(), Refusal> {
        match program.kind {
            Kind::Btf => self.has_typed(&format!("btf_trace_{}", program.target)),
            Kind::Iter => self.has_typed(&format!("bpf_iter_{}", program.target)),
            Kind::Tracepoint => self.tracepoint(&program.target),
            // No tool has such a rung yet, and only a trial can tell: a kernel may list a function and refuse it.
            Kind::Fentry | Kind::Kprobe => Err(Refusal::missing("not tried")),
        }
    }
}

/// A file of the kernel's: mapped, which costs no memory, or read where it cannot be (before Linux 6.16).
enum Mapped {
    Mapping(*mut u8, usize),
    Copy(Vec<u8>),
}

impl Mapped {
    fn new(file: &File) -> io::Result<Self> {
        let len = file.metadata()?.len() as usize;
        // SAFETY: a new mapping at an address that the kernel chooses.
        let mapped = unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE, file, 0) };
        match mapped {
            Ok(at) => Ok(Self::Mapping(at.cast(), len)),
            Err(_) => Ok(Self::Copy(fs::read(VMLINUX_BTF)?)),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            // SAFETY: the mapping that `new` made, of a file that never changes.
            Self::Mapping(at, len) => unsafe { std::slice::from_raw_parts(*at, *len) },
            Self::Copy(bytes) => bytes,
        }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if let Self::Mapping(at, len) = self {
            // SAFETY: the mapping that `new` made; borrows of it have ended.
            let _ = unsafe { munmap(at.cast(), *len) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_and_begin_with_a_mark() {
        let blob = b"rubbish\0btf_trace_a\0xbtf_trace_b\0bpf_iter_task\0btf_trace_a_longer\0";
        let mut found: Vec<_> = names(blob, &TYPED_MARKS).into_iter().collect();
        found.sort();
        assert_eq!(found, ["bpf_iter_task", "btf_trace_a", "btf_trace_a_longer"]);
    }
}
