//! Another user than root runs the tools with the capabilities that `--check` names, and with those of the example unit.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Output};
use std::sync::Mutex;

use serde_json::Value;
use tests::parallel::in_parallel;
use tests::programs::{TOOLS, built, run};
use tests::systemd_unit::{CONFIGURATION, UNIT, setting};
use tests::tool::Tool;
use tests::user::Programs;
use tests::{bpf, can_run, lock, records};

/// `CAP_BPF` of `linux/capability.h`, as a bit: what some kernels leave a tool no other way than to keep.
const CAP_BPF: u64 = 1 << 39;

/// What a tool's `--check` says.
#[derive(Clone)]
struct Checked {
    /// Each hook, and the rung that it takes.
    hooks: Vec<(String, Option<String>)>,
    /// Each capability, and whether it is missing.
    needs: Vec<(String, bool)>,
}

impl Checked {
    /// From JSON.
    fn of(output: &Output) -> Self {
        let rows = records::parse(std::str::from_utf8(&output.stdout).expect("UTF-8"));
        let text = |row: &Value, field: &str| row[field].as_str().map(String::from);
        Self {
            hooks: rows.iter().filter_map(|row| Some((text(row, "hook")?, text(row, "rung")))).collect(),
            needs: rows
                .iter()
                .filter_map(|row| Some((text(row, "capability")?, row["missing"].as_bool()?)))
                .collect(),
        }
    }

    fn needed(&self) -> Vec<&str> {
        self.needs.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// What a tool at work says that it attached (`-v`).
    fn is_attached(&self, said: &str) {
        for (hook, rung) in &self.hooks {
            let begin = format!("attached for {hook} by ");
            let told = said.lines().find_map(|line| line.strip_prefix(&begin)?.rsplit_once(": "));
            assert_eq!(told.map(|(rung, _)| rung), rung.as_deref(), "{hook}: {said}");
        }
    }

    /// From text: the lines of the hooks, and that of the capabilities.
    fn is_told_by(&self, text: &str) {
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with(' ')).collect();
        let (needs, hooks) = lines.split_last().expect("lines");
        assert_eq!(hooks.len(), self.hooks.len(), "{text}");
        for (line, (hook, rung)) in hooks.iter().zip(&self.hooks) {
            let told = line.strip_prefix(hook.as_str()).expect("the hook").trim_start();
            let none = ["none", "none (optional)"];
            assert!(rung.as_deref().map_or_else(|| none.contains(&told), |rung| told == rung), "{text}");
        }
        let needs: Vec<_> = needs.split_whitespace().collect();
        assert_eq!((needs[0], &needs[1..]), ("capabilities", &self.needed()[..]), "{text}");
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What root is told, of a tool that this kernel lets run. Each tool is asked once: a check attaches, which takes seconds in
/// a guest.
fn checked_by_root(tool: &'static str) -> Option<Checked> {
    static SAID: Mutex<BTreeMap<&str, Option<Checked>>> = Mutex::new(BTreeMap::new());
    let known = SAID.lock().expect("nobody fails while asking").get(tool).cloned();
    known.unwrap_or_else(|| {
        let output = run(built(tool).to_str().expect("UTF-8"), &["--check", "-o", "json"]);
        // A kernel that cannot, or does not permit it to anybody, is the other tests' matter.
        let checked = output.status.success().then(|| Checked::of(&output));
        SAID.lock().expect("nobody fails while asking").insert(tool, checked.clone());
        checked
    })
}

#[test]
fn what_check_names_is_enough_and_is_needed() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let programs = Programs::new();
    in_parallel(TOOLS, |tool| {
        let Some(root) = checked_by_root(tool) else { return };
        // Not even root has all of them everywhere.
        let has = |name: &&str| !root.needs.contains(&((*name).to_string(), true));
        let needed: Vec<_> = root.needed().into_iter().filter(has).collect();
        assert_eq!(needed[..2], ["CAP_BPF", "CAP_PERFMON"], "{tool}");
        // Not by println, which the test harness keeps to itself.
        writeln!(std::io::stderr(), "{tool} needs {}", needed.join(" ")).expect("stderr takes a line");

        // Enough: the tool runs, and takes the same ways as for root.
        let running = Tool::start_as(programs.run(&needed, tool).args(["-v", "0.1"]));
        running.until_records(2);
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            assert_eq!(bpf::capabilities(running.pid(), set) & !CAP_BPF, 0, "{tool}: {set}");
        }
        root.is_attached(&running.interrupt().stderr);
        // In text as in JSON: one with all rungs, and one that can go without some.
        if ["biolat", "proclife"].contains(&tool) {
            let output = programs.run(&needed, tool).arg("--check").output().expect("setpriv runs");
            assert!(output.status.success(), "{tool} {needed:?}: {}", said(&output));
            let text = String::from_utf8_lossy(&output.stdout);
            root.is_told_by(&text);
            assert!(!text.contains("(missing)"), "{tool}: {text}");
        }

        // Needed: without one, the tool refuses and names it, or says that it is missing for what it does without.
        // Of the first two other tests tell; what covers them may be among the others.
        for one in &needed[2..] {
            let rest: Vec<_> = needed.iter().filter(|name| *name != one).collect();
            let output = programs.run(&rest, tool).args(["--check", "-o", "json"]).output();
            let output = output.expect("setpriv runs");
            let missing = Checked::of(&output).needs.contains(&((*one).to_string(), true));
            match output.status.code() {
                Some(0) => assert!(missing, "{tool} without {one}: {}", said(&output)),
                Some(4) => assert!(said(&output).contains(one), "{tool} without {one}: {}", said(&output)),
                other => panic!("{tool} without {one}: {other:?}: {}", said(&output)),
            }
        }
    });
}

