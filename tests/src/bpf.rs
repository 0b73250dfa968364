//! BPF programs, links and capabilities as the kernel shows them.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use serde_json::Value;

use crate::programs;

/// The names of the BPF programs that are loaded.
pub fn loaded() -> Vec<String> {
    let listed: Value =
        serde_json::from_str(&programs::succeed("bpftool", &["-j", "prog", "show"])).expect("JSON");
    let programs = listed.as_array().expect("a list");
    programs.iter().filter_map(|program| Some(program.get("name")?.as_str()?.to_string())).collect()
}

/// A BPF object, which the kernel keeps as long as a descriptor or link holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BpfObject {
    /// `prog`, `map` or `link`.
    pub kind: &'static str,
    /// Its id.
    pub id: u32,
}

/// The programs, maps and links that a process holds descriptors of.
pub fn held_by(pid: u32) -> Vec<BpfObject> {
    let mut held = Vec::new();
    for info in fdinfo(pid) {
        for kind in ["prog", "map", "link"] {
            // fdinfo of a link also shows its program, which this descriptor does not hold.
            let line = info.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix("_id:"));
            let of_link = kind == "prog" && info.contains("link_id:");
            let id = line.filter(|_| !of_link).and_then(|id| id.trim().parse().ok());
            held.extend(id.map(|id| BpfObject { kind, id }));
        }
    }
    held.sort_unstable();
    held.dedup();
    held
}

/// The memory of programs and maps, in bytes, as bpftool shows it: that of links it does not know.
pub fn memlock(objects: &[BpfObject]) -> u64 {
    let listed = |kind| {
        let listed: Value =
            serde_json::from_str(&programs::succeed("bpftool", &["-j", kind, "show"])).expect("JSON");
        listed.as_array().expect("a list").clone()
    };
    let listed = [("prog", listed("prog")), ("map", listed("map"))];
    let of = |object: &BpfObject| {
        let (_, all) = listed.iter().find(|(kind, _)| *kind == object.kind)?;
        let found = all.iter().find(|one| one["id"] == object.id).expect("bpftool lists it");
        // It leaves out what is 0.
        Some(found.get("bytes_memlock").map_or(0, |bytes| bytes.as_u64().expect("a number")))
    };
    objects.iter().filter_map(of).sum()
}

/// Whether it still exists.
pub fn exists(held: &BpfObject) -> bool {
    open(held).is_some()
}

/// A descriptor of it; `None` if it does not exist any more. It calls bpf(2) directly, because a
/// test calls it hundreds of times.
fn open(held: &BpfObject) -> Option<OwnedFd> {
    // SAFETY: the attributes hold numbers only.
    let fd = unsafe {
        match held.kind {
            "prog" => libbpf_sys::bpf_prog_get_fd_by_id(held.id),
            "map" => libbpf_sys::bpf_map_get_fd_by_id(held.id),
            _ => libbpf_sys::bpf_link_get_fd_by_id(held.id),
        }
    };
    assert!(fd >= 0 || fd == -libc::ENOENT, "{held:?}: {}", std::io::Error::from_raw_os_error(-fd));
    // SAFETY: the kernel has just returned this descriptor; nothing else owns it.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The kernel's `bpf_prog_info` of a program.
fn info(program: &OwnedFd) -> libbpf_sys::bpf_prog_info {
    let mut info = libbpf_sys::bpf_prog_info::default();
    let mut len = size_of_val(&info) as u32;
    // SAFETY: `info` is zeroed, as the kernel requires it, and `len` is its size.
    let error =
        unsafe { libbpf_sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), &raw mut info, &raw mut len) };
    assert_eq!(error, 0, "BPF_OBJ_GET_INFO_BY_FD of a program");
    info
}

/// The programs of a process, held open so that their counters can be read after its end.
pub struct Programs(Vec<OwnedFd>);

impl Programs {
    /// The programs that it holds now.
    pub fn of(pid: u32) -> Self {
        Self(held_by(pid).iter().filter(|held| held.kind == "prog").filter_map(open).collect())
    }

    /// How often the kernel skipped one of them, on the whole machine, since they were loaded:
    /// `recursion_misses`, which exists from Linux 5.12 on.
    pub fn left_out(&self) -> u64 {
        self.left_out_by_name().values().sum()
    }

    /// The same of each, by its name.
    pub fn left_out_by_name(&self) -> BTreeMap<String, u64> {
        let of = |program| {
            let info = info(program);
            (name_in(&info), info.recursion_misses)
        };
        self.0.iter().map(of).collect()
    }
}

/// The name of a program, truncated by the kernel to 15 bytes.
pub fn name(program: &BpfObject) -> String {
    name_in(&info(&open(program).expect("it is held")))
}

fn name_in(info: &libbpf_sys::bpf_prog_info) -> String {
    // SAFETY: the kernel ends it with a 0.
    unsafe { CStr::from_ptr(info.name.as_ptr()) }.to_string_lossy().into_owned()
}

fn fdinfo(pid: u32) -> Vec<String> {
    let Ok(listed) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return Vec::new() };
    listed.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect()
}

/// A set of capabilities of a process, as bits: `CapEff`, `CapPrm`, `CapInh`, `CapAmb`.
pub fn capabilities(pid: u32, set: &str) -> u64 {
    u64::from_str_radix(&status(pid, set), 16).expect("hexadecimal")
}

/// A line of `/proc/PID/status`.
pub fn status(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in its status")).trim().to_string()
}
