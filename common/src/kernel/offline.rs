//! A kernel that is not running here, as its own files describe it.

use std::fs;
use std::path::Path;

use cli::exit::{Failure, Result};

use super::btf::Types;
use crate::hooks::{Kernel, Kind, Program, Refusal};

/// A kernel described by its types and symbols. Whether a function is really called there can be
/// tested only on that kernel.
pub struct Offline {
    /// The kernel's own first, then those of its modules.
    types: Vec<Types>,
    /// The names of `/proc/kallsyms`, one to a line, with a newline before the first.
    symbols: String,
}

impl Offline {
    /// Reads a folder with a copy of `/sys/kernel/btf` and, in `symbols`, the names of
    /// `/proc/kallsyms`.
    ///
    /// # Errors
    /// Status 2 if one of these is missing.
    pub fn read(folder: &Path) -> Result<Self> {
        let wrong = |file: &str, error| {
            let path = folder.join(file);
            Failure::usage(format!(
                "--kernel: {}: {error}: needs a copy of /sys/kernel/btf, and in `symbols` the names of /proc/kallsyms",
                path.display()
            ))
        };
        let kernel = Types::open(&folder.join("vmlinux")).map_err(|error| wrong("vmlinux", error))?;
        let symbols = fs::read_to_string(folder.join("symbols")).map_err(|error| wrong("symbols", error))?;
        let files = fs::read_dir(folder).map_err(|error| wrong("", error))?.flatten();
        let modules = files.filter(|file| file.file_name() != "vmlinux" && file.file_name() != "symbols");
        let modules = modules.filter_map(|file| Types::open(&file.path()).ok());
        Ok(Self {
            types: std::iter::once(kernel).chain(modules).collect(),
            symbols: format!("\n{symbols}\n"),
        })
    }

    /// Whether the kernel or a module of it has this symbol.
    pub fn has_symbol(&self, name: &str) -> bool {
        // A module's symbol is followed by a tab and the module's name.
        ["\n", "\t"].into_iter().any(|end| {
            memchr::memmem::find(self.symbols.as_bytes(), format!("\n{name}{end}").as_bytes()).is_some()
        })
    }
}

impl Kernel for Offline {
    fn can_attach(&self, program: &Program) -> std::result::Result<(), Refusal> {
        let target = &program.target;
        let can = match program.kind {
            Kind::Btf => self.has_name(&format!("btf_trace_{target}")),
            Kind::Iter => self.has_name(&format!("bpf_iter_{target}")),
            // A function that the compiler removed may still have its type.
            Kind::Fentry => self.has_symbol(target) && self.types.iter().any(|types| types.has_name(target)),
            Kind::Kprobe => self.has_symbol(target),
            Kind::Tracepoint => self.has_symbol(&tracepoint_symbol(target)),
        };
        if can { Ok(()) } else { Err(Refusal::missing("not in that kernel")) }
    }

    fn has_name(&self, name: &str) -> bool {
        self.types.first().is_some_and(|types| types.has_name(name))
    }
}

/// The name of a tracefs tracepoint in the kernel's own code. Those of system calls share two
/// tracepoints, and each has an event of its own (`SYSCALL_TRACE_EXIT_EVENT` of
/// `linux/syscalls.h`).
fn tracepoint_symbol(target: &str) -> String {
    let (family, event) = target.split_once('/').unwrap_or(("", target));
    let call = event.strip_prefix("sys_").filter(|_| family == "syscalls");
    match call.and_then(|call| call.split_once('_')) {
        Some((side, call)) => format!("event_{side}__{call}"),
        None => format!("__tracepoint_{event}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracepoints_have_symbols() {
        assert_eq!(tracepoint_symbol("sched/sched_process_exec"), "__tracepoint_sched_process_exec");
        assert_eq!(tracepoint_symbol("syscalls/sys_exit_pread64"), "event_exit__pread64");
        assert_eq!(tracepoint_symbol("syscalls/sys_enter_sync_file_range"), "event_enter__sync_file_range");
    }

    #[test]
    fn a_kernel_is_its_types_and_symbols() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &[u8]| fs::write(folder.path().join(file), text).unwrap();
        assert!(Offline::read(folder.path()).is_err_and(|failure| failure.message.contains("vmlinux")));
        write("vmlinux", b"\0btf_trace_sched_process_exec\0vfs_read\0inlined\0");
        assert!(Offline::read(folder.path()).is_err_and(|failure| failure.message.contains("symbols")));
        write("symbols", b"vfs_read\nno_type\n__tracepoint_sched_process_exec\next4_file_read_iter\t[ext4]");
        write("ext4", b"\0ext4_file_read_iter\0");
        let kernel = Offline::read(folder.path()).unwrap();
        let can = |section: &str| kernel.can_attach(&Program::from_section("p", section).unwrap()).is_ok();
        let sections = [
            "tp_btf/sched_process_exec",
            "fexit/vfs_read",
            "kprobe/no_type",
            "tp/sched/sched_process_exec",
            "fexit/ext4_file_read_iter",
        ];
        assert_eq!(sections.map(can), [true; 5]);
        let sections = ["tp_btf/none", "fentry/inlined", "fentry/no_type", "kprobe/vfs", "iter/task"];
        assert_eq!(sections.map(can), [false; 5]);
    }
}
