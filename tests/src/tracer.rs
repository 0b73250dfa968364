//! The kernel's tracer (tracefs), which records events without BPF.
//!
//! BPF programs on classic tracepoints, as bpftrace uses them, are not a reference: the kernel
//! skips them where they would interrupt one another.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{kernel, programs};

/// The directory of tracefs, mounted if necessary.
const TRACEFS: &str = "/sys/kernel/tracing";
/// Room per processor, in KiB: some 300 000 events.
const BUFFER_KB: &str = "32768";

/// An instance of the tracer, removed with its events when dropped.
pub struct Tracer {
    path: PathBuf,
}

/// An event as the tracer shows it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The thread that ran when it happened, or that was interrupted for it.
    pub thread: u32,
    /// Its process, if the tracer was set up to record it and knew it.
    pub process: Option<u32>,
    /// The processor.
    pub cpu: u32,
    /// Microseconds of CLOCK_BOOTTIME.
    pub at: u64,
    /// As in tracefs.
    pub name: &'a str,
    /// The rest of the line, in the event's own format.
    pub fields: &'a str,
}

impl Tracer {
    /// Traces these events (`block/block_rq_issue`) that pass the filter; an empty filter passes
    /// all.
    pub fn start(events: &[&str], filter: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        mounted();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("instances/ebpf-filters-test-{}-{number}", std::process::id());
        let path = Path::new(TRACEFS).join(name);
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let tracer = Self { path };
        tracer.set("trace_clock", "boot");
        tracer.set("buffer_size_kb", BUFFER_KB);
        // Records the process of each thread, because threads of process 1 come and go. A guest
        // does not need it.
        if kernel::of_guest().is_none() {
            tracer.set("options/record-tgid", "1");
        }
        for event in events {
            if !filter.is_empty() {
                tracer.set(&format!("events/{event}/filter"), filter);
            }
            tracer.set(&format!("events/{event}/enable"), "1");
        }
        tracer
    }

    fn set(&self, file: &str, value: &str) {
        let path = self.path.join(file);
        fs::write(&path, value).unwrap_or_else(|error| panic!("{}: {value}: {error}", path.display()));
    }

    /// The whole trace so far; fails if the buffer lost events.
    pub fn text(&self) -> String {
        let text = fs::read(self.path.join("trace")).expect("the trace");
        // Thread names may be invalid UTF-8.
        let text = String::from_utf8_lossy(&text).into_owned();
        let entries =
            text.lines().find_map(|line| line.strip_prefix("# entries-in-buffer/entries-written: "));
        let (kept, written) = entries.and_then(|text| text.split_once('/')).expect("the trace's heading");
        assert_eq!(Some(kept), written.split(' ').next(), "the tracer's buffer was too small");
        text
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}

/// An event for each call of a kernel function, `kprobes/FUNCTION`; removed when dropped, after the
/// tracers of it.
pub struct Probe(String);

impl Probe {
    /// Where the kernel has kprobes.
    pub fn on(function: &str) -> Self {
        mounted();
        let probe = Self(function.to_string());
        probe
            .write(&format!("p:{function} {function}"))
            .unwrap_or_else(|error| panic!("{function}: {error}"));
        probe
    }

    /// Its name for [`Tracer::start`].
    pub fn event(&self) -> String {
        format!("kprobes/{}", self.0)
    }

    fn write(&self, line: &str) -> std::io::Result<()> {
        let mut events = OpenOptions::new().append(true).open(Path::new(TRACEFS).join("kprobe_events"))?;
        events.write_all(line.as_bytes())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.write(&format!("-:{}", self.0));
    }
}

/// Whether the kernel has this event (`block/block_rq_issue`).
pub fn exists(event: &str) -> bool {
    mounted();
    Path::new(TRACEFS).join("events").join(event).exists()
}

fn mounted() {
    if !Path::new(TRACEFS).join("instances").exists() {
        programs::succeed("mount", &["-t", "tracefs", "tracefs", TRACEFS]);
    }
}

/// `TASK-THREAD [CPU] FLAGS SECONDS.MICROS: NAME: FIELDS`, where a task's name may hold anything, or
/// `TASK-THREAD (PROCESS) [CPU] …`.
pub fn event(line: &str) -> Option<Event<'_>> {
    let (head, rest) = line.split_once(": ")?;
    let (name, fields) = rest.split_once(": ")?;
    let (task, times) = head.rsplit_once(" [")?;
    let task = task.trim_end();
    let (task, process) = match task.strip_suffix(')').and_then(|task| task.rsplit_once('(')) {
        Some((task, process)) => (task.trim_end(), process.trim_start().parse().ok()),
        None => (task, None),
    };
    let thread = task.rsplit('-').next()?.parse().ok()?;
    let cpu = times.split(']').next()?.parse().ok()?;
    let (seconds, micros) = times.rsplit(' ').next()?.split_once('.')?;
    let at = seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?;
    Some(Event { thread, process, cpu, at, name, fields })
}

impl Event<'_> {
    /// Whether process 1 ran, given its current threads: see [`threads_of_init`].
    pub fn is_unobserved(&self, init: &HashSet<u32>) -> bool {
        self.process == Some(1) || init.contains(&self.thread)
    }
}

/// The threads of process 1.
///
/// Some kernels run no BPF program while process 1 runs, nor in interrupts that arrive during it:
/// in virtual machines whose supervisor is that process. The kernel does not count these misses. No
/// tool can see such events, so a test subtracts exactly them, event by event, from the trace.
pub fn threads_of_init() -> HashSet<u32> {
    let listed = fs::read_dir("/proc/1/task").expect("process 1").flatten();
    listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
