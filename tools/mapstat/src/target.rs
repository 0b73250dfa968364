//! Whether this kernel has what a typed program attaches to: a function, or a tracepoint with its types.

use std::cell::OnceCell;
use std::ffi::CString;
use std::fs;
use std::ptr::NonNull;

/// The types of the kernel, and those of its modules.
#[derive(Default)]
pub struct Targets {
    kernel: OnceCell<Option<Types>>,
    modules: OnceCell<Vec<Types>>,
}

/// The types of the kernel or of a module.
struct Types(NonNull<libbpf_sys::btf>);

impl Drop for Types {
    fn drop(&mut self) {
        // SAFETY: it was loaded by libbpf, and nobody else has it.
        unsafe { libbpf_sys::btf__free(self.0.as_ptr()) }
    }
}

impl Types {
    fn of(loaded: *mut libbpf_sys::btf) -> Option<Self> {
        NonNull::new(loaded).map(Self)
    }

    fn have(&self, name: &str, kind: u32) -> bool {
        let Ok(name) = CString::new(name) else { return false };
        // SAFETY: the types are loaded, and the name ends with NUL.
        unsafe { libbpf_sys::btf__find_by_name_kind(self.0.as_ptr(), name.as_ptr(), kind) > 0 }
    }
}

/// The name and kind of type that a section's program needs; `None` if it needs none.
fn needed(section: &str) -> Option<(String, u32)> {
    let (prefix, target) = section.split_once('/')?;
    // A function of a module may have the module's name before it; programs that may sleep end with `.s`.
    let target = target.rsplit(':').next().unwrap_or(target);
    Some(match prefix.trim_end_matches(".s") {
        "tp_btf" => (format!("btf_trace_{target}"), libbpf_sys::BTF_KIND_TYPEDEF),
        "fentry" | "fexit" | "fmod_ret" => (target.to_owned(), libbpf_sys::BTF_KIND_FUNC),
        "lsm" => (format!("bpf_lsm_{target}"), libbpf_sys::BTF_KIND_FUNC),
        "iter" => (format!("bpf_iter_{target}"), libbpf_sys::BTF_KIND_FUNC),
        _ => return None,
    })
}

impl Targets {
    /// Whether a program of this section has its target. Programs that need no types have: attaching tells.
    pub fn exist(&self, section: &str) -> bool {
        let Some((name, kind)) = needed(section) else { return true };
        // SAFETY: it takes nothing.
        let load = || Types::of(unsafe { libbpf_sys::btf__load_vmlinux_btf() });
        // Without types nothing of the kind can be loaded: the kernel says why.
        let Some(kernel) = self.kernel.get_or_init(load) else { return true };
        kernel.have(&name, kind) || self.modules(kernel).iter().any(|module| module.have(&name, kind))
    }

    fn modules(&self, kernel: &Types) -> &[Types] {
        self.modules.get_or_init(|| {
            let listed = fs::read_dir("/sys/kernel/btf").into_iter().flatten().flatten();
            let names = listed.filter_map(|entry| entry.file_name().into_string().ok());
            let names = names.filter(|name| name != "vmlinux").filter_map(|name| CString::new(name).ok());
            let load = |name: CString| {
                // SAFETY: the kernel's types outlive those of modules, for they are dropped after them.
                Types::of(unsafe { libbpf_sys::btf__load_module_btf(name.as_ptr(), kernel.0.as_ptr()) })
            };
            names.filter_map(load).collect()
        })
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        // Those of modules refer to the kernel's.
        self.modules.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_programs_need_a_type_of_their_target() {
        let of = |section| needed(section).map(|(name, _)| name);
        assert_eq!(of("tp_btf/sched_switch").as_deref(), Some("btf_trace_sched_switch"));
        assert_eq!(of("fentry.s/ext4:ext4_sync_file").as_deref(), Some("ext4_sync_file"));
        assert_eq!(
            (of("lsm/file_open"), of("iter/task")),
            (Some("bpf_lsm_file_open".into()), Some("bpf_iter_task".into()))
        );
        assert_eq!((of("kprobe/x"), of("uprobe//bin/x:y"), of("fentry")), (None, None, None));
    }
}
