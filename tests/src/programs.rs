//! Paths of the programs under test.

use std::path::PathBuf;
use std::process::{Command, Output};

pub use test_support::programs::built;

// `TOOLS`, from the folders of `tools/`.
include!(concat!(env!("OUT_DIR"), "/tools.rs"));

/// A directory on a real file system for files that a test writes: `TEST_SCRATCH`, or beside the
/// built programs.
pub fn scratch() -> PathBuf {
    match std::env::var_os("TEST_SCRATCH") {
        Some(path) => path.into(),
        None => built("workload").parent().expect("a directory").to_path_buf(),
    }
}

/// Runs a program to its end.
pub fn run(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program).args(args).output();
    output.unwrap_or_else(|error| panic!("cannot run {program} ({error}): see scripts/setup"))
}

/// Runs a program that must succeed; returns its stdout.
pub fn succeed(program: &str, args: &[&str]) -> String {
    let output = run(program, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {}: {stderr}", args.join(" "), output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What a program prints with `--help`.
pub fn help(name: &str) -> String {
    succeed(built(name).to_str().expect("UTF-8"), &["--help"])
}

/// The long options of a program, as its `--help` lists them.
pub fn options(name: &str) -> Vec<String> {
    let help = help(name);
    // Not the text around the list, where a line may begin with an option, too.
    let listed = help.lines().filter(|line| line.starts_with("      --") || line.get(4..8) == Some(", --"));
    let long = listed.filter_map(|line| line.split_once("--")?.1.split([' ', ',', '[', '=']).next());
    long.map(|name| format!("--{name}")).collect()
}

/// Whether a program has this option.
pub fn has_option(name: &str, option: &str) -> bool {
    options(name).iter().any(|has| has == option)
}

/// Runs a shell command line in which `$BIN` is the directory of the built programs.
pub fn shell(line: &str) -> Output {
    let bin = built("proclife").parent().expect("a directory").to_path_buf();
    let output = Command::new("bash").args(["-o", "pipefail", "-c", line]).env("BIN", bin).output();
    output.expect("bash runs")
}

/// All tools, including mapstat and ebpfmux.
pub fn all() -> impl Iterator<Item = &'static str> {
    TOOLS.into_iter().chain(["ebpfmux", "mapstat"])
}

/// The stdout of a shell command line that must succeed and say nothing on stderr.
pub fn good(line: &str) -> String {
    let output = shell(line);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{line}: {}: {stderr}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}
