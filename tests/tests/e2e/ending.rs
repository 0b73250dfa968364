//! How a program ends, and what does not end it: signals that are ignored, readers that stall, a stderr that cannot be
//! written to, descriptors that are closed, limits that are reached.
#![allow(clippy::expect_used, reason = "tests")]

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};

use rustix::io::ioctl_fionread as unread;
use rustix::process::{Pid, Signal, kill_process};
use tests::can_run;
use tests::parallel::in_parallel;
use tests::programs::{TOOLS, built, shell};
use tests::records;
use tests::tool::{Tool, is_attached, lost_at_the_end};
use tests::user::Programs;
use tests::wait::{For, until, until_still};

/// A page: the smallest pipe that there is.
const SMALL_PIPE: usize = 4096;

/// Runs a line of shell; its status, stdout and stderr.
fn run(line: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = shell(line);
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

/// A program whose reader takes nothing, and that waits for it.
fn stalled(line: &str) -> Child {
    let words = shlex::split(line).expect("a command line");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    rustix::pipe::fcntl_setpipe_size(&writer, SMALL_PIPE).expect("a small pipe");
    let mut command = Command::new(built(&words[0]));
    let child = command.args(&words[1..]).stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("it starts");
    drop(command);
    // Some of it fits; then nothing more comes.
    let waiting = || unread(&reader).ok().filter(|bytes| *bytes > 0);
    until(For::Record, line, waiting);
    until_still(line, std::time::Duration::from_millis(500), || unread(&reader).ok());
    // Given to the child's own handle, so that the pipe lives as long as it.
    child.stdout = Some(std::os::fd::OwnedFd::from(reader).into());
    child
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it runs");
}

fn ended(mut child: Child) -> (std::process::ExitStatus, String) {
    let status = until(For::End, "a stalled program's end", || child.try_wait().expect("a child"));
    let mut stderr = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("UTF-8");
    (status, stderr)
}

/// Programs that print more than their pipe holds; ebpfmux makes its pipe a large one.
const PRINTING: [&str; 4] = [
    "vfsstat -q 0.01",
    "proclife -q --events",
    "irqlat -q 0.05",
    r#"ebpfmux -q --run 'yes "{\"ts\":\"2026-11-21T00:00:00Z\",\"host\":\"a\",\"tool\":\"t\",\"n\":7}"'"#,
];

/// Processes that come and go, for what prints events.
struct Busy(Child);

impl Busy {
    fn start() -> Self {
        let mut shell = Command::new("sh");
        Self(shell.args(["-c", "while :; do (:); done"]).stdin(Stdio::null()).spawn().expect("sh"))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn a_signal_ends_it_though_its_reader_takes_nothing() {
    if !can_run() {
        return;
    }
    let _busy = Busy::start();
    in_parallel(PRINTING, |line| {
        let child = stalled(line);
        signal(&child, Signal::TERM);
        let (status, stderr) = ended(child);
        assert_eq!(status.code(), Some(1), "{line}: {status}: {stderr}");
        assert!(
            stderr.contains("the reader took nothing for 5 s after the request to end"),
            "{line}: {stderr}"
        );
    });
}

#[test]
fn a_second_signal_ends_it_at_once() {
    if !can_run() {
        return;
    }
    let _busy = Busy::start();
    for line in PRINTING {
        let child = stalled(line);
        let pid = child.id();
        signal(&child, Signal::INT);
        // Its handler gives the signals back, after which the next one kills. 5 s later it would end by itself, with 1.
        let caught = || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?.trim().to_owned();
            let mask = u64::from_str_radix(&mask, 16).ok()?;
            (mask & (1 << (Signal::INT.as_raw() - 1)) == 0).then_some(())
        };
        until(For::State, "the signal's default", caught);
        signal(&child, Signal::INT);
        let (status, stderr) = ended(child);
        assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{line}: {status}: {stderr}");
    }
}

#[test]
fn a_reader_that_goes_on_after_the_signal_gets_whole_records() {
    if !can_run() {
        return;
    }
    let _busy = Busy::start();
    for line in PRINTING {
        let mut child = stalled(line);
        signal(&child, Signal::TERM);
        let mut text = String::new();
        child.stdout.take().expect("a reader").read_to_string(&mut text).expect("UTF-8");
        let (status, stderr) = ended(child);
        // Without a reader, the kernel's buffer of events may fill; the exit status then reports the loss.
        let lost = line.contains("--events") && lost_at_the_end(&stderr).is_some();
        assert!(status.success() || lost, "{line}: {status}: {stderr}");
        assert!(text.ends_with('\n') && records::parse(&text).len() > 1, "{line}: {text}");
    }
}

#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    if !can_run() {
        return;
    }
    for program in ["proclife -q 0.1", "ebpfmux --run 'proclife -q 0.1'"] {
        let line = format!("trap '' HUP INT; exec \"$0/\"{program}");
        let bin = built("proclife");
        let mut command = Command::new("sh");
        command.args(["-c", &line]).arg(bin.parent().expect("a directory"));
        let tool = Tool::spawn(&mut command);
        tool.until_records(2);
        until(For::State, "a second thread", || is_attached(tool.pid()).then_some(()));
        tool.signal(Signal::HUP);
        tool.signal(Signal::INT);
        // It goes on: only it can write these.
        tool.until_records(3);
        tool.signal(Signal::TERM);
        let ended = tool.wait();
        assert!(ended.status.success(), "{program}: {}: {}", ended.status, ended.stderr);
    }
}

