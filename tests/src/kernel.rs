//! What the kernel under test can, and what a tool must say where it cannot.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::Output;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::{programs, records};

/// Whether a kind of hook can be had.
#[derive(Debug, PartialEq, Eq)]
pub enum Allows {
    /// It can.
    Yes,
    /// It cannot: a tool that is told to use it ends with this status and says this.
    Not {
        /// 3, the kernel cannot, or 4, it does not permit it.
        status: i32,
        /// The words that tell.
        says: &'static str,
    },
}

/// The kernel's name, where it is the guest of a virtual machine that `scripts/vm-test` runs: 5.10, …, 7.x.
pub fn of_guest() -> Option<String> {
    std::env::var("TEST_KERNEL").ok()
}

/// Whether this kernel allows a kind of hook (`auto`, `fentry`, `kprobe`, `tracepoint`). In the guests all kinds must
/// work; of the kernel that this machine happens to have, its own files are asked.
pub fn allows(kind: &str) -> Allows {
    let there = |path: &str| fs::exists(path).unwrap_or(false);
    match kind {
        _ if of_guest().is_some() => Allows::Yes,
        "kprobe" if !there("/sys/bus/event_source/devices/kprobe") => {
            Allows::Not { status: 3, says: "no kprobes" }
        }
        // Kernels that are told not to, and do not say so anywhere: bpftool's own trial is the judge.
        "fentry" if !bpftool_loads_fentry() => Allows::Not { status: 4, says: "refuses function tracing" },
        _ => Allows::Yes,
    }
}

fn bpftool_loads_fentry() -> bool {
    let said = programs::run("bpftool", &["-j", "feature", "probe", "kernel"]);
    let said: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    said["program_types"]["have_tracing_prog_type"].as_bool().unwrap_or(false)
}

/// Asserts that a tool refuses, with this status and in one line that says this.
pub fn refuses(tool: &str, options: &[&str], status: i32, says: &str) {
    let program = programs::built(tool);
    let output = programs::run(program.to_str().expect("UTF-8"), options);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(status), 1), "{tool} {options:?}: {said}");
    assert!(said.contains(says), "{tool} {options:?}: {says:?} is not in {said:?}");
    assert!(output.stdout.is_empty(), "{tool} {options:?}: it printed records");
    // Not by println, which the test harness keeps to itself.
    let told = format!("refused as documented: {tool} {}: {}", options.join(" "), said);
    std::io::stderr().write_all(told.as_bytes()).expect("stderr takes a line");
}

/// Whether a tool can be tested with this kind of hook. Where the kernel does not allow it, asserts that the tool says so.
pub fn allows_or_refuses(tool: &str, kind: &str) -> bool {
    match allows(kind) {
        Allows::Yes => true,
        Allows::Not { status, says } => {
            refuses(tool, &["--attach", kind], status, says);
            false
        }
    }
}

/// The rung that a tool takes for a hook with these options, by its own account.
pub fn takes(tool: &str, options: &[&str], hook: &str) -> String {
    let hooks = checked(tool, options);
    let row = hooks.iter().find(|row| row["hook"] == hook);
    let rung = row.and_then(|row| row["rung"].as_str());
    rung.unwrap_or_else(|| panic!("{tool} has no rung of {hook}: {hooks:?}")).to_string()
}

/// What that rung cannot see, by the tool's own account.
pub fn bound(tool: &str, options: &[&str], hook: &str) -> Option<String> {
    let hooks = checked(tool, options);
    hooks.iter().find(|row| row["hook"] == hook).and_then(|row| Some(row["bound"].as_str()?.to_string()))
}

/// The rungs that a tool takes for all hooks, and how many programs each has. Hooks that share a rung share its programs.
pub fn rungs(tool: &str, options: &[&str]) -> Vec<(String, u64)> {
    let hooks = check(tool, options).into_iter();
    let rungs = hooks.filter_map(|row| Some((row["rung"].as_str()?.to_string(), row["programs"].as_u64()?)));
    let mut rungs: Vec<_> = rungs.collect();
    rungs.sort_unstable();
    rungs.dedup();
    rungs
}

/// The hooks of a tool and the rung of each that has one.
pub fn hooks(tool: &str, options: &[&str]) -> BTreeMap<String, String> {
    let hooks = check(tool, options).into_iter();
    hooks
        .filter_map(|row| Some((row["hook"].as_str()?.to_string(), row["rung"].as_str()?.to_string())))
        .collect()
}

