//! Running tools.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::wait::{For, until_or};
use crate::{programs, quantiles, records};

/// A running tool whose records are collected.
pub struct Tool {
    child: Child,
    /// The command, for failure messages.
    command: String,
    out: Stream,
    err: Stream,
    /// Each line is parsed once: in a guest, parsing all of them again on each request would use
    /// most of the processor.
    parsed: Mutex<Parsed>,
}

/// The parsed output of a tool: the records, and the number of bytes parsed.
#[derive(Default)]
struct Parsed {
    records: Vec<Value>,
    bytes: usize,
}

/// A tool that has ended.
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// All its records.
    pub records: Vec<Value>,
    /// All of its stderr.
    pub stderr: String,
}

impl Ended {
    /// The hooks and their rungs, as `-v` prints them.
    pub fn rungs(&self) -> BTreeMap<String, String> {
        rungs_in(&self.stderr)
    }

    /// The number of lost events: those that the records tell, and those that only its last line does, because no record
    /// came after them.
    pub fn lost(&self) -> u64 {
        records::sum(&self.records, "lost") + lost_at_the_end(&self.stderr).unwrap_or(0)
    }
}

/// The number of events that a tool's last line on stderr says were lost after its last record.
pub fn lost_at_the_end(stderr: &str) -> Option<u64> {
    let (before, _) = stderr.lines().last()?.split_once(" events were lost since the last record")?;
    before.rsplit(' ').next()?.parse().ok()
}

fn rungs_in(stderr: &str) -> BTreeMap<String, String> {
    let rung = |line: &str| {
        let (hook, rest) = line.strip_prefix("attached for ")?.split_once(" by ")?;
        Some((hook.to_string(), rest.rsplit_once(": ")?.0.to_string()))
    };
    stderr.lines().filter_map(rung).collect()
}

/// Reads continuously so that the tool never waits for the test. Parsing is done on request.
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Stream {
    fn of(mut source: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut part = vec![0; 1 << 16];
            while let Ok(read @ 1..) = source.read(&mut part) {
                shared.lock().expect("no panic beside").extend_from_slice(&part[..read]);
            }
        });
        Self { bytes, reader }
    }

    /// The complete lines so far, without this many bytes at the start.
    fn lines_after(&self, start: usize) -> String {
        let bytes = self.bytes.lock().expect("no panic beside");
        let bytes = &bytes[start..];
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        String::from_utf8(bytes[..end].to_vec()).expect("UTF-8")
    }

    /// All output, after the writer has ended.
    fn all(self) -> String {
        self.reader.join().expect("the reader ends");
        let bytes = std::mem::take(&mut *self.bytes.lock().expect("no panic beside"));
        String::from_utf8(bytes).expect("UTF-8")
    }
}

/// Whether a tool has attached and its first interval has begun: its second thread waits for
/// signals, and its first sleeps until something is due. This is visible on any kernel; links are
/// not.
pub fn is_attached(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let number = call.split(' ').next().and_then(|number| number.parse::<i64>().ok());
    threads > 1 && number.is_some_and(|number| POLLS.contains(&number))
}

/// The system calls in which a tool sleeps.
#[cfg(target_arch = "x86_64")]
const POLLS: [i64; 2] = [libc::SYS_poll, libc::SYS_ppoll];
#[cfg(not(target_arch = "x86_64"))]
const POLLS: [i64; 1] = [libc::SYS_ppoll];

impl Tool {
    /// Starts a tool with JSON output and returns when it counts: it is attached, and the first
    /// interval has begun.
    pub fn start(name: &str, args: &[&str]) -> Self {
        Self::start_as(Command::new(programs::built(name)).args(args))
    }

    /// Starts several of a tool at once, each with its own arguments: attaching mostly waits for grace periods.
    pub fn start_all(name: &str, all: &[Vec<&str>]) -> Vec<Self> {
        std::thread::scope(|scope| {
            let started: Vec<_> = all.iter().map(|args| scope.spawn(|| Self::start(name, args))).collect();
            started.into_iter().map(|tool| tool.join().expect("it attaches")).collect()
        })
    }

    /// The same with a command that executes a tool.
    pub fn start_as(command: &mut Command) -> Self {
        let mut tool = Self::spawn(command);
        tool.until_attached();
        tool
    }

    /// Its stderr so far, in complete lines.
    pub fn stderr(&self) -> String {
        self.err.lines_after(0)
    }

    /// The rung of an attached hook, as `-v` prints it.
    pub fn rung(&self, hook: &str) -> String {
        until_or(
            For::Ready,
            format!("{}: the rung of {hook}", self.command),
            || rungs_in(&self.stderr()).remove(hook),
            || self.stderr(),
        )
    }

