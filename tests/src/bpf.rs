//! What the kernel knows of BPF programs, links and capabilities.

use std::fs;

use serde_json::Value;

use crate::programs;

/// The names of the BPF programs that are loaded.
pub fn loaded() -> Vec<String> {
    let listed: Value =
        serde_json::from_str(&programs::succeed("bpftool", &["-j", "prog", "show"])).expect("JSON");
    let programs = listed.as_array().expect("a list");
    programs.iter().filter_map(|program| Some(program.get("name")?.as_str()?.to_string())).collect()
}

/// Something of BPF's that the kernel keeps as long as somebody holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// `prog`, `map` or `link`.
    pub kind: &'static str,
    /// The kernel's number of it.
    pub id: u64,
}

/// The programs, maps and links that a process holds descriptors of.
pub fn held_by(pid: u32) -> Vec<Held> {
    let mut held = Vec::new();
    for info in fdinfo(pid) {
        for kind in ["prog", "map", "link"] {
            // What a link is of is told beside it, and is not held by this descriptor.
            let line = info.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix("_id:"));
            let of_link = kind == "prog" && info.contains("link_id:");
            let id = line.filter(|_| !of_link).and_then(|id| id.trim().parse().ok());
            held.extend(id.map(|id| Held { kind, id }));
        }
    }
    held.sort_unstable();
    held.dedup();
    held
}

/// Whether it is still there.
pub fn exists(held: &Held) -> bool {
    programs::run("bpftool", &["-j", held.kind, "show", "id", &held.id.to_string()]).status.success()
}

/// The name of a program.
pub fn name(program: &Held) -> String {
    let shown = programs::succeed("bpftool", &["-j", "prog", "show", "id", &program.id.to_string()]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    shown["name"].as_str().expect("a name").to_string()
}

fn fdinfo(pid: u32) -> Vec<String> {
    let Ok(listed) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return Vec::new() };
    listed.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect()
}

/// A set of capabilities of a process, as bits: `CapEff`, `CapPrm`, `CapInh`, `CapAmb`.
pub fn capabilities(pid: u32, set: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix(set)?.strip_prefix(':'));
    u64::from_str_radix(line.expect("a line of capabilities").trim(), 16).expect("hexadecimal")
}
