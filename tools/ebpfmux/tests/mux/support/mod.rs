//! Helpers of the black-box tests: made-up records, and `ebpfmux` as a user runs it.

pub mod victoria;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub use test_support::records::parse as objects;
use test_support::streams::Streams;
use test_support::wait::within;

/// A time-out: longer than anything takes on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A command that runs `ebpfmux`.
pub fn mux(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebpfmux"));
    command.args(args).stdin(Stdio::null());
    command
}

/// The same in the folder of these streams, with their schemas.
pub fn mux_in(streams: &Streams, args: &[&str]) -> Command {
    let mut command = mux(args);
    command.env("EBPFMUX_SCHEMA", streams.schemas()).current_dir(streams.path(""));
    command
}

/// Runs it to its end.
pub fn run(args: &[&str]) -> Output {
    mux(args).output().unwrap()
}

/// Runs it to its end with this on stdin.
pub fn run_with(input: &str, args: &[&str]) -> Output {
    let mut child =
        mux(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // It may exit before it has read all.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// A directory and the files in it.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.0.path().join(name), content).unwrap();
        self.path(name)
    }

    pub fn fifo(&self, name: &str) -> String {
        let path = self.path(name);
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        path
    }
}

/// The timestamp this many microseconds after a fixed instant.
pub fn ts(micros: u64) -> String {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("2026-11-21T{hours:02}:{minutes:02}:{seconds:02}.{micros:06}Z")
}

/// A record as the tools print it.
pub fn record(micros: u64, tool: &str, values: &str) -> String {
    format!(
        r#"{{"ts":"{}","host":"web1","tool":"{tool}","interval_s":1.000012,{values},"lost":0}}"#,
        ts(micros)
    ) + "\n"
}

/// A running `ebpfmux` whose output is read line by line.
pub struct Live {
    pub child: Child,
    lines: Receiver<String>,
}

impl Live {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout: ChildStdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                if line.map(|line| sender.send(line)).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line, which must come.
    pub fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    /// Whether no line comes for this long.
    pub fn silent(&self, span: Duration) -> bool {
        self.lines.recv_timeout(span).is_err()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// The rest of the output, and the exit status.
    pub fn end(mut self) -> (Vec<String>, Option<i32>) {
        let code = exit_code(&mut self.child);
        (self.lines.iter().collect(), code)
    }
}

/// Waits for the exit, which must come.
pub fn exit_code(child: &mut Child) -> Option<i32> {
    eventually("the process ends", || child.try_wait().unwrap()).code()
}

/// Polls until there is an answer, which must come.
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, ask).unwrap_or_else(|| panic!("never: {what}"))
}

/// Waits for a file with a line in it, and returns the line.
pub fn line_in(path: &Path) -> String {
    eventually("a file is written", || {
        fs::read_to_string(path).ok().filter(|text| text.ends_with('\n')).map(|text| text.trim().to_owned())
    })
}

/// For bash: `now` sets `ts` to the time. Without another process: a signal to both would end that one, and a record would
/// have no time.
pub const NOW: &str = r#"export TZ=UTC
now() { local at=$EPOCHREALTIME; printf -v ts '%(%FT%T)T' "${at%.*}"; ts+=.${at#*.}Z; }
"#;

/// A tool in bash, which has `now`.
pub fn bash(body: &str) -> String {
    format!("#!/bin/bash\n{NOW}{body}")
}

/// An executable shell script.
pub fn script(files: &Files, name: &str, body: &str) -> PathBuf {
    let path = PathBuf::from(files.write(name, format!("#!/bin/sh\n{body}\n")));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&path, mode).unwrap();
    path
}

/// Whether the process with this id exists and is not a zombie.
pub fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
