//! What the kernel under test supports, and what a tool must print where it does not.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::Output;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;
pub use test_support::kernel::{name, of_guest};

use crate::{programs, records};

/// Whether a kind of hook is available.
#[derive(Debug, PartialEq, Eq)]
pub enum Allows {
    /// Available.
    Yes,
    /// Not available: a tool that is told to use it exits with this status and prints this.
    Not {
        /// 3 if the kernel does not support it, 4 if it does not permit it.
        status: i32,
        /// A part of the message.
        says: &'static str,
    },
}

/// Whether this kernel allows a kind of hook (`auto`, `fentry`, `kprobe`, `tracepoint`). In the
/// guests all kinds must work; on this machine's own kernel its files are read.
pub fn allows(kind: &str) -> Allows {
    let there = |path: &str| fs::exists(path).unwrap_or(false);
    match kind {
        _ if of_guest().is_some() => Allows::Yes,
        "kprobe" if !there("/sys/bus/event_source/devices/kprobe") => {
            Allows::Not { status: 3, says: "no kprobes" }
        }
        // Kernels configured to forbid it that do not show so anywhere: bpftool's trial decides.
        "fentry" if !bpftool_loads_fentry() => Allows::Not { status: 4, says: "refuses function tracing" },
        _ => Allows::Yes,
    }
}

fn bpftool_loads_fentry() -> bool {
    let output = programs::run("bpftool", &["-j", "feature", "probe", "kernel"]);
    let features: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    features["program_types"]["have_tracing_prog_type"].as_bool().unwrap_or(false)
}

/// Asserts that a tool refuses with this status and one line that contains this.
pub fn refuses(tool: &str, options: &[&str], status: i32, says: &str) {
    let program = programs::built(tool);
    let output = programs::run(program.to_str().expect("UTF-8"), options);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        (output.status.code(), stderr.lines().count()),
        (Some(status), 1),
        "{tool} {options:?}: {stderr}"
    );
    assert!(stderr.contains(says), "{tool} {options:?}: {says:?} is not in {stderr:?}");
    assert!(output.stdout.is_empty(), "{tool} {options:?}: it printed records");
    // Not println: the test harness captures it.
    let line = format!("refused as documented: {tool} {}: {}", options.join(" "), stderr);
    std::io::stderr().write_all(line.as_bytes()).expect("stderr takes a line");
}

/// Whether a tool can be tested with this kind of hook. If the kernel does not allow it, asserts
/// that the tool reports so.
pub fn allows_or_refuses(tool: &str, kind: &str) -> bool {
    match allows(kind) {
        Allows::Yes => true,
        Allows::Not { status, says } => {
            refuses(tool, &["--attach", kind], status, says);
            false
        }
    }
}

/// The rung that a tool takes for a hook with these options, according to its `--check`.
pub fn takes(tool: &str, options: &[&str], hook: &str) -> String {
    let hooks = checked(tool, options);
    let row = hooks.iter().find(|row| row["hook"] == hook);
    let rung = row.and_then(|row| row["rung"].as_str());
    rung.unwrap_or_else(|| panic!("{tool} has no rung of {hook}: {hooks:?}")).to_string()
}

/// The bound of that rung, according to the tool's `--check`.
pub fn bound(tool: &str, options: &[&str], hook: &str) -> Option<String> {
    let hooks = checked(tool, options);
    hooks.iter().find(|row| row["hook"] == hook).and_then(|row| Some(row["bound"].as_str()?.to_string()))
}

/// The hooks of a tool and the rung of each that has one; asked of the kernel once.
pub fn hooks(tool: &str, options: &[&str]) -> BTreeMap<String, String> {
    rung_of_each(checked(tool, options))
}

/// The same, asked of the kernel each time: file systems come and go.
pub fn hooks_now(tool: &str, options: &[&str]) -> BTreeMap<String, String> {
    rung_of_each(check(tool, options))
}

fn rung_of_each(hooks: Vec<Value>) -> BTreeMap<String, String> {
    hooks
        .into_iter()
        .filter_map(|row| Some((row["hook"].as_str()?.to_string(), row["rung"].as_str()?.to_string())))
        .collect()
}

/// Whether all of a tool's best rungs are of one kind of hook, and this run has the test of that kind, `…_by_KIND`: that one
/// tests the best rungs, too. Where a kernel gets one test of the tool alone, it has not.
pub fn best_rungs_are_tested_by_kind(tool: &str) -> bool {
    let mut tested = ["fentry", "tracepoint"]
        .into_iter()
        .filter(|kind| runs(&format!("{tool}::"), &format!("_by_{kind}")))
        .peekable();
    // Only then is the kernel asked.
    if tested.peek().is_none() {
        return false;
    }
    let best = checked(tool, &[]);
    let rungs: Vec<_> = best.iter().filter_map(|row| row["rung"].as_str()).collect();
    let is_of = |rung: &str, kind| rung.split_once(':').is_some_and(|(of, _)| of == kind);
    tested.any(|kind| !rungs.is_empty() && rungs.iter().all(|rung| is_of(rung, kind)))
}

