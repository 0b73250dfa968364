//! What the running kernel supports, determined from the kernel itself and never from its version.

use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use caps::Capability;
use cli::exit::{self, Exit, Failure};
use cli::kernel_files::{TRACEFS, is_tracefs};
use cli::shortage;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::btf::{FOLDER as BTF, Index, KERNEL, Modules, Types, target};
use super::diagnosis::LOCKED_DOWN;
use super::fentry;
use super::restrictions::{self, Restrictions};
use crate::hooks::{Kernel, Kind, Program, Refusal};

/// The names of all functions, those of modules included, with or without BTF.
const SYMBOLS: &str = "/proc/kallsyms";
/// Exists if functions can be probed.
const KPROBE_PMU: &str = "/sys/bus/event_source/devices/kprobe";

/// Whether anything in the running kernel's types, fields included, has this name: false without BTF.
pub fn kernel_names(name: &str) -> bool {
    Types::running().is_some_and(|types| types.has_name(name))
}

/// Whether tracing programs may use task storage: kernel commit a10787e6d58c ("bpf: Enable task
/// local storage for tracing programs"), of Linux 5.13, has no name in the kernel's types. This
/// helper was added in the same version, and was not backported.
pub fn tasks_hold_storage() -> bool {
    kernel_names("BPF_FUNC_for_each_map_elem")
}

/// The kernel that this process runs on.
#[derive(Default)]
pub struct Running {
    index: Option<Index>,
    /// Functions that the kernel itself does not have, to be looked up in its modules.
    missing: HashSet<String>,
    modules: OnceCell<Modules>,
    trampolines: OnceCell<Result<(), Refusal>>,
    symbols: OnceCell<String>,
    /// Changes made to the system, for stderr.
    notes: RefCell<Vec<String>>,
}

impl Running {
    /// Refuses a kernel without BTF: nothing here can be loaded on it.
    pub fn check() -> exit::Result<()> {
        let Err(error) = Types::read_running() else { return Ok(()) };
        let types = Path::new(BTF).join(KERNEL);
        let types = types.display();
        Err(match error.kind() {
            ErrorKind::NotFound => Failure::unsupported(format!(
                "this kernel has no BTF (no {types}): needs CONFIG_DEBUG_INFO_BTF=y, and /sys mounted"
            )),
            _ => shortage::failure(Exit::Unsupported, format_args!("cannot read {types}"), &error),
        })
    }

    /// Changes made to the system in the meantime, to be reported: nothing is mounted silently.
    pub fn take_notes(&self) -> Vec<String> {
        self.notes.take()
    }

    /// With the index of the names that these programs need; without one, names are looked up one
    /// by one.
    pub fn of(index: Option<Index>, programs: &[Program]) -> Self {
        let absent = |program: &&Program| {
            program.kind == Kind::Fentry
                && index.as_ref().is_some_and(|index| target::number(program, index).is_none())
        };
        let missing = programs.iter().filter(absent).map(|program| program.target.clone()).collect();
        Self { index, missing, ..Self::default() }
    }

    /// The functions of its modules that programs attach to.
    pub fn modules(&self) -> &Modules {
        self.modules.get_or_init(|| {
            let types = self.index.as_ref().zip(Types::running());
            types.map(|(index, types)| Modules::find(&types, index, &self.missing)).unwrap_or_default()
        })
    }

    /// The offsets of names among its types, of those that an object needs.
    pub fn index(&self) -> Option<&Index> {
        self.index.as_ref()
    }

    /// Whether its types have a program's target.
    pub fn types_have(&self, program: &Program) -> bool {
        match &self.index {
            Some(index) => target::number(program, index).is_some(),
            None => kernel_names(&target::name(program).0),
        }
    }

    fn typed(&self, program: &Program) -> Result<(), Refusal> {
        if self.types_have(program) { Ok(()) } else { Err(absent()) }
    }

