//! What typed programs attach to, by the number that the kernel's types have for it: from our own index rather than by
//! libbpf, which would read all types for it and go through them once for each program.
//!
//! libbpf lets a program bring handlers of its own for sections (`libbpf_register_prog_handler`), which are asked what
//! to load with. It reads the kernel's types before that, for every program of the type that these have; so until then
//! they have another (`prog_needs_vmlinux_btf`).

use std::collections::BTreeMap;
use std::ffi::{CStr, c_int, c_long};
use std::sync::{Mutex, OnceLock};

use libbpf_rs::{Error, Link, OpenProgramMut, ProgramMut, ProgramType};

use crate::btf::Index;
use crate::hooks::{Kind, Program};

/// The sections, and how their programs are attached.
const SECTIONS: [(&CStr, libbpf_sys::bpf_attach_type); 4] = [
    (c"tp_btf+", libbpf_sys::BPF_TRACE_RAW_TP),
    (c"fentry+", libbpf_sys::BPF_TRACE_FENTRY),
    (c"fexit+", libbpf_sys::BPF_TRACE_FEXIT),
    (c"iter+", libbpf_sys::BPF_TRACE_ITER),
];

/// By a program's name, the number of what it attaches to.
static TARGETS: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

/// Has libbpf ask here what typed programs attach to, those of all objects that are opened from now on.
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

/// Has a program find its target in the index; of a function that is not there, which may be a module's, by libbpf.
///
/// # Errors
/// When libbpf does not find it either.
pub fn resolve(open: &mut OpenProgramMut<'_>, program: &Program, index: Option<&Index>) -> Result<(), Error> {
    if !is_typed(program) {
        return Ok(());
    }
    match index.and_then(|index| number(program, index)) {
        Some(number) => {
            if let Ok(mut targets) = TARGETS.lock() {
                targets.insert(program.name.clone(), number);
            }
            Ok(())
        }
        None => {
            open.set_prog_type(ProgramType::Tracing);
            open.set_attach_target(0, Some(program.target.clone()))
        }
    }
}

/// Attaches a program whose target was resolved here, or of another kind.
///
/// # Errors
/// When the kernel refuses.
pub fn attach(loaded: &ProgramMut<'_>, program: &Program) -> Result<Link, Error> {
    if is_typed(program) { loaded.attach_trace() } else { loaded.attach() }
}

/// What the kernel's types call a program's target, and whether that is a type definition rather than a function.
pub fn name(program: &Program) -> (String, bool) {
    match program.kind {
        Kind::Btf => (format!("btf_trace_{}", program.target), true),
        Kind::Iter => (format!("bpf_iter_{}", program.target), false),
        Kind::Fentry | Kind::Kprobe | Kind::Tracepoint => (program.target.clone(), false),
    }
}

/// The number of a program's target among the kernel's own types.
pub fn number(program: &Program, index: &Index) -> Option<u32> {
    let (name, is_typedef) = name(program);
    if is_typedef { index.typedef(&name) } else { index.function(&name) }
}

fn is_typed(program: &Program) -> bool {
    matches!(program.kind, Kind::Btf | Kind::Fentry | Kind::Iter)
}

/// Called by libbpf before it loads a program: says what the program attaches to, and gives it its true type.
extern "C" fn prepare(
    program: *mut libbpf_sys::bpf_program,
    opts: *mut libbpf_sys::bpf_prog_load_opts,
    _: c_long,
) -> c_int {
    // SAFETY: libbpf's own program, whose name lives as long.
    let name = unsafe { CStr::from_ptr(libbpf_sys::bpf_program__name(program)) };
    let targets = TARGETS.lock();
    let Some(target) = targets.ok().and_then(|targets| targets.get(&*name.to_string_lossy()).copied()) else {
        return -libc::ESRCH;
    };
    // SAFETY: libbpf's own options, which it hands out to be changed.
    unsafe { (*opts).attach_btf_id = target };
    // SAFETY: libbpf's own program, which is not loaded yet.
    unsafe { libbpf_sys::bpf_program__set_type(program, libbpf_sys::BPF_PROG_TYPE_TRACING) }
}