/// Whether this run has a test with such a name: all run if none is named.
fn runs(begin: &str, words: &str) -> bool {
    let mut named = std::env::args().skip(1).filter(|word| word.contains("::")).peekable();
    named.peek().is_none() || named.any(|name| name.starts_with(begin) && name.contains(words))
}

/// What a tool's `--check` told.
#[derive(Clone)]
pub struct Check {
    /// Its exit status.
    pub status: Option<i32>,
    /// What it printed: of hooks and of capabilities.
    pub rows: Vec<Value>,
}

impl Check {
    fn of(output: &Output) -> Self {
        let printed = std::str::from_utf8(&output.stdout).expect("UTF-8");
        Self { status: output.status.code(), rows: records::parse(printed) }
    }

    /// That of a guest, which asks every tool before its tests begin (`scripts/lib/vm/suite`) and keeps the answers.
    fn kept(tool: &str) -> Option<Self> {
        let folder = std::env::var("TEST_CHECKS").ok()?;
        let read = |suffix: &str| fs::read_to_string(format!("{folder}/{tool}{suffix}")).ok();
        Some(Self { status: read(".status")?.trim().parse().ok(), rows: records::parse(&read("")?) })
    }

    /// The rows of hooks; none if it failed.
    fn hooks(mut self) -> Vec<Value> {
        let worked = self.status == Some(0);
        self.rows.retain(|row| worked && row["hook"].is_string());
        self.rows
    }
}

/// What a tool's `--check` says on this kernel, with its defaults and for root; asked once: a check attaches and detaches,
/// which takes seconds in a guest. Only for what does not change while a test program runs, unlike file systems.
pub fn first_check(tool: &str) -> Check {
    static CHECKS: Mutex<BTreeMap<String, Check>> = Mutex::new(BTreeMap::new());
    // Several tools are asked at once.
    let checks = || CHECKS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = checks().get(tool).cloned();
    known.unwrap_or_else(|| {
        let check = Check::kept(tool).unwrap_or_else(|| Check::of(&run_check(tool, &[])));
        checks().insert(tool.to_string(), check.clone());
        check
    })
}

/// A tool's options and the output of its `--check`.
type Checked = (Vec<String>, Vec<Value>);

/// The hooks of a check with these options, none if the tool has none of this kind; asked once, as `first_check`.
fn checked(tool: &str, options: &[&str]) -> Vec<Value> {
    static CHECKS: Mutex<Vec<Checked>> = Mutex::new(Vec::new());
    // The default.
    if options.is_empty() || options == ["--attach", "auto"] {
        return first_check(tool).hooks();
    }
    let asked: Vec<String> = [&[tool], options].concat().iter().map(ToString::to_string).collect();
    let mut checks = CHECKS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, hooks)) = checks.iter().find(|(before, _)| *before == asked) {
        return hooks.clone();
    }
    let hooks = Check::of(&run_check(tool, options)).hooks();
    checks.push((asked, hooks.clone()));
    hooks
}

fn run_check(tool: &str, options: &[&str]) -> Output {
    let program = programs::built(tool);
    programs::run(program.to_str().expect("UTF-8"), &[options, &["--check", "-o", "json"]].concat())
}

fn check(tool: &str, options: &[&str]) -> Vec<Value> {
    let output = run_check(tool, options);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {options:?} --check: {}: {stderr}", output.status);
    Check::of(&output).hooks()
}

/// Whether a task can be preempted while a BPF program runs in its context: in kernel code, that is.
/// The kernel then skips the program for other tasks on that processor, and the tool counts this in
/// `lost`. These losses are of the whole machine, regardless of filters: a program that does not
/// run cannot filter.
pub fn preempts_programs() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let version = fs::read_to_string(VERSION).expect("the kernel shows its version");
        preempts(&version, preemption_mode)
            .unwrap_or_else(|| panic!("{version:?}, and no mode of preemption"))
    })
}

/// Whether it is a real-time kernel (CONFIG_PREEMPT_RT).
pub fn is_real_time() -> bool {
    fs::read_to_string(VERSION).is_ok_and(|version| has_word(&version, "PREEMPT_RT"))
}

/// What `uname -v` prints: the model of preemption among it, as `init/Makefile` has it. Kernels that
/// are not built for any name none.
const VERSION: &str = "/proc/sys/kernel/version";

fn has_word(text: &str, word: &str) -> bool {
    text.split_whitespace().any(|found| found == word)
}

/// From that version and, where it was chosen at boot, the mode; `None` if that is unknown.
fn preempts(version: &str, mode: impl FnOnce() -> Option<String>) -> Option<bool> {
    if has_word(version, "PREEMPT_DYNAMIC") {
        return mode().map(|mode| ["full", "lazy"].contains(&mode.as_str()));
    }
    Some(["PREEMPT", "PREEMPT_LAZY", "PREEMPT_RT"].into_iter().any(|model| has_word(version, model)))
}

