//! `ebpfmux --config` with the tools themselves: what it runs, and a reload while they count.
#![allow(clippy::expect_used, reason = "tests")]

use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::programs::{TOOLS, built, options, shell};
use tests::records::{parse, sum, with};
use tests::wait::{For, until};
use tests::workload::Workload;
use tests::{can_run, lock};

const FORKS: u64 = 101;

/// A running `ebpfmux --config`, whose output is a file.
struct Mux {
    child: Child,
    dir: tempfile::TempDir,
}

impl Mux {
    fn start(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let out = std::fs::File::create(dir.path().join("out")).expect("a file");
        std::fs::write(dir.path().join("file.toml"), text).expect("a file");
        let mut command = Command::new(built("ebpfmux"));
        command.args(["-q", "--config", "file.toml"]).current_dir(dir.path());
        let child = command.stdin(Stdio::null()).stdout(out).spawn().expect("it starts");
        Self { child, dir }
    }

    fn says(&self, text: &str) {
        std::fs::write(self.dir.path().join("file.toml"), text).expect("a file");
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    fn records(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir.path().join("out")).expect("text");
        parse(&text[..text.rfind('\n').map_or(0, |end| end + 1)])
    }

    fn until(&self, what: &str, satisfied: impl Fn(&[Value]) -> bool) {
        until(For::Record, what, || satisfied(&self.records()).then_some(()));
    }

    fn interrupt(mut self) -> Vec<Value> {
        self.signal(Signal::INT);
        assert!(self.child.wait().expect("a child").success());
        self.records()
    }
}

fn of(records: &[Value], tool: &str) -> Vec<Value> {
    with(records, "tool", tool).into_iter().cloned().collect()
}

/// A tool that runs on counts exactly across reloads that start, change and stop others.
#[test]
fn a_reload_loses_no_count() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let counts = format!("[[run]]\ntool = 'proclife'\ncgroup = '{}'\ninterval = 0.1\n", cgroup.path());
    let other = |interval: &str| format!("[[run]]\ntool = 'biolat'\ninterval = {interval}\n");
    let mux = Mux::start(&counts);
    mux.until("the first records", |records| !records.is_empty());
    let texts = [Some("0.1"), Some("0.2"), None, Some("0.1")];
    let long = |record: &Value| record["interval_s"].as_f64().is_some_and(|length| length > 0.19);
    for interval in texts {
        let workload =
            Workload::start(&["processes", "--forks", &FORKS.to_string(), "--cgroup", cgroup.path()]);
        mux.says(&(counts.clone() + &interval.map(other).unwrap_or_default()));
        workload.finish();
        let so_far = mux.records().len();
        // The other one may take longer to start than the first to print.
        mux.until("more records", |records| {
            let new = &records[so_far..];
            let is_asked =
                |record: &Value| record["tool"] == "biolat" && long(record) == (interval == Some("0.2"));
            new.len() > 3 && (interval.is_none() || new.iter().any(is_asked))
        });
    }
    let records = mux.interrupt();
    let (counted, other) = (of(&records, "proclife"), of(&records, "biolat"));
    let comparison = Comparison::of("proclife", &[]).part("across reloads").lost(sum(&counted, "lost"));
    comparison.field("forks", sum(&counted, "forks"), FORKS * texts.len() as u64).equal();
    assert!(other.iter().any(long) && !other.iter().all(long), "{other:?}");
}

/// Every long option of every tool is a key, with a value as the command line takes it.
#[test]
fn each_option_of_each_tool_is_a_key() {
    if !can_run() {
        return;
    }
    // What it prints of itself, and what stands for its output.
    const NO_KEYS: [&str; 6] = ["check", "kernel", "schema", "help", "version", "generate"];
    for tool in TOOLS {
        let named = options(tool);
        let names = named.iter().map(|option| option.trim_start_matches("--"));
        for name in names.filter(|name| !NO_KEYS.contains(name)) {
            let dir = tempfile::tempdir().expect("a directory");
            let check = |value: &str| {
                let text = format!("[[run]]\ntool = '{tool}'\n{name} = {value}\n");
                std::fs::write(dir.path().join("file.toml"), text).expect("a file");
                let line =
                    format!("cd {} && $BIN/ebpfmux --config file.toml --validate", dir.path().display());
                let output = shell(&line);
                (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
            };
            // Of a wrong value the tool tells, which it would not of a key that is none.
            let (code, said) = check("{}");
            let right = said.starts_with("ebpfmux: file.toml:3: ") && !said.contains("has no option");
            assert!(code == Some(2) && right, "{tool} {name}: {code:?}: {said}");
        }
    }
}

/// The files that the documents show.
#[test]
fn the_documents_examples_are_right() {
    if !can_run() {
        return;
    }
    let documents =
        [include_str!("../../../docs/ebpfmux.md"), include_str!("../../../docs/coming-from-netdata.md")];
    let dir = tempfile::tempdir().expect("a directory");
    for document in documents {
        let examples: Vec<&str> =
            document.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!examples.is_empty());
        for example in examples {
            // A file that not every machine has.
            let groups = dir.path().join("groups");
            std::fs::write(&groups, "web: nginx\n").expect("a file");
            let example = example.replace("/etc/netdata/apps_groups.conf", groups.to_str().expect("UTF-8"));
            std::fs::write(dir.path().join("file.toml"), &example).expect("a file");
            let line = format!("cd {} && $BIN/ebpfmux --config file.toml --validate", dir.path().display());
            let output = shell(&line);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{example}: {said}");
        }
    }
}

/// A tool that runs below `ebpfmux` tells where it has attached: what its `--check` says.
#[test]
fn the_rungs_in_the_metrics_are_those_of_check() {
    if !can_run() {
        return;
    }
    let check = shell("$BIN/vfsstat -q --check -o json").stdout;
    let expected = parse(&String::from_utf8(check).expect("UTF-8")).into_iter().filter_map(|row| {
        let kind = row["rung"].as_str()?.split(':').next()?.to_owned();
        let hook = row["hook"].as_str()?;
        Some(format!("ebpf_tool_rung{{tool=\"calls\",hook=\"{hook}\",kind=\"{kind}\"}} 1"))
    });
    let mut expected: Vec<String> = expected.collect();
    expected.sort_unstable();
    assert!(!expected.is_empty());
    let dir = tempfile::tempdir().expect("a directory");
    let text = "[serve]\nlisten = '127.0.0.1:0'\n[[run]]\nname = 'calls'\ntool = 'vfsstat'\ninterval = 0.2\n";
    std::fs::write(dir.path().join("file.toml"), text).expect("a file");
    let said = std::fs::File::create(dir.path().join("said")).expect("a file");
    let mut command = Command::new(built("ebpfmux"));
    command.args(["--config", "file.toml"]).current_dir(dir.path()).env("XDG_RUNTIME_DIR", dir.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
    let mut child = command.spawn().expect("it starts");
    let address = until(For::Ready, "the address", || {
        let said = std::fs::read_to_string(dir.path().join("said")).expect("text");
        said.lines().find_map(|line| Some(line.split_once("serving on ")?.1.to_owned()))
    });
    until(For::Ready, "the rungs in the metrics", || {
        let metrics = shell(&format!("curl -s {address}")).stdout;
        let metrics = String::from_utf8(metrics).expect("UTF-8");
        let mut rungs: Vec<_> = metrics.lines().filter(|line| line.starts_with("ebpf_tool_rung{")).collect();
        rungs.sort_unstable();
        (rungs == expected).then_some(())
    });
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    assert!(child.wait().expect("a child").success());
}