/// With room for maps, as the unit has it. Where not even root may have that, the kernel does not ask for it.
fn with_room(command: Command) -> Command {
    let mut roomy = Command::new("bash");
    roomy.args(["-c", "ulimit -l unlimited 2>/dev/null; exec \"$@\"", "bash"]);
    roomy.arg(command.get_program()).args(command.get_args());
    roomy
}

#[test]
fn the_unit_has_enough_for_every_tool() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let capabilities = setting("AmbientCapabilities");
    assert_eq!(capabilities, setting("CapabilityBoundingSet"));
    assert_eq!((setting("NoNewPrivileges"), setting("LimitMEMLOCK")), (vec!["yes"], vec!["infinity"]));
    let programs = Programs::new();
    // All that can run by anybody's rights.
    in_parallel(TOOLS, |tool| drop(checked_by_root(tool)));
    let able: Vec<&str> = TOOLS.into_iter().filter(|tool| checked_by_root(tool).is_some()).collect();
    // All at once, as the unit runs them.
    let mut command = with_room(programs.run(&capabilities, "ebpfmux"));
    for tool in &able {
        command.args(["--run", &format!("{}/{tool} -q -o json 0.5 2", programs.folder())]);
    }
    let output = command.output().expect("bash runs");
    assert!(output.status.success(), "{}: {}", output.status, said(&output));
    let told = records::parse(std::str::from_utf8(&output.stdout).expect("UTF-8"));
    let told: BTreeSet<_> = told.iter().filter_map(|record| record["tool"].as_str()).collect();
    assert_eq!(told, able.into_iter().collect());
}

#[test]
fn systemd_takes_the_unit() {
    let asked = Command::new("systemd-analyze").arg("--version").output();
    if asked.is_err() {
        // Guests have none.
        return writeln!(std::io::stderr(), "not run: no systemd-analyze").expect("stderr takes a line");
    }
    // It looks for the program.
    let at = built("ebpfmux");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let unit = dir.path().join("ebpf-filters@disks.service");
    let text = UNIT.replace("/usr/local/bin/ebpfmux", at.to_str().expect("UTF-8"));
    std::fs::write(&unit, text).expect("a file");
    let output = run("systemd-analyze", &["verify", "--man=no", unit.to_str().expect("UTF-8")]);
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));

    // The example is one line of arguments, which ebpfmux takes.
    let line = CONFIGURATION.lines().find_map(|line| line.strip_prefix("EBPFMUX=\"")?.strip_suffix('"'));
    let check = format!("exec {} {} --help", at.display(), line.expect("a line of arguments"));
    assert!(run("bash", &["-c", &check]).status.success());
}