    /// Starts a command that is or executes a tool, without waiting.
    pub fn spawn(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let out = Stream::of(child.stdout.take().expect("piped"));
        let err = Stream::of(child.stderr.take().expect("piped"));
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        // The name of the program is sufficient.
        let text = words.join(" ");
        let command = text.rsplit_once("release/").map_or(text.as_str(), |(_, rest)| rest).to_string();
        Self { child, command, out, err, parsed: Mutex::default() }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it counts.
    fn until_attached(&mut self) {
        let Self { child, command, err, out, .. } = self;
        let attached = || {
            if let Some(status) = child.try_wait().expect("the tool can be waited for") {
                panic!("{command}: it ended early: {status}: {}", err.lines_after(0));
            }
            // With short intervals it may never be seen asleep.
            (is_attached(child.id()) || !out.lines_after(0).is_empty()).then_some(())
        };
        until_or(For::Attach, &*command, attached, || err.lines_after(0));
    }

    /// Applies a function to the records so far.
    pub fn seen<T>(&self, look: impl FnOnce(&[Value]) -> T) -> T {
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = self.out.lines_after(parsed.bytes);
        let more = records::parse(&lines);
        more.iter().for_each(quantiles::are_in_order);
        parsed.records.extend(more);
        parsed.bytes += lines.len();
        look(&parsed.records)
    }

    /// The records so far.
    pub fn records(&self) -> Vec<Value> {
        self.seen(<[Value]>::to_vec)
    }

    /// Waits until it has printed this many more records.
    pub fn until_records(&self, more: usize) -> Vec<Value> {
        let wanted = self.seen(<[Value]>::len) + more;
        self.until("records", |records| records.len() >= wanted)
    }

    /// Waits for all records of an interval that ended after this time; returns the number of
    /// records up to its end. It uses the records' timestamps: on a machine under load they may
    /// arrive late.
    pub fn until_interval_after(&self, moment: Timestamp) -> usize {
        let of_interval = |records: &[Value]| {
            let ts = |at: usize| records[at]["ts"].as_str().and_then(|ts| ts.parse::<Timestamp>().ok());
            // Timestamps never decrease.
            let first =
                (0..records.len()).rev().take_while(|at| ts(*at).is_some_and(|ts| ts > moment)).last()?;
            // The records of an interval are written at once but may be read in parts: only a
            // record of the next interval shows that it is complete.
            (first + 1..records.len()).find(|at| records[*at]["ts"] != records[first]["ts"])
        };
        let what = format!("{}: one that ended after {moment}", self.command);
        until_or(For::Interval, what, || self.seen(of_interval), || self.received())
    }

    /// Waits until the records satisfy a condition; returns them.
    pub fn until(&self, what: &str, satisfied: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let what = format!("{}: {what}", self.command);
        until_or(For::Record, what, || self.seen(&satisfied).then_some(()), || self.received());
        self.records()
    }

    /// The records so far, for a message: the sums of whole numbers, and the last record.
    fn received(&self) -> String {
        let records = self.seen(|records| {
            let last = records.last().map_or_else(String::new, |last| format!(", the last {last}"));
            format!("{} records, in all {:?}{last}", records.len(), records::sums(records))
        });
        format!("{records}; {}", self.stderr())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the tool runs");
    }

    /// Stops it with SIGINT and waits; it must succeed.
    pub fn interrupt(self) -> Ended {
        self.signal(Signal::INT);
        let ended = self.wait();
        assert_eq!(ended.status.code(), Some(0), "{}: {}", ended.status, ended.stderr);
        ended
    }

    /// The same of a tool that prints events, which fails only where it lost some after its last record.
    pub fn interrupt_despite_losses(self) -> Ended {
        self.signal(Signal::INT);
        let ended = self.wait();
        let failed = lost_at_the_end(&ended.stderr).is_some();
        assert_eq!(ended.status.code(), Some(i32::from(failed)), "{}: {}", ended.status, ended.stderr);
        ended
    }

    /// Kills it, and waits.
    pub fn kill(self) {
        self.signal(Signal::KILL);
        assert_eq!(self.wait().status.signal(), Some(Signal::KILL.as_raw()));
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Ended {
        let Self { child, command, err, .. } = &mut self;
        let ended = || child.try_wait().expect("the tool can be waited for");
        let status = until_or(For::End, &*command, ended, || err.lines_after(0));
        let Parsed { mut records, bytes } = self.parsed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let last = records::parse(&self.out.all()[bytes..]);
        last.iter().for_each(quantiles::are_in_order);
        records.extend(last);
        Ended { status, records, stderr: self.err.all() }
    }
}
