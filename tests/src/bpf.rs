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

/// The ids of the BPF programs that a process holds descriptors of.
pub fn held_by(pid: u32) -> Vec<u64> {
    let mut ids: Vec<u64> = fdinfo(pid)
        .iter()
        .filter_map(|info| info.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok()))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Whether a BPF program of this id is loaded.
pub fn exists(id: u64) -> bool {
    programs::run("bpftool", &["-j", "prog", "show", "id", &id.to_string()]).status.success()
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
