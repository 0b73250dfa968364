//! Compiles the BPF programs of the bench and of the tests, and lists the tools.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "how build scripts speak to cargo")]

use std::path::Path;
use std::{env, fs};

/// The one that asks the kernel for nothing.
const READER: &str = "ebpfmux";

fn main() {
    bpf_build::skeleton("empty");
    bpf_build::skeleton_as("spin", "spin");
    list_tools(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools"));
}

/// Writes `tools.rs`: a constant with the names of the folders of `tools/`, so that a new tool is tested like all others.
fn list_tools(folder: &Path) {
    println!("cargo:rerun-if-changed={}", folder.display());
    let folders = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = folders.filter(|found| found.path().join("Cargo.toml").exists());
    let mut names: Vec<String> = folders.filter_map(|found| found.file_name().into_string().ok()).collect();
    names.retain(|name| name != READER);
    names.sort_unstable();
    let code =
        format!("/// The tools that measure.\npub const TOOLS: [&str; {}] = {names:?};\n", names.len());
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    if let Err(error) = fs::write(Path::new(&out).join("tools.rs"), code) {
        eprintln!("error: tools.rs: {error}");
        std::process::exit(1);
    }
}