/// The mode of a kernel whose mode is chosen at boot or later (CONFIG_PREEMPT_DYNAMIC): in debugfs,
/// `none voluntary (full) lazy`. Where that is not mounted or locked down, nobody has changed it since
/// boot: then it is what the boot loader said, or the configuration (`preempt_dynamic_init()`). Where
/// neither can be read, the log of the boot has it, until later messages drive it out.
fn preemption_mode() -> Option<String> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let now =
        || Some(read("/sys/kernel/debug/sched/preempt").split_once('(')?.1.split_once(')')?.0.to_string());
    let said = || {
        let words = read("/proc/cmdline");
        Some(words.split_whitespace().rev().find_map(|word| word.strip_prefix("preempt="))?.to_string())
    };
    let built = || {
        const CONFIG: &str = "/proc/config.gz";
        fs::exists(CONFIG).ok().filter(|exists| *exists)?;
        let config = programs::run("zgrep", &["^CONFIG_PREEMPT", CONFIG]);
        mode_built(&String::from_utf8_lossy(&config.stdout))
    };
    let logged = || {
        let log = programs::run("dmesg", &[]);
        let log = String::from_utf8_lossy(&log.stdout);
        Some(log.lines().rev().find_map(|line| line.split_once("Dynamic Preempt: "))?.1.trim().to_string())
    };
    now().or_else(said).or_else(built).or_else(logged)
}

/// The mode that a configuration chooses, from its lines about preemption.
fn mode_built(config: &str) -> Option<String> {
    let modes = [("", "full"), ("_NONE", "none"), ("_VOLUNTARY", "voluntary"), ("_LAZY", "lazy")];
    let set = |suffix: &str| config.lines().any(|line| line == format!("CONFIG_PREEMPT{suffix}=y"));
    Some(modes.into_iter().find(|(suffix, _)| set(suffix))?.1.to_string())
}

/// What `--help` of a tool says, in its bounds, if interrupts run its programs.
const INTERRUPTED: &str =
    "while one of these programs runs on that processor is not seen by it, on any kernel; lost counts it.";

/// Whether a tool says that interrupts run its programs. They are skipped when they would interrupt themselves (the
/// kernel's recursion guard, `active` of `struct bpf_prog`).
pub fn run_by_interrupts(tool: &str) -> bool {
    let words: Vec<String> = programs::help(tool).split_whitespace().map(String::from).collect();
    words.join(" ").contains(INTERRUPTED)
}

/// Whether a tool may lose events in normal operation: where programs can be preempted, and on any kernel if
/// interrupts run its programs.
pub fn may_leave_out(tool: &str) -> bool {
    preempts_programs() || run_by_interrupts(tool)
}

/// The running kernel and the rungs of a tool with these options, for failure messages. They are
/// from its `--check`, which may fail, too.
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
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("the kernel shows its release");
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse().ok());
    let version = numbers.next().zip(numbers.next());
    version.unwrap_or_else(|| panic!("odd release {release:?}"))
}

#[cfg(test)]
mod tests {
    use super::{mode_built, preempts};

    #[test]
    fn the_kernel_says_whether_it_preempts() {
        let is =
            |version: &str, mode: &str| preempts(version, || (!mode.is_empty()).then(|| mode.to_string()));
        for (version, mode, expected) in [
            ("#1 SMP Debian 5.10.244-1 (2025-09-29)", "", Some(false)),
            ("#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1 (2025-09-20)", "voluntary", Some(false)),
            ("#1 SMP PREEMPT_DYNAMIC @0", "none", Some(false)),
            ("#1 SMP PREEMPT_DYNAMIC Debian 6.18.15-1~bpo13+1 (2026-03-02)", "lazy", Some(true)),
            ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.153-1 (2025-09-20)", "full", Some(true)),
            ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.153-1 (2025-09-20)", "", None),
            ("#1 SMP PREEMPT Debian 7.2.13-1 (2026-11-20)", "", Some(true)),
            ("#1 SMP PREEMPT_RT Debian 6.12.48-1 (2025-09-20)", "", Some(true)),
        ] {
            assert_eq!(is(version, mode), expected, "{version}, {mode}");
        }
    }

    #[test]
    fn a_configuration_chooses_a_mode() {
        let dynamic = "CONFIG_PREEMPT_BUILD=y\nCONFIG_PREEMPT_COUNT=y\nCONFIG_PREEMPT_DYNAMIC=y\n";
        for (line, mode) in [
            ("CONFIG_PREEMPT_NONE=y", Some("none")),
            ("CONFIG_PREEMPT_VOLUNTARY=y", Some("voluntary")),
            ("CONFIG_PREEMPT=y", Some("full")),
            ("CONFIG_PREEMPT_LAZY=y", Some("lazy")),
            ("# CONFIG_PREEMPT is not set", None),
        ] {
            assert_eq!(mode_built(&format!("{dynamic}{line}\n")).as_deref(), mode, "{line}");
        }
    }
}
