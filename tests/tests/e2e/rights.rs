//! A user other than root runs the tools with the capabilities that `--check` names, and with those
//! of the example unit.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tests::caller_timing::reported_by;
use tests::cgroup::{self, Cgroup};
use tests::comparison::Comparison;
use tests::parallel::in_parallel;
use tests::privileges::CAP_BPF;
use tests::programs::{TOOLS, built, run};
use tests::systemd_unit::{CONFIGURATION, UNIT, setting};
use tests::tool::Tool;
use tests::user::Programs;
use tests::{bpf, can_run, kernel, lock, privileges, records};

/// A tool's `--check`.
#[derive(Clone)]
struct Checked {
    /// Each hook, and the rung that it takes.
    hooks: Vec<(String, Option<String>)>,
    /// Each capability, and whether it is missing.
    needs: Vec<(String, bool)>,
}

impl Checked {
    /// From the rows of JSON.
    fn of(rows: &[Value]) -> Self {
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

    /// Asserts that a running tool attached these (`-v`).
    fn is_attached(&self, stderr: &str) {
        for (hook, rung) in &self.hooks {
            let begin = format!("attached for {hook} by ");
            let attached = stderr.lines().find_map(|line| line.strip_prefix(&begin)?.rsplit_once(": "));
            assert_eq!(attached.map(|(rung, _)| rung), rung.as_deref(), "{hook}: {stderr}");
        }
    }

    /// From text: the lines of the hooks, and the line of the capabilities.
    fn is_shown_by(&self, text: &str) {
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with(' ')).collect();
        let (needs, hooks) = lines.split_last().expect("lines");
        assert_eq!(hooks.len(), self.hooks.len(), "{text}");
        for (line, (hook, rung)) in hooks.iter().zip(&self.hooks) {
            let shown = line.strip_prefix(hook.as_str()).expect("the hook").trim_start();
            let none = ["none", "none (optional)"];
            assert!(rung.as_deref().map_or_else(|| none.contains(&shown), |rung| shown == rung), "{text}");
        }
        let needs: Vec<_> = needs.split_whitespace().collect();
        assert_eq!((needs[0], &needs[1..]), ("capabilities", &self.needed()[..]), "{text}");
    }
}

fn stderr_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `--check` as root, of a tool that this kernel allows: others are covered by other tests.
fn checked_by_root(tool: &str) -> Option<Checked> {
    let check = kernel::first_check(tool);
    (check.status == Some(0)).then(|| Checked::of(&check.rows))
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
        // Even root may lack some of them.
        let has = |name: &&str| !root.needs.contains(&((*name).to_string(), true));
        let needed: Vec<_> = root.needed().into_iter().filter(has).collect();
        assert_eq!(needed[..2], ["CAP_BPF", "CAP_PERFMON"], "{tool}");
        // Not println: the test harness captures it.
        writeln!(std::io::stderr(), "{tool} needs {}", needed.join(" ")).expect("stderr takes a line");

        // Sufficient: the tool runs and takes the same rungs as for root.
        let running = Tool::start_as(programs.run(&needed, tool).args(["-v", "0.1"]));
        running.until_records(2);
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            assert_eq!(bpf::capabilities(running.pid(), set) & !CAP_BPF, 0, "{tool}: {set}");
        }
        root.is_attached(&running.interrupt().stderr);
        // Text agrees with JSON: for a tool with all rungs, and one that can skip some.
        if ["biolat", "proclife"].contains(&tool) {
            let output = programs.run(&needed, tool).arg("--check").output().expect("setpriv runs");
            assert!(output.status.success(), "{tool} {needed:?}: {}", stderr_of(&output));
            let text = String::from_utf8_lossy(&output.stdout);
            root.is_shown_by(&text);
            assert!(!text.contains("(missing)"), "{tool}: {text}");
        }

        // Needed: without it, the tool refuses and names it, or reports that it is missing for an
        // optional hook. The first two are covered by other tests; a broader capability may be
        // among the others.
        for one in &needed[2..] {
            let rest: Vec<_> = needed.iter().filter(|name| *name != one).collect();
            let output = programs.run(&rest, tool).args(["--check", "-o", "json"]).output();
            let output = output.expect("setpriv runs");
            let told = records::parse(std::str::from_utf8(&output.stdout).expect("UTF-8"));
            let missing = Checked::of(&told).needs.contains(&((*one).to_string(), true));
            match output.status.code() {
                Some(0) => assert!(missing, "{tool} without {one}: {}", stderr_of(&output)),
                Some(4) => {
                    assert!(stderr_of(&output).contains(one), "{tool} without {one}: {}", stderr_of(&output))
                }
                other => panic!("{tool} without {one}: {other:?}: {}", stderr_of(&output)),
            }
        }
    });
}