#[test]
fn a_stderr_that_cannot_be_written_to_ends_nothing() {
    if !can_run() {
        return;
    }
    let record = r#"{\"ts\":\"2026-11-21T00:00:00Z\",\"host\":\"a\",\"tool\":\"t\",\"interval_s\":1,\"n\":7,\"lost\":0}"#;
    for stderr in ["2>/dev/full", "2>&-", "2> >(exec 0<&-)"] {
        for (line, expected) in [
            ("$BIN/proclife -v 0.1 2".to_owned(), "\"tool\":\"proclife\""),
            // A note about what it cannot see.
            ("$BIN/vfsstat 0.1 2".to_owned(), "\"tool\":\"vfsstat\""),
            (format!("printf 'bad\\n%s\\n' \"{record}\" | $BIN/ebpfmux"), "\"n\":7"),
            (
                "$BIN/ebpfmux --run 'sh -c \"echo bad; exit 1\"' --run 'proclife -q 0.1 2'".to_owned(),
                "proclife",
            ),
        ] {
            let (status, stdout, _) = run(&format!("{line} {stderr}"));
            // A command that fails for good is status 1, whatever can be said of it.
            let right = if line.contains("exit 1") { 1 } else { 0 };
            assert!(
                status == Some(right) && stdout.contains(expected),
                "{line} {stderr}: {status:?}: {stdout}"
            );
        }
    }
}

#[test]
fn a_closed_stdout_is_an_error() {
    for program in TOOLS.into_iter().chain(["ebpfmux"]) {
        for option in ["--help", "--schema", "0.1 1"] {
            if program == "ebpfmux" && option != "--help" {
                continue;
            }
            let (status, _, stderr) = run(&format!("$BIN/{program} {option} >&-"));
            assert_eq!(status, Some(1), "{program} {option}: {stderr}");
            assert!(stderr.contains("stdout is closed"), "{program} {option}: {stderr}");
        }
    }
    let (status, _, stderr) = run("$BIN/ebpfmux <&-");
    assert!(status == Some(2) && stderr.contains("it is closed"), "{status:?}: {stderr}");
}

