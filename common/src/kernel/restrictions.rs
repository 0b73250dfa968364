//! The system's restrictions: read where it exposes them, otherwise probed by calls without effect.

use std::fs;
use std::os::fd::{FromRawFd, OwnedFd};

use caps::{CapSet, Capability};
use cli::security::Security;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The initial user namespace (`PROC_USER_INIT_INO` of `linux/proc_ns.h`).
const FIRST_USER_NAMESPACE: &str = "user:[4026531837]";

/// The restrictions that the system exposes, and its answers to harmless calls.
#[derive(Clone, Debug, Default)]
pub struct Restrictions {
    /// How the kernel is locked down: `none`, `integrity` or `confidentiality`; `None` if it is not
    /// exposed.
    pub lockdown: Option<String>,
    /// A seccomp filter is active.
    pub seccomp: bool,
    /// The capabilities are those of a user namespace, and do not count for BPF.
    pub user_namespace: bool,
    /// The error with which bpf(2) is refused for any request: EPERM, EACCES or ENOSYS.
    pub bpf: Option<Errno>,
    /// The same for perf_event_open(2), by which classic tracepoints and kprobes are attached.
    pub perf: Option<Errno>,
    /// The limit of locked memory in bytes, if the kernel counts BPF's memory against it (before
    /// Linux 5.11).
    pub memlock: Option<u64>,
    /// `kernel.perf_event_paranoid`.
    pub paranoid: Option<i32>,
    /// The caller has CAP_SYS_ADMIN.
    pub admin: bool,
    /// The security modules that are active.
    pub modules: Vec<String>,
}

impl Restrictions {
    /// Gathers what is available. To be called by a process of one thread: its limit of locked
    /// memory is changed and restored.
    pub fn gather() -> Self {
        let admin = caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap_or(false);
        let security = Security::open(admin);
        let bpf = bpf();
        Self {
            lockdown: security.lockdown(),
            seccomp: fs::read_to_string("/proc/self/status").is_ok_and(|status| filtered(&status)),
            user_namespace: fs::read_link("/proc/self/ns/user")
                .is_ok_and(|namespace| namespace.as_os_str() != FIRST_USER_NAMESPACE),
            bpf,
            perf: perf(),
            memlock: if bpf.is_none() { memlock() } else { None },
            paranoid: paranoid(),
            admin,
            modules: security.modules(),
        }
    }
}

/// Whether a process's status shows a seccomp filter (`SECCOMP_MODE_FILTER`).
fn filtered(status: &str) -> bool {
    status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"))
}

/// The error with which bpf(2) is refused, if it is: called for a map and for a program of an
/// invalid type, neither of which is created.
pub fn bpf() -> Option<Errno> {
    let attributes = libbpf_sys::bpf_attr::default();
    [libbpf_sys::BPF_MAP_CREATE, libbpf_sys::BPF_PROG_LOAD]
        .into_iter()
        .find_map(|command| refused(call_bpf(command, &attributes).err()?))
}

/// The error with which perf_event_open(2) is refused, if it is: called for an event that never
/// occurs, of this process only and outside of the kernel, which every upstream level of
/// `kernel.perf_event_paranoid` allows.
fn perf() -> Option<Errno> {
    let mut attributes = libbpf_sys::perf_event_attr {
        type_: libbpf_sys::PERF_TYPE_SOFTWARE,
        size: size_of::<libbpf_sys::perf_event_attr>() as u32,
        config: libbpf_sys::PERF_COUNT_SW_DUMMY.into(),
        ..libbpf_sys::perf_event_attr::default()
    };
    attributes.set_disabled(1);
    attributes.set_exclude_kernel(1);
    attributes.set_exclude_hv(1);
    // SAFETY: the attributes outlive the call and have the size that they state.
    let answer = unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const attributes, 0, -1, -1, 0) };
    close(result(answer)).err().and_then(refused)
}

/// Whether perf_event_open(2) requires CAP_SYS_ADMIN: tried without it. Kernels of distributions
/// (Debian's, for example) do if `kernel.perf_event_paranoid` is above 2.
pub fn perf_asks_for_admin() -> bool {
    let admin = caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap_or(false);
    if admin && caps::drop(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).is_err() {
        return false;
    }
    let answer = perf();
    if admin {
        // It is still in the permitted set, so it can be raised again.
        let _ = caps::raise(None, CapSet::Effective, Capability::CAP_SYS_ADMIN);
    }
    answer == Some(Errno::ACCESS) && paranoid().is_some_and(|level| level > 2)
}

fn paranoid() -> Option<i32> {
    fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok()?.trim().parse().ok()
}

/// Whether the kernel gives out the types of its modules, without which no trampoline can be
/// attached to their functions (`bpf_obj_get_next_id` and `BPF_BTF_GET_FD_BY_ID` of
/// kernel/bpf/syscall.c: for CAP_SYS_ADMIN alone).
pub fn exposes_module_btf() -> bool {
    let mut first = 0;
    // SAFETY: the number outlives the call.
    let answer = unsafe { libbpf_sys::bpf_btf_get_next_id(0, &raw mut first) };
    answer != -libc::EPERM
}

/// The errors of a call that mean that it was not even examined.
fn refused(errno: Errno) -> Option<Errno> {
    [Errno::PERM, Errno::ACCESS, Errno::NOSYS].contains(&errno).then_some(errno)
}

/// The limit of locked memory in bytes, if there is one and the kernel counts BPF's memory against
/// it: then not even the smallest map can be created with a limit of 0.
pub fn memlock() -> Option<u64> {
    let limit = getrlimit(Resource::Memlock);
    let present = limit.current?;
    setrlimit(Resource::Memlock, Rlimit { current: Some(0), ..limit }).ok()?;
    let mut attributes = libbpf_sys::bpf_attr::default();
    attributes.__bindgen_anon_1.map_type = libbpf_sys::BPF_MAP_TYPE_ARRAY;
    attributes.__bindgen_anon_1.key_size = 4;
    attributes.__bindgen_anon_1.value_size = 4;
    attributes.__bindgen_anon_1.max_entries = 1;
    let answer = call_bpf(libbpf_sys::BPF_MAP_CREATE, &attributes);
    // The lowered limit may be raised again up to the hard limit, which is unchanged.
    let _ = setrlimit(Resource::Memlock, limit);
    close(answer).is_err_and(|errno| errno == Errno::PERM).then_some(present)
}

/// Closes the descriptor that a call returned, if it did.
fn close(answer: rustix::io::Result<i32>) -> rustix::io::Result<()> {
    // SAFETY: a descriptor that the kernel has just returned, and that has no other owner.
    answer.map(|descriptor| drop(unsafe { OwnedFd::from_raw_fd(descriptor) }))
}

/// bpf(2) itself: libbpf would retry with a higher limit of locked memory.
fn call_bpf(command: u32, attributes: &libbpf_sys::bpf_attr) -> rustix::io::Result<i32> {
    // SAFETY: the attributes outlive the call and have the size that it states; they hold no
    // pointers.
    let answer = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of_val(attributes))
    };
    result(answer)
}

fn result(answer: libc::c_long) -> rustix::io::Result<i32> {
    if answer >= 0 {
        return Ok(answer as i32);
    }
    let error = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    Err(Errno::from_raw_os_error(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert!(filtered("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n"));
        assert!(!filtered("Seccomp:\t0\nSeccomp_filters:\t2\n"));
    }

    #[test]
    fn the_limit_of_locked_memory_is_left_as_it_was() {
        let before = getrlimit(Resource::Memlock);
        Restrictions::gather();
        assert_eq!(getrlimit(Resource::Memlock), before);
    }
}
