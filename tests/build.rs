//! Compiles the BPF programs of the bench and of the tests, and lists the tools.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "how build scripts speak to cargo")]

use std::path::Path;
use std::{env, fs};

/// The one that asks the kernel for nothing, and the one whose programs are its users'.
const WITHOUT_PROGRAMS: [&str; 2] = ["ebpfmux", "mapstat"];

/// What the tests give mapstat.
const OBJECTS: [&str; 13] = [
    "bpf/mapstat_cgroups.bpf.c",
    "bpf/mapstat_cgrp_storage.bpf.c",
    "bpf/mapstat_huge.bpf.c",
    "bpf/mapstat_kinds.bpf.c",
    "bpf/mapstat_many.bpf.c",
    "bpf/mapstat_probes.bpf.c",
    "bpf/mapstat_spans.bpf.c",
    "contrib/mapstat/calls.bpf.c",
    "contrib/mapstat/offcpu.bpf.c",
    "contrib/mapstat/runqlat.bpf.c",
    "contrib/mapstat/softnet.bpf.c",
    "contrib/mapstat/synbacklog.bpf.c",
    "contrib/mapstat/timers.bpf.c",
];

fn main() {
    bpf_build::skeleton("empty");
    bpf_build::skeleton_as("spin", "spin");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    OBJECTS.iter().for_each(|source| bpf_build::object(&root.join(source)));
    println!("cargo:rerun-if-changed={}", root.join("bpf/mapstat_cgroups.bpf.c").display());
    println!("cargo:rerun-if-changed={}", root.join("bpf/mapstat/prctl.h").display());
    for header in ["mapstat.bpf.h", "probe.bpf.h", "sched.bpf.h"] {
        println!("cargo:rerun-if-changed={}", root.join("contrib/mapstat").join(header).display());
    }
    list_tools(&root.join("tools"));
}

/// Writes `tools.rs`: a constant with the names of the folders of `tools/`, so that a new tool is tested like all others.
fn list_tools(folder: &Path) {
    println!("cargo:rerun-if-changed={}", folder.display());
    let folders = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = folders.filter(|found| found.path().join("Cargo.toml").exists());
    let mut names: Vec<String> = folders.filter_map(|found| found.file_name().into_string().ok()).collect();
    names.retain(|name| !WITHOUT_PROGRAMS.contains(&name.as_str()));
    names.sort_unstable();
    let code = format!(
        "/// The tools that measure by programs of their own.\npub const TOOLS: [&str; {}] = {names:?};\n",
        names.len()
    );
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    if let Err(error) = fs::write(Path::new(&out).join("tools.rs"), code) {
        eprintln!("error: tools.rs: {error}");
        std::process::exit(1);
    }
}
