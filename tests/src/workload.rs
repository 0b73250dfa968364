//! A workload under the test's control.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::wait::{For, give_up, until};
use crate::{programs, records};

/// A workload that runs; see `src/bin/workload`.
pub struct Workload {
    child: Child,
    input: Option<ChildStdin>,
    /// What it says, line by line.
    lines: Receiver<String>,
    /// Its arguments, for what a failure tells.
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
        let (said, lines) = channel();
        std::thread::spawn(move || {
            // Nobody listens any more where the test has failed.
            output.lines().map_while(Result::ok).all(|line| said.send(line).is_ok())
        });
        Self { child, input, lines, args: args.join(" ") }
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
        let said = self.line().unwrap_or_else(|| panic!("workload {}: it ended without {word:?}", self.args));
        assert_eq!(said.trim(), word, "workload {}", self.args);
    }

    /// The next line; none where it has closed its output.
    fn line(&self) -> Option<String> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        match self.lines.recv_timeout(For::Word.at_most()) {
            Ok(line) => Some(line),
            Err(Disconnected) => None,
            Err(Timeout) => give_up(For::Word, &self.args, ""),
        }
    }

    /// Lets it go on from where it waits.
    pub fn go_on(&mut self) {
        let input = self.input.as_mut().expect("its stdin is open");
        input.write_all(b"\n").expect("the workload reads");
    }

    /// Waits for its end, whatever it is.
    fn ended(&mut self) -> ExitStatus {
        let Self { child, args, .. } = self;
        until(For::WorkloadEnd, args, || child.try_wait().expect("the workload can be waited for"))
    }

    /// Waits until it has been killed.
    pub fn killed(mut self) {
        let status = self.ended();
        assert_eq!(status.signal(), Some(libc::SIGKILL), "workload {}: {status}", self.args);
    }

    /// Waits for its end: whether it was a good one, or it was killed.
    pub fn survives(mut self) -> bool {
        let status = self.ended();
        let known = status.success() || status.signal() == Some(libc::SIGKILL);
        assert!(known, "workload {}: {status}", self.args);
        status.success()
    }

    /// Lets it go on and waits for its end, which must be a good one; the records that it printed.
    pub fn finish(mut self) -> Vec<Value> {
        self.input = None;
        let said: Vec<String> = std::iter::from_fn(|| self.line()).collect();
        let status = self.ended();
        assert!(status.success(), "workload {}: {status}", self.args);
        let told: Vec<&str> = said.iter().map(String::as_str).filter(|line| line.starts_with('{')).collect();
        records::parse(&told.join("\n"))
    }
}