#[test]
fn what_has_run_out_is_named() {
    if !can_run() {
        return;
    }
    let mut refused = 0;
    for files in (3..48).step_by(7) {
        for program in [
            "proclife -q 0.1 1",
            "biolat -q 0.1 1",
            "ebpfmux --run 'proclife -q 0.1 1' --run 'biolat -q 0.1 1'",
        ] {
            let (status, _, stderr) = run(&format!("ulimit -n {files}; $BIN/{program}"));
            assert!(matches!(status, Some(0 | 1)), "{files} files: {program}: {status:?}: {stderr}");
            if status == Some(1) {
                refused += 1;
                // Too few even for the loader to find the program's libraries.
                let loader = stderr.contains("error while loading shared libraries");
                assert!(
                    loader
                        || stderr.contains("Too many open files")
                        || stderr.contains("limit of open files"),
                    "{files} files: {program}: {stderr}"
                );
            }
        }
    }
    assert!(refused > 0, "the limits were too high to be reached");
}

#[test]
fn too_few_processes_are_named() {
    if !can_run() {
        return;
    }
    let programs = Programs::new();
    // A user without processes; root has no such limit.
    let user = "setpriv --reuid=61997 --regid=61997 --clear-groups";
    let rights = "--inh-caps=+bpf,+perfmon,+dac_read_search --ambient-caps=+bpf,+perfmon,+dac_read_search";
    let dir = tempfile::Builder::new().tempdir().expect("a directory");
    std::os::unix::fs::chown(dir.path(), Some(61_997), Some(61_997)).expect("root");
    let record = format!("--record {}", dir.path().display());
    let mut refused = 0;
    for (rights, program) in [
        (rights, "proclife -q 0.1 1"),
        ("", "ebpfmux --serve 127.0.0.1:0 /dev/null"),
        ("", "ebpfmux --otlp http://127.0.0.1:9 /dev/null"),
        ("", "ebpfmux --run 'sleep 0'"),
        ("", &format!("ebpfmux {record} /dev/null")),
    ] {
        for processes in 1..5 {
            let limit = format!("{user} {rights} prlimit --nproc={processes}");
            let (status, _, stderr) = run(&format!("{limit} {}/{program}", programs.folder()));
            assert!(matches!(status, Some(0 | 1)), "{processes}: {program}: {status:?}: {stderr}");
            if status == Some(1) {
                refused += 1;
                let named =
                    stderr.lines().count() == 1 && stderr.contains("the limit of processes is reached");
                assert!(named, "{processes} processes: {program}: {stderr}");
            }
        }
    }
    assert!(refused > 5, "the limits were too high to be reached: {refused}");
}

#[test]
fn too_little_memory_is_not_the_kernels_fault() {
    if !can_run() {
        return;
    }
    for megabytes in (6..40).step_by(4) {
        let (status, _, stderr) = run(&format!("ulimit -v {}; $BIN/proclife -q 0.1 1", megabytes * 1024));
        // The loader exits with 127 or is killed; a failed allocation aborts.
        assert!(matches!(status, None | Some(0 | 1 | 127)), "{megabytes} MB: {status:?}: {stderr}");
    }
}

#[test]
fn what_a_stranger_wrote_cannot_command_the_terminal() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("stream");
    let odd = r#"\u001b]0;title\u0007\u202egpj"#;
    let record = format!(
        r#"{{"ts":"2026-11-21T00:00:00Z","host":"a","tool":"t","interval_s":1,"comm":"{odd}","n":7,"lost":0}}"#
    );
    std::fs::write(&path, record + "\n").expect("a file");
    let path = path.display();
    for line in [
        format!("$BIN/ebpfmux --assert 'comm == \"x\"' {path} >/dev/null"),
        "$BIN/ebpfmux $'\\e]0;title\\a'".to_owned(),
        "$BIN/ebpfmux $'--\\e]0;title\\a'".to_owned(),
        "$BIN/proclife $'\\e]0;title\\a'".to_owned(),
        "$BIN/proclife --cgroup $'/\\e]0;title\\a\\u202e'".to_owned(),
        "$BIN/ebpfmux --run $'sh -c \"exit 3\" \\e]0;title\\a' >/dev/null".to_owned(),
    ] {
        let (_, _, stderr) = run(&line);
        let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!stderr.is_empty() && !stderr.contains(obeyed), "{line}: {stderr:?}");
    }
}
