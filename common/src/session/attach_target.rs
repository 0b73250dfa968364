//! The targets of typed programs, by their number in the kernel's types: from our own index rather
//! than by libbpf, which would read all types for it and search them once for each program.
//!
//! libbpf lets a program register handlers of its own for sections
//! (`libbpf_register_prog_handler`), which it calls before it loads a program. Before that it reads
//! the kernel's types for every program with one of the tracing types. So the programs have another
//! type until then (`prog_needs_vmlinux_btf`).

use std::collections::BTreeMap;
use std::ffi::{CStr, c_int, c_long};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock};

use libbpf_rs::{Error, Link, OpenProgramMut, ProgramMut, ProgramType};

use crate::hooks::{Kind, Program};
use crate::kernel::btf::{self, target};
use crate::kernel::running::Running;

/// The sections, and how their programs are attached.
const SECTIONS: [(&CStr, libbpf_sys::bpf_attach_type); 4] = [
    (c"tp_btf+", libbpf_sys::BPF_TRACE_RAW_TP),
    (c"fentry+", libbpf_sys::BPF_TRACE_FENTRY),
    (c"fexit+", libbpf_sys::BPF_TRACE_FEXIT),
    (c"iter+", libbpf_sys::BPF_TRACE_ITER),
];

/// The target of each program, by the program's name.
static TARGETS: Mutex<BTreeMap<String, Target>> = Mutex::new(BTreeMap::new());

/// What a program attaches to.
struct Target {
    /// Its number among the kernel's types.
    number: u32,
    /// The types of the module that it belongs to, if it does.
    module: Option<Arc<OwnedFd>>,
}

/// Registers handlers in libbpf for the targets of typed programs, for all objects that are opened
/// from now on.
pub fn register() {
    static REGISTERED: OnceLock<()> = OnceLock::new();
    REGISTERED.get_or_init(|| {
        for (section, attach_type) in SECTIONS {
            let opts = libbpf_sys::libbpf_prog_handler_opts {
                sz: size_of::<libbpf_sys::libbpf_prog_handler_opts>() as libbpf_sys::size_t,
                prog_prepare_load_fn: Some(prepare),
                ..Default::default()
            };
            // SAFETY: libbpf copies the section's name and the options.
            unsafe {
                libbpf_sys::libbpf_register_prog_handler(
                    section.as_ptr(),
                    libbpf_sys::BPF_PROG_TYPE_RAW_TRACEPOINT,
                    attach_type,
                    &raw const opts,
                );
            }
        }
    });
}

/// Resolves the targets of programs among the types of the kernel and its modules.
#[derive(Default)]
pub struct Resolver {
    /// The types of modules, by name.
    modules: BTreeMap<String, Arc<OwnedFd>>,
}

impl Resolver {
    /// Resolves a program's target. If neither the kernel nor a module is known to have it, libbpf
    /// looks for it.
    ///
    /// # Errors
    /// When libbpf does not find it either.
    pub fn resolve(
        &mut self,
        open: &mut OpenProgramMut<'_>,
        program: &Program,
        kernel: &Running,
    ) -> Result<(), Error> {
        if !is_typed(program) {
            return Ok(());
        }
        let of_kernel = kernel.index().and_then(|index| target::number(program, index));
        let target = of_kernel.map(|number| Target { number, module: None });
        let Some(target) = target.or_else(|| self.of_module(program, kernel)) else {
            open.set_prog_type(ProgramType::Tracing);
            return open.set_attach_target(0, Some(program.target.clone()));
        };
        if let Ok(mut targets) = TARGETS.lock() {
            targets.insert(program.name.clone(), target);
        }
        Ok(())
    }

    fn of_module(&mut self, program: &Program, kernel: &Running) -> Option<Target> {
        let function = kernel.modules().function(&program.target)?;
        if !self.modules.contains_key(&function.module) {
            let types = btf::descriptor(&function.module).ok()?;
            self.modules.insert(function.module.clone(), Arc::new(types));
        }
        let module = self.modules.get(&function.module).cloned();
        Some(Target { number: function.number, module })
    }
}

/// Drops all targets: no more programs are loaded.
pub fn forget() {
    if let Ok(mut targets) = TARGETS.lock() {
        targets.clear();
    }
}

/// Attaches a program whose target was resolved here, or of another kind.
///
/// # Errors
/// When the kernel refuses.
pub fn attach(loaded: &ProgramMut<'_>, program: &Program) -> Result<Link, Error> {
    if is_typed(program) { loaded.attach_trace() } else { loaded.attach() }
}

/// Whether a program attaches to what has a number among the types.
pub fn is_typed(program: &Program) -> bool {
    matches!(program.kind, Kind::Btf | Kind::Fentry | Kind::Iter)
}

/// Called by libbpf before it loads a program: sets the program's target and its true type.
extern "C" fn prepare(
    program: *mut libbpf_sys::bpf_program,
    opts: *mut libbpf_sys::bpf_prog_load_opts,
    _: c_long,
) -> c_int {
    // SAFETY: libbpf's own program, whose name lives as long as the program.
    let name = unsafe { CStr::from_ptr(libbpf_sys::bpf_program__name(program)) };
    let Ok(targets) = TARGETS.lock() else { return -libc::ESRCH };
    let Some(target) = targets.get(&*name.to_string_lossy()) else { return -libc::ESRCH };
    // SAFETY: libbpf's own options, which it passes to be changed.
    let opts = unsafe { &mut *opts };
    opts.attach_btf_id = target.number;
    if let Some(module) = &target.module {
        opts.attach_btf_obj_fd = module.as_raw_fd() as u32;
    }
    // SAFETY: libbpf's own program, which is not loaded yet.
    unsafe { libbpf_sys::bpf_program__set_type(program, libbpf_sys::BPF_PROG_TYPE_TRACING) }
}