    /// Whether a trampoline can be attached to this function, of the kernel itself or of a loaded
    /// module.
    fn traced(&self, program: &Program) -> Result<(), Refusal> {
        let by_kernel = self.types_have(program);
        if !by_kernel && self.modules().function(&program.target).is_none() {
            return Err(absent());
        }
        if !by_kernel && !restrictions::exposes_module_btf() {
            let why = "a function of a module, whose BTF the kernel gives only to CAP_SYS_ADMIN";
            let refusal = Refusal { whole_kind: false, ..Refusal::not_permitted(why) };
            return Err(refusal.lacking(Capability::CAP_SYS_ADMIN));
        }
        let tried = || fentry::permitted(self.index.as_ref().and_then(Index::first_function));
        self.trampolines.get_or_init(tried).clone()
    }

    /// Whether a kprobe can be placed on this function. All symbols are read only if it has no BTF.
    fn probed(&self, program: &Program) -> Result<(), Refusal> {
        if !Path::new(KPROBE_PMU).exists() {
            return Err(Refusal::missing("this kernel has no kprobes (CONFIG_KPROBE_EVENTS)"));
        }
        let symbols = || self.symbols.get_or_init(|| fs::read_to_string(SYMBOLS).unwrap_or_default());
        if !self.types_have(program) && symbols().is_empty() {
            return Err(Refusal::missing(format!("{SYMBOLS}, which lists functions, is not readable")));
        }
        // ADDRESS TYPE NAME, and for a module's also [MODULE].
        let is_it = |line: &str| line.split_ascii_whitespace().nth(2) == Some(&program.target);
        if self.types_have(program) || symbols().lines().any(is_it) { Ok(()) } else { Err(absent()) }
    }

    fn tracepoint(&self, target: &str) -> Result<(), Refusal> {
        let root = self.tracefs()?;
        let number = root.join("events").join(target).join("id");
        match fs::metadata(&number) {
            // It may be visible and yet not readable (6.18). Checked with the effective ids: the
            // real ones may differ.
            Ok(_) => match accessat(CWD, &number, Access::READ_OK, AtFlags::EACCESS) {
                Err(Errno::ACCESS) => Err(unreadable(&root)),
                _ => Ok(()),
            },
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(unreadable(&root)),
            Err(_) => Err(Refusal::missing("no such tracepoint")),
        }
    }

    /// Whether only root, or a process that may read all files, can use tracefs: the default,
    /// unless it was mounted otherwise.
    pub fn tracefs_is_closed(&self) -> bool {
        let lacks = |path: &Path, bits: u32| {
            fs::metadata(path).is_ok_and(|found| found.permissions().mode() & bits != bits)
        };
        // Directories may be open while the files with an event's number are not (6.18).
        let number = "events/sched/sched_process_fork/id";
        self.tracefs().is_ok_and(|root| {
            lacks(&root, 0o005) || lacks(&root.join("events"), 0o005) || lacks(&root.join(number), 0o004)
        })
    }

    /// Finds tracefs, or mounts it if the kernel has a mount point for it.
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
        // If it is mounted but empty, mounting it again does not help.
        let is_there = is_tracefs(place);
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
        Err(Refusal::not_permitted(match Restrictions::gather().lockdown.as_deref() {
            Some("confidentiality") => format!("tracefs is empty: {LOCKED_DOWN}"),
            _ => "tracefs is empty: the kernel keeps it empty if locked down at boot".to_string(),
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

fn absent() -> Refusal {
    Refusal::missing("not in this kernel")
}

fn unreadable(root: &Path) -> Refusal {
    Refusal::not_permitted(format!("{} is not readable: needs root or CAP_DAC_READ_SEARCH", root.display()))
        .lacking(Capability::CAP_DAC_READ_SEARCH)
}

impl Kernel for Running {
    fn can_attach(&self, program: &Program) -> Result<(), Refusal> {
        match program.kind {
            Kind::Btf | Kind::Iter => self.typed(program),
            Kind::Tracepoint => self.tracepoint(&program.target),
            Kind::Fentry => self.traced(program),
            Kind::Kprobe => self.probed(program),
        }
    }

    fn has_name(&self, name: &str) -> bool {
        kernel_names(name)
    }
}
