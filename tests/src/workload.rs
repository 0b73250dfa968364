//! A workload under the test's control.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::{programs, records};

/// A workload that runs; see `src/bin/workload`.
pub struct Workload {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Workload {
    /// Starts one.
    pub fn start(args: &[&str]) -> Self {
        let mut command = Command::new(programs::built("workload"));
        let child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the workload starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, input, output }
    }

    /// Runs one to its end; the records that it printed.
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

    /// Waits until it says that it is `ready` or has `held`.
    pub fn until_says(&mut self, word: &str) {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the workload speaks UTF-8");
        assert_eq!(line.trim(), word, "the workload fails");
    }

    /// Lets it go on from where it waits.
    pub fn go_on(&mut self) {
        let input = self.input.as_mut().expect("its stdin is open");
        input.write_all(b"\n").expect("the workload reads");
    }

    /// Waits until it has been killed.
    pub fn killed(mut self) {
        let status = self.child.wait().expect("the workload can be waited for");
        assert_eq!(status.signal(), Some(libc::SIGKILL), "the workload: {status}");
    }

    /// Waits for its end: whether it was a good one, or it was killed.
    pub fn survives(mut self) -> bool {
        let status = self.child.wait().expect("the workload can be waited for");
        assert!(status.success() || status.signal() == Some(libc::SIGKILL), "the workload: {status}");
        status.success()
    }

    /// Lets it go on and waits for its end, which must be a good one; the records that it printed.
    pub fn finish(mut self) -> Vec<Value> {
        self.input = None;
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("the workload speaks UTF-8");
        let status = self.child.wait().expect("the workload can be waited for");
        assert!(status.success(), "the workload: {status}");
        let told: Vec<&str> = said.lines().filter(|line| line.starts_with('{')).collect();
        records::parse(&told.join("\n"))
    }
}
