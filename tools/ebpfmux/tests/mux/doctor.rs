//! `--check`: what the tools tell, summed up. The tools here are scripts that tell what they are to.

use std::process::{Command, Output};

use crate::support::{Files, objects, stderr, stdout};

const GOOD: &str = r#"{"hook":"reads","rung":"fentry:r","kind":"fentry","programs":1,"optional":false,"bound":null,"passed":[]}"#;
const POOR: &str = r#"{"hook":"reads","rung":"kprobe:r","kind":"kprobe","programs":1,"optional":false,"bound":"no io_uring","passed":[]}"#;

/// The doctor in a folder of its own with these tools, beside nothing else.
fn checked(tools: &[(&str, &str)], args: &[&str]) -> Output {
    let files = Files::new();
    // Programs are written by other processes: one that this writes could not be run while a child of another test, just
    // forked, still has it open.
    let install = |from: &str, to: &str| {
        assert!(Command::new("install").args([from, to]).status().unwrap().success());
    };
    for (tool, body) in tools {
        let text = files.write(&format!("{tool}.sh"), format!("#!/bin/sh\n{body}\n"));
        install(&text, &files.path(tool));
    }
    let own = files.path("ebpfmux");
    install(env!("CARGO_BIN_EXE_ebpfmux"), &own);
    Command::new(own).arg("--check").args(args).env("PATH", "/usr/bin:/bin").output().unwrap()
}

fn says(line: &str, status: u32) -> String {
    format!("echo '{line}'; exit {status}")
}

#[test]
fn each_tool_has_a_row_and_the_system_its_facts() {
    let (good, poor) = (says(GOOD, 0), says(POOR, 0));
    let output = checked(&[("biolat", &good), ("fslat", &poor)], &[]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    let text = stdout(&output);
    for fact in ["kernel", "BTF", "lockdown", "tracefs", "cgroup", "user"] {
        assert!(text.lines().any(|line| line.starts_with(fact)), "{fact}: {text}");
    }
    let row = |tool: &str| {
        let line = text.lines().find(|line| line.starts_with(tool)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("biolat"), ["biolat", "yes", "fentry"]);
    assert_eq!(row("fslat"), ["fslat", "partly", "kprobe"]);
    assert!(text.contains("reads: no io_uring"), "{text}");
    assert!(text.contains("not installed: cachestat"), "{text}");
}

#[test]
fn the_status_is_that_of_the_worst_that_can_be_mended() {
    let (good, no_right, no_kernel) =
        (says(GOOD, 0), "echo 'fslat: CAP_BPF missing: run it as root' >&2; exit 4", says(GOOD, 3));
    for (tools, status) in [
        (vec![("biolat", good.as_str()), ("fslat", no_right), ("dcstat", &no_kernel)], 4),
        (vec![("biolat", good.as_str()), ("dcstat", &no_kernel)], 3),
        (vec![("biolat", good.as_str()), ("mapstat", "echo 'mapstat: there is no config' >&2; exit 2")], 0),
        (vec![("biolat", good.as_str()), ("dcstat", "exit 0")], 1),
        (vec![("biolat", good.as_str()), ("dcstat", "kill -9 $$")], 1),
        (vec![], 1),
    ] {
        let output = checked(&tools, &[]);
        assert_eq!(output.status.code(), Some(status), "{tools:?}: {}", stdout(&output));
    }
    let text = stdout(&checked(&[("fslat", no_right)], &[]));
    assert!(text.contains("CAP_BPF missing: run it as root") && text.contains("no"), "{text}");
}

#[test]
fn a_tool_that_hangs_is_bounded_and_told() {
    let good = says(GOOD, 0);
    let output = checked(&[("biolat", &good), ("fslat", "sleep 600 & wait")], &["-d", "0.5"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(text.contains("did not answer within 0.5 s") && text.contains("biolat      yes"), "{text}");
}

#[test]
fn json_has_an_object_for_the_system_and_one_for_each_tool() {
    let (good, poor) = (says(GOOD, 0), says(POOR, 0));
    let output = checked(&[("biolat", &good), ("fslat", &poor)], &["-o", "json"]);
    let all = objects(&stdout(&output));
    assert_eq!(all.len(), 3);
    assert!(all[0]["kernel"].is_string() && all[0]["btf"].is_boolean());
    assert_eq!(
        (&all[1]["tool"], &all[1]["works"], &all[1]["status"]),
        (&"biolat".into(), &"yes".into(), &0.into())
    );
    assert_eq!((&all[2]["works"], &all[2]["hooks"][0]["bound"]), (&"partly".into(), &"no io_uring".into()));
    let refused = checked(&[("biolat", &good)], &["-o", "csv"]);
    assert_eq!(refused.status.code(), Some(2));
}