/// Of these kinds of hook one that all of a tool's best rungs are of: what is counted right by it, is by them.
pub fn best_rungs_are_those_of<'a>(tool: &str, kinds: &[&'a str]) -> Option<&'a str> {
    let best = checked(tool, &["--attach", "auto"]);
    let rungs: Vec<_> = best.iter().filter_map(|row| row["rung"].as_str()).collect();
    let alone = |kind: &&&str| {
        let kind = if **kind == "btf" { "tp_btf" } else { kind };
        !rungs.is_empty() && rungs.iter().all(|rung| rung.split_once(':').is_some_and(|(of, _)| of == kind))
    };
    kinds.iter().find(alone).copied()
}

/// A tool's options, and what its `--check` said.
type Checked = (Vec<String>, Vec<Value>);

/// As `check`, asked once: a check attaches and lets go, which takes seconds. For what stays as it is while a test
/// program runs, as the file systems do not.
fn checked(tool: &str, options: &[&str]) -> Vec<Value> {
    static SAID: Mutex<Vec<Checked>> = Mutex::new(Vec::new());
    let asked: Vec<String> = [&[tool], options].concat().iter().map(ToString::to_string).collect();
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, hooks)) = said.iter().find(|(before, _)| *before == asked) {
        return hooks.clone();
    }
    // Where there are no such hooks at all, there is nothing to tell.
    let output = run_check(tool, options);
    let hooks = if output.status.success() { records_of(&output) } else { Vec::new() };
    said.push((asked, hooks.clone()));
    hooks
}

fn run_check(tool: &str, options: &[&str]) -> Output {
    let program = programs::built(tool);
    programs::run(program.to_str().expect("UTF-8"), &[options, &["--check", "-o", "json"]].concat())
}

fn records_of(output: &Output) -> Vec<Value> {
    let mut rows = records::parse(std::str::from_utf8(&output.stdout).expect("UTF-8"));
    // The others are of capabilities.
    rows.retain(|row| row["hook"].is_string());
    rows
}

fn check(tool: &str, options: &[&str]) -> Vec<Value> {
    let output = run_check(tool, options);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {options:?} --check: {}: {said}", output.status);
    records_of(&output)
}

/// Whether a task may be preempted while a program runs for it, as on Debian's kernels from Linux 6.18 on: the program is
/// then left out for whatever else runs on that processor meanwhile, and the tool tells so in `lost`. That is of the whole
/// machine, whatever the tool is asked to filter by: a program that does not run cannot filter.
pub fn preempts_programs() -> bool {
    release() >= (6, 18)
}

/// Whether a tool may lose something while all is well: where programs are preempted, and on any kernel one whose
/// programs are run by interrupts, too, which leave out a program that they interrupted themselves (the kernel's guard
/// against recursion, `active` of `struct bpf_prog`): requests of disks that end, and packets that end a connection.
pub fn may_leave_out(tool: &str) -> bool {
    preempts_programs() || ["biolat", "irqlat", "tcplife"].contains(&tool)
}

/// The running kernel, for what a failure tells.
pub fn name() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let guest = of_guest().map_or_else(String::new, |guest| format!(" (guest {guest})"));
    format!("Linux {}{guest}", release.trim())
}

/// The running kernel, and by which rungs a tool counts with these options, for what a failure tells. By its `--check`,
/// which may fail, too.
pub fn identity(tool: &str, options: &[String]) -> String {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let output = run_check(tool, &options);
    let mut hooks: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in String::from_utf8_lossy(&output.stdout).lines() {
        let row: Value = serde_json::from_str(row).unwrap_or_default();
        if let (Some(hook), Some(rung)) = (row["hook"].as_str(), row["rung"].as_str()) {
            hooks.entry(rung.to_string()).or_default().push(hook.to_string());
        }
    }
    let rungs: Vec<String> =
        hooks.iter().map(|(rung, of)| format!("{} by {rung}", of.join(" and "))).collect();
    let rungs =
        if rungs.is_empty() { format!("--check ended with {}", output.status) } else { rungs.join(", ") };
    format!("{}; {rungs}", name())
}

/// The running kernel's version, major and minor.
pub fn release() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("the kernel tells its release");
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse().ok());
    let version = numbers.next().zip(numbers.next());
    version.unwrap_or_else(|| panic!("odd release {release:?}"))
}
