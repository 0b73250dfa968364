//! Tells the crate what it is built for, and by what: `--version -v` says so.

#![allow(clippy::print_stdout, reason = "how build scripts speak to cargo")]

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=EBPF_FILTERS_TARGET={}", env::var("TARGET").unwrap_or_default());
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version =
        Command::new(rustc).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let version = String::from_utf8_lossy(&version);
    let number = version.split_whitespace().nth(1).unwrap_or("unknown");
    println!("cargo:rustc-env=EBPF_FILTERS_RUSTC={number}");
}
