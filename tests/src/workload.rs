//! A workload under the test's control.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::wait::{For, give_up, until};
use crate::{programs, records};

/// A running workload; see `src/bin/workload`.
pub struct Workload {
    child: Child,
    input: Option<ChildStdin>,
    /// Its stdout, line by line.
    lines: Receiver<String>,
    /// Its arguments, for failure messages.
    args: String,
}

impl Workload {
    /// Starts one.
    pub fn start(args: &[&str]) -> Self {
        let mut command = Command::new(programs::built("workload"));
        let child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the workload starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // The receiver is gone if the test has failed.
            output.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        Self { child, input, lines, args: args.join(" ") }
    }

    /// Runs one to its end; returns the records that it printed.
    pub fn run(args: &[&str]) -> Vec<Value> {
        Self::start(args).finish()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its process id, as an argument.
    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Waits until it prints `ready` or `held`.
    pub fn until_says(&mut self, word: &str) {
        let line = self.line().unwrap_or_else(|| panic!("workload {}: it ended without {word:?}", self.args));
        assert_eq!(line.trim(), word, "workload {}", self.args);
    }

    /// The next line; `None` after it closed its stdout.
    pub fn line(&self) -> Option<String> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        match self.lines.recv_timeout(For::Word.at_most()) {
            Ok(line) => Some(line),
            Err(Disconnected) => None,
            Err(Timeout) => give_up(For::Word, &self.args, ""),
        }
    }

    /// Continues it from where it waits.
    pub fn go_on(&mut self) {
        let input = self.input.as_mut().expect("its stdin is open");
        input.write_all(b"\n").expect("the workload reads");
    }

    /// Waits for its end; any status is allowed.
    fn ended(&mut self) -> ExitStatus {
        let Self { child, args, .. } = self;
        until(For::WorkloadEnd, args, || child.try_wait().expect("the workload can be waited for"))
    }

    /// Waits until it has been killed.
    pub fn killed(mut self) {
        let status = self.ended();
        assert_eq!(status.signal(), Some(libc::SIGKILL), "workload {}: {status}", self.args);
    }

    /// Waits for its end; true if it succeeded, false if it was killed.
    pub fn survives(mut self) -> bool {
        let status = self.ended();
        let known = status.success() || status.signal() == Some(libc::SIGKILL);
        assert!(known, "workload {}: {status}", self.args);
        status.success()
    }

    /// Continues it and waits for its end, which must be successful; returns the records that it
    /// printed.
    pub fn finish(mut self) -> Vec<Value> {
        self.input = None;
        let lines: Vec<String> = std::iter::from_fn(|| self.line()).collect();
        let status = self.ended();
        assert!(status.success(), "workload {}: {status}", self.args);
        let json: Vec<&str> = lines.iter().map(String::as_str).filter(|line| line.starts_with('{')).collect();
        records::parse(&json.join("\n"))
    }
}