#[test]
fn nothing_is_left_of_roots_rights_after_attaching() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    in_parallel(TOOLS, |tool| {
        if checked_by_root(tool).is_none() {
            return;
        }
        let running = Tool::start(tool, &["-q", "0.1"]);
        running.until_records(2);
        privileges::are_given_up(running.pid(), tool);
        assert!(running.interrupt().status.success(), "{tool}");
    });
}

/// A cgroup that comes later is found by its directory, an ancestor that does nothing in /proc.
#[test]
fn owners_and_events_are_found_without_rights() {
    if !can_run() {
        return;
    }
    const FORKS: u64 = 101;
    let _machine = lock::machine();
    let parent = Cgroup::new();
    let groups = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(groups.path(), "shells: bash\n").expect("a file");
    let groups = groups.path().to_str().expect("UTF-8");
    let options: [&[&str]; 4] = [
        &["--by", "cgroup", "600"],
        &["--by", "app", "--apps", groups, "600"],
        &["--by", "process", "600"],
        &["--events"],
    ];
    let tools: Vec<_> = std::thread::scope(|scope| {
        let start = |options: &[&str]| {
            Tool::start("proclife", &[&["-q", "--cgroup", parent.path()], options].concat())
        };
        let started: Vec<_> = options.iter().map(|options| scope.spawn(move || start(options))).collect();
        started.into_iter().map(|tool| tool.join().expect("it attaches")).collect()
    });
    for tool in &tools {
        assert_eq!(bpf::capabilities(tool.pid(), "CapEff") & !CAP_BPF, 0);
    }
    let child = parent.child();
    // Outside of the cgroup, and alive until the tools have ended.
    let mut shell = Command::new("bash");
    shell.args(["-c", "\"$@\" & echo $!; wait $! && echo done; read", "bash"]).arg(built("workload"));
    shell.args(["processes", "--forks", &FORKS.to_string(), "--cgroup", child.path()]);
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("bash runs");
    let mut printed = BufReader::new(shell.stdout.take().expect("a pipe")).lines();
    let id: u64 = printed.next().and_then(|id| id.ok()?.parse().ok()).expect("an id");
    assert_eq!(printed.next().and_then(Result::ok).as_deref(), Some("done"));
    let own = json!([cgroup::name(child.path()), "shells", id]);
    for (number, (options, tool)) in options.iter().zip(tools).enumerate() {
        let (records, lost) = reported_by(tool);
        let comparison = Comparison::of("proclife", options).lost(lost);
        let (name, forks) = match ["cgroup", "app", "pid"].get(number) {
            Some(key) => {
                let of: Vec<_> = records.iter().filter(|record| record[*key] == own[number]).collect();
                (*key, records::sum(of, "forks"))
            }
            None => ("events", records::with(&records, "event", "fork").len() as u64),
        };
        comparison.field(name, forks, FORKS).equal_minus_lost();
    }
    drop(shell.stdin.take());
    shell.wait().expect("it ends");
}

/// With the unit's limit for locked memory. Where not even root may raise it, the kernel does not
/// check it.
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
    // All tools that can run here.
    in_parallel(TOOLS, |tool| drop(checked_by_root(tool)));
    let able: Vec<&str> = TOOLS.into_iter().filter(|tool| checked_by_root(tool).is_some()).collect();
    // All at once, as the unit runs them.
    let mut command = with_room(programs.run(&capabilities, "ebpfmux"));
    for tool in &able {
        command.args(["--run", &format!("{}/{tool} -q -o json 0.5 2", programs.folder())]);
    }
    let output = command.output().expect("bash runs");
    assert!(output.status.success(), "{}: {}", output.status, stderr_of(&output));
    let reported = records::parse(std::str::from_utf8(&output.stdout).expect("UTF-8"));
    let reported: BTreeSet<_> = reported.iter().filter_map(|record| record["tool"].as_str()).collect();
    assert_eq!(reported, able.into_iter().collect());
}

#[test]
fn systemd_takes_the_unit() {
    let asked = Command::new("systemd-analyze").arg("--version").output();
    if asked.is_err() {
        // Guests have no systemd.
        return writeln!(std::io::stderr(), "not run: no systemd-analyze").expect("stderr takes a line");
    }
    // systemd-analyze looks for the program.
    let at = built("ebpfmux");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let unit = dir.path().join("ebpf-filters@disks.service");
    let text = UNIT.replace("/usr/local/bin/ebpfmux", at.to_str().expect("UTF-8"));
    std::fs::write(&unit, text).expect("a file");
    let output = run("systemd-analyze", &["verify", "--man=no", unit.to_str().expect("UTF-8")]);
    assert_eq!((output.status.code(), stderr_of(&output)), (Some(0), String::new()));

    // ebpfmux and the tools accept what the example says.
    let file = dir.path().join("disks.toml");
    std::fs::write(&file, CONFIGURATION).expect("a file");
    let file = file.to_str().expect("UTF-8");
    let output = run(at.to_str().expect("UTF-8"), &["--config", file, "--validate"]);
    assert_eq!((output.status.code(), stderr_of(&output)), (Some(0), String::new()));
}
