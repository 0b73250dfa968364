//! `--run`: commands that succeed, fail, or do not exit, and how they are handled.

use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;

use crate::support::*;

/// Prints a record, then another when it is stopped; writes its process id to a file.
fn tool(files: &Files, name: &str) -> String {
    let (first, last) = (record(1, name, "\"n\":1"), record(2, name, "\"n\":2"));
    let pid = files.path(&format!("{name}.pid"));
    let body = format!(
        "trap 'echo '\\''{}'\\''; exit 0' INT\necho '{}'\necho $$ > {pid}\nwhile :; do sleep 0.05; done",
        last.trim_end(),
        first.trim_end()
    );
    script(files, name, &body).display().to_string()
}

fn pid(files: &Files, name: &str) -> String {
    line_in(Path::new(&files.path(&format!("{name}.pid"))))
}

#[test]
fn a_signal_is_passed_on_and_the_last_interval_is_merged() {
    for signal in [Some(Signal::INT), Some(Signal::TERM), None] {
        let files = Files::new();
        let (a, b) = (tool(&files, "a"), tool(&files, "b"));
        let duration = if signal.is_some() { "60" } else { "1" };
        let live = Live::start(mux(&["--run", &a, "--run", &b, "-d", duration]));
        let pids = ["a", "b"].map(|name| pid(&files, name));
        assert!(live.line().contains("\"a\"") && live.line().contains("\"b\""));
        if let Some(signal) = signal {
            live.signal(signal);
        }
        let (rest, code) = live.end();
        let expected = [record(2, "a", "\"n\":2"), record(2, "b", "\"n\":2")];
        assert_eq!((rest, code), (expected.map(|line| line.trim_end().to_owned()).to_vec(), Some(0)));
        assert!(!pids.iter().any(|pid| alive(pid)));
    }
}

#[test]
fn a_command_that_ends_well_is_not_started_again() {
    let files = Files::new();
    let line = record(1, "t", "\"n\":1");
    let once = script(&files, "once", &format!("echo '{}'", line.trim_end()));
    // A word with a space in it, quoted as for a shell.
    let quoted = format!("sh -c 'exec {}'", once.display());
    let output = run(&["--run", &quoted]);
    assert_eq!((stdout(&output), stderr(&output), output.status.code()), (line, String::new(), Some(0)));
}

#[test]
fn a_command_that_fails_is_started_again_so_often() {
    let files = Files::new();
    let count = files.path("count");
    let body = format!("echo >> {count}\necho '{}'\nexit 1", record(1, "t", "\"n\":1").trim_end());
    let failing = script(&files, "failing", &body).display().to_string();
    let good = files.write("good", record(5, "good", "\"n\":1"));
    let output = run(&["--run", &failing, &good]);
    let messages = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert_eq!(std::fs::read_to_string(count).unwrap().lines().count(), 4);
    assert_eq!(stdout(&output).matches("\"t\"").count(), 4);
    assert!(stdout(&output).contains("\"good\""));
    assert!(messages.contains("ended with status 1; starting it again in 1 s (1 of 3)"), "{messages}");
    assert!(messages.contains("ended with status 1, after 3 restarts; not started again"), "{messages}");
}

#[test]
fn statuses_without_hope_and_missing_commands_end_at_once() {
    let files = Files::new();
    for code in [2, 3, 4] {
        let command = script(&files, "f", &format!("exit {code}")).display().to_string();
        let output = run(&["--run", &command]);
        let expected = format!("ebpfmux: '{command}' ended with status {code}\n");
        assert_eq!((stderr(&output), output.status.code()), (expected, Some(1)));
    }
    let output = run(&["--run", "sleep 60", "--run", "no-such-tool 1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot run 'no-such-tool 1': No such file"), "{}", stderr(&output));
}

