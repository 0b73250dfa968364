//! `ebpfmux --check`, the doctor, on this kernel: as root, as another user, without tracefs. In lockdown: `lockdown`.
#![allow(clippy::expect_used, reason = "tests")]

use std::process::Command;

use tests::doctor::{Told, first_statuses};
use tests::programs::{TOOLS, built, shell};
use tests::user::Programs;
use tests::{can_run, kernel, lock};

/// The doctor by a shell, after these commands.
fn after(commands: &str) -> Told {
    let mux = built("ebpfmux").display().to_string();
    let line = format!("{commands} exec {mux} --check -o json");
    Told::by(Command::new("unshare").args(["--mount", "sh", "-c", &line]))
}

#[test]
fn root_is_told_what_each_tool_does_by_itself() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let told = Told::by(Command::new(built("ebpfmux")).args(["--check", "-o", "json"]));
    told.is_summed_up();
    let release = told.system["kernel"].as_str().expect("a release");
    assert!(kernel::name().split(' ').any(|word| word == release), "{}", told.system);
    assert_eq!((&told.system["uid"], &told.system["btf"]), (&0.into(), &true.into()), "{}", told.system);
    for tool in TOOLS {
        let row = &told.tools[tool];
        assert_eq!(row["path"].as_str(), built(tool).to_str(), "{row}");
        let own = Command::new(built(tool)).args(["--check", "-o", "json"]).output().expect("it runs");
        let rungs = String::from_utf8(own.stdout).expect("UTF-8");
        let rung = |hook: &serde_json::Value| (hook["hook"].clone(), hook["rung"].clone());
        let own_rungs: Vec<_> =
            tests::records::parse(&rungs).iter().filter(|hook| hook["hook"].is_string()).map(rung).collect();
        let its: Vec<_> = row["hooks"].as_array().expect("hooks").iter().map(rung).collect();
        assert_eq!((row["status"].as_i64(), its), (own.status.code().map(i64::from), own_rungs), "{row}");
        let pair = (own.status.code(), row["works"].as_str());
        let works = matches!(pair, (Some(0), Some("yes" | "partly")) | (Some(3 | 4), Some("no")));
        assert!(works, "{row}");
    }
    // The same as text: a line for each, and what stands in the way below it.
    let text = shell("$BIN/ebpfmux --check");
    let text = String::from_utf8_lossy(&text.stdout);
    for (tool, row) in &told.tools {
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(tool));
        let works = line.unwrap_or_else(|| panic!("no {tool} in {text}")).split_whitespace().nth(1);
        let expected = row["works"].as_str().map(|works| if works == "unknown" { "?" } else { works });
        assert_eq!(works, expected, "{tool}: {text}");
    }
}

#[test]
fn another_user_is_told_which_right_is_missing() {
    if !can_run() {
        return;
    }
    let programs = Programs::new();
    let told = Told::by(programs.run::<&str>(&[], "ebpfmux").args(["--check", "-o", "json"]));
    told.is_summed_up();
    assert_eq!((told.status, &told.system["uid"]), (Some(4), &65534.into()), "{}", told.system);
    for tool in TOOLS {
        let row = &told.tools[tool];
        assert_eq!((&row["works"], &row["status"]), (&"no".into(), &4.into()), "{row}");
        assert!(told.message(tool).contains("CAP_BPF"), "{row}");
    }
    let output = programs.run::<&str>(&[], "ebpfmux").arg("--check").output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.lines().any(|line| line.starts_with("user") && line.ends_with("uid 65534")), "{text}");
    assert!(
        text.contains("CAP_BPF") && text.lines().any(|line| line.starts_with("biolat      no")),
        "{text}"
    );
}

#[test]
fn without_tracefs_it_is_said_and_root_needs_none() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let unmount =
        "for place in debug tracing; do while umount -l /sys/kernel/$place 2>/dev/null; do :; done; done;";
    let without = after(unmount);
    without.is_summed_up();
    assert!(without.system["tracefs"].is_null(), "{}", without.system);
    assert_eq!(without.system["tracefs_readable"], false);
    assert_eq!(without.statuses(), first_statuses(without.tools.keys().map(String::as_str)));
}
