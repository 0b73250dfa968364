//! What the running kernel offers, asked of the kernel itself and never of its version.

use std::cell::{OnceCell, RefCell};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use memchr::memmem;
use rustix::fs::statfs;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::diagnosis::{Facts, LOCKED_DOWN};
use crate::exit::{self, Failure};
use crate::hooks::{Kernel, Kind, Program, Refusal};

/// Where the kernel shows its own types.
const VMLINUX_BTF: &str = "/sys/kernel/btf/vmlinux";
/// There where functions can be probed.
const KPROBE_PMU: &str = "/sys/bus/event_source/devices/kprobe";
/// Where tracefs is found, in order; the last is where older systems have it.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// By which statfs(2) tells it (`linux/magic.h`).
const TRACEFS_MAGIC: u64 = 0x7472_6163;

/// The kernel that this process runs on.
#[derive(Default)]
pub struct Running {
    btf: OnceCell<Option<Mapped>>,
    /// What was done to the system on the way, for stderr.
    notes: RefCell<Vec<String>>,
}

impl Running {
    /// Refuses a kernel that does not tell its types: nothing here can be loaded on it.
    pub fn check() -> exit::Result<()> {
        if Path::new(VMLINUX_BTF).exists() {
            return Ok(());
        }
        Err(Failure::unsupported(format!(
            "this kernel does not tell its types (no {VMLINUX_BTF}): needs CONFIG_DEBUG_INFO_BTF=y, and /sys mounted"
        )))
    }

    /// What was done to the system meanwhile: told to the user, for nothing is mounted in silence.
    pub fn take_notes(&self) -> Vec<String> {
        self.notes.take()
    }

    /// Whether the kernel's types have this name. Looked for in the table of names alone: building the whole
    /// index of types costs milliseconds and megabytes. A typed tracepoint or an iterator bears a name like
    /// no other; a function may share its name with a variable, and is then refused when it is tried.
    fn has_name(&self, name: &str) -> Result<(), Refusal> {
        let btf = self.btf.get_or_init(|| File::open(VMLINUX_BTF).and_then(|file| Mapped::new(&file)).ok());
        let found = btf.as_ref().is_some_and(|btf| has_name(names(btf.bytes()), name));
        if found { Ok(()) } else { Err(Refusal::missing("not in this kernel")) }
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
        let options = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        // One that is there and has nothing in it is no better for being mounted twice.
        let is_there = statfs(place).is_ok_and(|found| found.f_type as u64 == TRACEFS_MAGIC);
        if !is_there {
            mount("tracefs", place, "tracefs", options, None).map_err(|errno| unmountable(place, errno))?;
        }
        if place.join("events").exists() {
            self.notes.borrow_mut().push(format!("mounted tracefs at {}", place.display()));
            return Ok(place.to_path_buf());
        }
        if !is_there {
            let _ = unmount(place, UnmountFlags::DETACH);
        }
        Err(Refusal::not_permitted(match Facts::gather().lockdown.as_deref() {
            Some("confidentiality") => format!("tracefs is empty: {LOCKED_DOWN}"),
            _ => "tracefs is empty: the kernel keeps it so when it is locked down as it boots".to_string(),
        }))
    }
}

/// Why tracefs could not be mounted.
fn unmountable(place: &Path, errno: Errno) -> Refusal {
    let place = place.display();
    match errno {
        Errno::NODEV => Refusal::missing("this kernel has no tracefs: needs CONFIG_FTRACE=y"),
        Errno::NOENT => Refusal::missing(format!("no {place}: needs CONFIG_FTRACE=y, and /sys mounted")),
        _ => Refusal::not_permitted(format!(
            "tracefs is not mounted, and cannot be ({errno}): as root, mount -t tracefs tracefs {place}"
        )),
    }
}

fn unreadable(root: &Path) -> Refusal {
    Refusal::not_permitted(format!("{} is not readable: needs root or CAP_DAC_READ_SEARCH", root.display()))
}

/// The table of names of a BTF blob (`struct btf_header` of `linux/btf.h`); the whole blob where it is odd.
fn names(btf: &[u8]) -> &[u8] {
    let field = |at: usize| Some(u32::from_ne_bytes(btf.get(at..at + 4)?.try_into().ok()?) as usize);
    let table = || btf.get(field(4)? + field(16)?..)?.get(..field(20)?);
    table().unwrap_or(btf)
}

/// Whether a table of names, each ended by a NUL, has this one.
fn has_name(names: &[u8], name: &str) -> bool {
    memmem::find(names, &[b"\0", name.as_bytes(), b"\0"].concat()).is_some()
}

impl Kernel for Running {
    fn can_attach(&self, program: &Program) -> Result<(), Refusal> {
        match program.kind {
            Kind::Btf => self.has_name(&format!("btf_trace_{}", program.target)),
            Kind::Iter => self.has_name(&format!("bpf_iter_{}", program.target)),
            Kind::Tracepoint => self.tracepoint(&program.target),
            Kind::Fentry => self.has_name(&program.target),
            Kind::Kprobe if !Path::new(KPROBE_PMU).exists() => {
                Err(Refusal::missing("this kernel has no kprobes (CONFIG_KPROBE_EVENTS)"))
            }
            Kind::Kprobe => self.has_name(&program.target),
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
    fn names_are_whole() {
        let table = b"\0btf_trace_a_longer\0xbtf_trace_b\0bpf_iter_task\0btf_trace_a\0";
        let found = ["btf_trace_a", "bpf_iter_task", "btf_trace_b", "btf_trace", ""]
            .map(|name| has_name(table, name));
        assert_eq!(found, [true, true, false, false, false]);
    }

    #[test]
    fn the_table_of_names_is_found_by_the_header() {
        let mut blob: Vec<u8> =
            [0xeb9f_0100_u32.to_be(), 24, 0, 4, 4, 6].iter().flat_map(|f| f.to_ne_bytes()).collect();
        blob.extend(b"TYPE\0abc\0\0");
        assert_eq!(names(&blob), b"\0abc\0\0");
        assert_eq!(names(b"odd"), b"odd");
    }
}