#[test]
fn a_command_killed_by_a_signal_is_said_so() {
    let files = Files::new();
    let body = format!("[ -e {0} ] && exit 0\ntouch {0}\nkill -KILL $$", files.path("once"));
    let output = run(&["--run", &script(&files, "f", &body).display().to_string()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("was killed by signal 9; starting it again"), "{}", stderr(&output));
}

#[test]
fn a_reader_that_goes_ends_the_commands() {
    let files = Files::new();
    let command = tool(&files, "a");
    let mut child = mux(&["--run", &command]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = pid(&files, "a");
    drop(child.stdout.take());
    assert_eq!(exit_code(&mut child), Some(0));
    assert!(!alive(&pid));
    assert_eq!(stderr(&child.wait_with_output().unwrap()), "");
}

#[test]
fn a_killed_ebpfmux_leaves_no_children() {
    let files = Files::new();
    let (a, b) = (tool(&files, "a"), tool(&files, "b"));
    let live = Live::start(mux(&["--run", &a, "--run", &b]));
    let pids = ["a", "b"].map(|name| pid(&files, name));
    assert!(pids.iter().all(|pid| alive(pid)));
    live.signal(Signal::KILL);
    assert_eq!(live.end().1, None);
    eventually("the children are gone", || (!pids.iter().any(|pid| alive(pid))).then_some(()));
}

#[test]
fn a_command_that_will_not_end_is_made_to() {
    let files = Files::new();
    let ready = files.path("ready");
    let body = format!("trap '' INT TERM\necho $$ > {ready}\nwhile :; do sleep 0.05; done");
    let command = script(&files, "f", &body).display().to_string();
    let live = Live::start(mux(&["--run", &command]));
    let pid = line_in(Path::new(&ready));
    live.signal(Signal::INT);
    assert_eq!(live.end(), (vec![], Some(0)));
    assert!(!alive(&pid));
}

#[test]
fn a_tool_beside_ebpfmux_comes_before_path() {
    let files = Files::new();
    let own = files.path("ebpfmux");
    std::fs::copy(env!("CARGO_BIN_EXE_ebpfmux"), &own).unwrap();
    let line = record(1, "beside", "\"n\":1");
    script(&files, "cat", &format!("echo '{}'", line.trim_end()));
    // A file just written by a process that forks at the same time can be busy for a moment.
    let output = eventually("the copy runs", || {
        std::process::Command::new(&own).args(["--run", "cat /dev/null"]).stdin(Stdio::null()).output().ok()
    });
    assert_eq!(stdout(&output), line, "{}", stderr(&output));
}

#[test]
fn bad_input_that_is_fatal_ends_the_commands_too() {
    let files = Files::new();
    let command = tool(&files, "a");
    let pid_file = files.path("a.pid");
    let bad =
        script(&files, "bad", &format!("while ! [ -s {pid_file} ]; do sleep 0.01; done\necho nonsense"));
    let output = run(&["--strict", "--run", &command, "--run", &bad.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!alive(&pid(&files, "a")));
}

#[test]
fn a_full_stdout_ends_the_commands() {
    let files = Files::new();
    // Its number comes first: with the first record it can end.
    let (number, line) = (files.path("a.pid"), record(1, "a", "\"n\":1"));
    let body = format!("echo $$ > {number}\necho '{}'\nwhile :; do sleep 0.05; done", line.trim_end());
    let command = script(&files, "a", &body).display().to_string();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = mux(&["--run", &command]).stdout(full).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).lines().count()), (Some(1), 1), "{}", stderr(&output));
    assert!(stderr(&output).contains("stdout"), "{}", stderr(&output));
    assert!(!alive(&pid(&files, "a")));
}

#[test]
fn a_command_that_floods_stderr_delays_nothing() {
    let files = Files::new();
    let line = record(1, "t", "\"n\":1");
    let body = format!("seq 200000 >&2\necho '{}'\nhead -c 20000000 /dev/zero >&2", line.trim_end());
    let output = run(&["--run", &script(&files, "f", &body).display().to_string()]);
    assert_eq!((stdout(&output), output.status.code()), (line, Some(0)));
    assert!(output.stderr.len() >= 20_000_000);
}

#[test]
fn what_a_command_leaves_behind_is_read_while_it_holds_the_pipe() {
    let files = Files::new();
    let (first, last) = (record(1, "t", "\"n\":1"), record(2, "t", "\"n\":2"));
    let body = format!("echo '{}'\n(sleep 0.5; echo '{}') &", first.trim_end(), last.trim_end());
    let output = run(&["--run", &script(&files, "f", &body).display().to_string()]);
    assert_eq!((stdout(&output), output.status.code()), (first + &last, Some(0)), "{}", stderr(&output));
}

/// Documented: what leaves its session is its own.
#[test]
fn what_leaves_its_session_is_left_alone() {
    let files = Files::new();
    let left = files.path("left");
    let body = format!(
        "setsid sh -c 'echo $$ > {left}; exec sleep 60' > /dev/null &\ntrap 'exit 0' INT TERM\nwhile :; do sleep 0.05; done"
    );
    let live = Live::start(mux(&["--run", &script(&files, "f", &body).display().to_string()]));
    let left = line_in(Path::new(&left));
    live.signal(Signal::TERM);
    assert_eq!(live.end().1, Some(0));
    assert!(alive(&left));
    let left = rustix::process::Pid::from_raw(left.parse().unwrap()).unwrap();
    rustix::process::kill_process(left, Signal::KILL).unwrap();
}

#[test]
fn three_within_each_other_end_together() {
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        let files = Files::new();
        let own = env!("CARGO_BIN_EXE_ebpfmux");
        let nested = format!("{own} --run '{own} --run {}'", tool(&files, "a"));
        let live = Live::start(mux(&["--run", &nested]));
        let pid = pid(&files, "a");
        assert!(live.line().contains("\"a\""));
        live.signal(signal);
        let (_, code) = live.end();
        assert_eq!(code, if signal == Signal::KILL { None } else { Some(0) });
        eventually("the innermost ends", || (!alive(&pid)).then_some(()));
    }
}
