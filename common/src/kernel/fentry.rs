//! Whether this kernel allows functions to be watched through trampolines (fentry, fexit). Some
//! kernels have BTF for all their functions, have ftrace, and still refuse: an empty program is
//! tried first.

use std::ffi::CStr;
use std::os::fd::{FromRawFd, OwnedFd};

use super::diagnosis::{Step, diagnose};
use super::restrictions::Restrictions;
use crate::hooks::{Kind, Refusal};

/// `return 0`: `r0 = 0; exit`, as `struct bpf_insn` of `linux/bpf.h` has it.
const NOTHING: [libbpf_sys::bpf_insn; 2] = [instruction(0xb7), instruction(0x95)];
const LICENSE: &CStr = c"GPL";

const fn instruction(code: u8) -> libbpf_sys::bpf_insn {
    libbpf_sys::bpf_insn {
        code,
        _bitfield_align_1: [],
        _bitfield_1: libbpf_sys::__BindgenBitfieldUnit::new([0]),
        off: 0,
        imm: 0,
    }
}

/// Loads, but does not attach, an empty program for the function of this number. Only a missing
/// permission counts as a refusal: whether the kernel can attach is tested per function.
pub fn permitted(function: Option<u32>) -> Result<(), Refusal> {
    let Some(function) = function else {
        return Err(Refusal::missing("this kernel has no BTF of its functions"));
    };
    let opts = libbpf_sys::bpf_prog_load_opts {
        sz: size_of::<libbpf_sys::bpf_prog_load_opts>() as libbpf_sys::size_t,
        expected_attach_type: libbpf_sys::BPF_TRACE_FENTRY,
        attach_btf_id: function,
        ..Default::default()
    };
    // SAFETY: the pointers are to constants and to options that outlive the call.
    let fd = unsafe {
        libbpf_sys::bpf_prog_load(
            libbpf_sys::BPF_PROG_TYPE_TRACING,
            std::ptr::null(),
            LICENSE.as_ptr(),
            NOTHING.as_ptr(),
            NOTHING.len() as libbpf_sys::size_t,
            (&raw const opts).cast_mut(),
        )
    };
    if fd >= 0 {
        // SAFETY: a descriptor that the kernel has just returned, and that has no other owner.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
        return Ok(());
    }
    let denied = std::io::Error::from_raw_os_error(-fd).kind() == std::io::ErrorKind::PermissionDenied;
    let cause =
        denied.then(|| diagnose(Step::Load(Some(Kind::Fentry)), true, "", &Restrictions::gather())).flatten();
    cause.map_or(Ok(()), |cause| Err(cause.into()))
}
