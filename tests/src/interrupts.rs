//! The kernel's counters of interrupts, /proc/interrupts and /proc/softirqs, and their comparison
//! with records.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::time::Instant;

use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::Value;

use crate::bpf::Programs;
use crate::comparison::Comparison;
use crate::kernel;
use crate::quantiles::number;
use crate::records::{count, sum};
use crate::tool::Tool;
use crate::tracer::{self, Tracer};

/// The vectors that have tracepoints, and their lines in /proc/interrupts.
const VECTORS: [(&str, &str); 10] = [
    ("local_timer", "LOC"),
    ("reschedule", "RES"),
    ("call_function", "CAL"),
    ("call_function_single", "CAL"),
    ("irq_work", "IWI"),
    ("x86_platform_ipi", "PLT"),
    ("spurious_apic", "SPU"),
    ("thermal_apic", "TRM"),
    ("threshold_apic", "THR"),
    ("deferred_error_apic", "DFR"),
];

/// A line by its number, a soft interrupt by its name, or a vector by its three letters; and the
/// processor, if counts are per processor.
pub type Source = (String, Option<u32>);

/// Number of interrupts.
#[derive(Clone)]
pub struct InterruptCounts(BTreeMap<Source, u64>);

impl InterruptCounts {
    /// Counts since boot.
    fn now(per_cpu: bool) -> Self {
        let mut counts = BTreeMap::new();
        for file in ["/proc/interrupts", "/proc/softirqs"] {
            let text = fs::read_to_string(file).expect("the kernel counts interrupts");
            for (name, cpu, count) in parse(&text) {
                *counts.entry((name, per_cpu.then_some(cpu))).or_default() += count;
            }
        }
        Self(counts)
    }

    /// The difference to an earlier reading.
    pub fn since(&self, before: &Self) -> Self {
        // A line that is new since then had none before.
        let since = |(source, now): (&Source, &u64)| {
            (source.clone(), now - before.0.get(source).copied().unwrap_or_default())
        };
        Self(self.0.iter().map(since).collect())
    }

    /// The count of a line, soft interrupt or vector on all processors.
    pub fn sum(&self, name: &str) -> u64 {
        self.0.iter().filter(|((source, _), _)| source == name).map(|(_, count)| count).sum()
    }
}

/// Parses a heading of processors, then lines of a name and as many counts. Lines with fewer counts
/// are not per processor.
fn parse(text: &str) -> Vec<(String, u32, u64)> {
    let mut lines = text.lines();
    let heading = lines.next().unwrap_or_default();
    let cpus: Vec<u32> =
        heading.split_whitespace().filter_map(|cpu| cpu.strip_prefix("CPU")?.parse().ok()).collect();
    let mut counts = Vec::new();
    for (name, rest) in lines.filter_map(|line| line.trim_start().split_once(':')) {
        let numbers: Vec<u64> = rest.split_whitespace().map_while(|number| number.parse().ok()).collect();
        if numbers.len() >= cpus.len() {
            counts.extend(cpus.iter().zip(numbers).map(|(cpu, count)| (name.to_string(), *cpu, count)));
        }
    }
    counts
}

/// Pins the calling thread to this processor.
pub fn pin(cpu: u32) {
    let mut set = CpuSet::new();
    set.set(cpu as usize);
    sched_setaffinity(None, &set).expect("a processor that is there");
}

/// The number of processors.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn interrupts() -> String {
    fs::read_to_string("/proc/interrupts").expect("the kernel counts interrupts")
}

/// The number of the line of /proc/interrupts with this handler.
pub fn line_of(handler: &str) -> u32 {
    let text = interrupts();
    let line = text.lines().find(|line| line.split([' ', ',']).any(|word| word == handler));
    let number = line.and_then(|line| line.trim_start().split_once(':')?.0.parse().ok());
    number.unwrap_or_else(|| panic!("no line of {handler} in {text}"))
}

/// The name of the line of /proc/interrupts that ends with this description, if there is one.
pub fn name_of(description: &str) -> Option<String> {
    let text = interrupts();
    let line = text.lines().find(|line| line.ends_with(&format!(" {description}")))?;
    Some(line.trim_start().split_once(':')?.0.to_string())
}

/// The line of /proc/interrupts that a vector is counted in. On arm64 and riscv a vector is called as its line is there:
/// `IPI0 Rescheduling interrupts`.
fn line_of_vector(vector: &str) -> Option<String> {
    let by_event = VECTORS.iter().find(|(event, _)| *event == vector).map(|(_, line)| (*line).to_string());
    let by_line = || {
        let (line, description) = vector.split_once(' ')?;
        (name_of(description)? == line && line.starts_with("IPI")).then(|| line.to_string())
    };
    by_event.or_else(by_line)
}

/// Whether a line of /proc/interrupts counts a vector that has records.
fn is_of_vector(line: &str) -> bool {
    let numbered = line.strip_prefix("IPI").is_some_and(|number| number.parse::<u32>().is_ok());
    numbered || VECTORS.iter().any(|(_, known)| *known == line)
}

/// What a record is about: the kernel's counter for it, if it has one, and the handler.
fn source(record: &Value) -> Option<(Source, String)> {
    let name = record["name"].as_str()?;
    let cpu = record["cpu"].as_u64().map(|cpu| cpu as u32);
    let (at, handler) = match record["kind"].as_str()? {
        "hard" => (count(record, "irq").to_string(), name),
        "soft" => (name.to_string(), ""),
        // The kernel counts these in a line that is not per processor.
        _ if name == "error_apic" => return None,
        _ => {
            (line_of_vector(name).unwrap_or_else(|| panic!("no line of /proc/interrupts is for {name}")), "")
        }
    };
    Some(((at, cpu), handler.to_string()))
}

/// A running irqlat, with the kernel's counters before and after its start.
pub struct Watched {
    tool: Tool,
    programs: Programs,
    outer: InterruptCounts,
    inner: InterruptCounts,
    per_cpu: bool,
    unobserved: Option<Tracer>,
    start: Instant,
}

/// The result.
pub struct IrqlatRun {
    /// The kernel's counts from before the tool's start until after its end.
    pub outer: InterruptCounts,
    /// The same while the tool certainly counted.
    pub inner: InterruptCounts,
    /// Its records.
    pub records: Vec<Value>,
    /// How many losses there are for what the kernel skipped of the tool's programs.
    left_out: RangeInclusive<u64>,
    per_cpu: bool,
    /// Interrupts that no BPF program could observe; see `tracer::threads_of_init`.
    unobserved: BTreeMap<Source, u64>,
    /// Time from before the tool's start until after its end, in microseconds.
    pub wall_us: f64,
}

impl Watched {
    /// Starts it, per processor or for all together.
    pub fn start(per_cpu: bool) -> Self {
        let unobserved = kernel::of_guest().is_none().then(trace_unobserved);
        let (start, outer) = (Instant::now(), InterruptCounts::now(per_cpu));
        let tool = Tool::start("irqlat", if per_cpu { &["0.2", "--per-cpu"] } else { &["0.2"] });
        let programs = Programs::of(tool.pid());
        Self { tool, programs, outer, inner: InterruptCounts::now(per_cpu), per_cpu, unobserved, start }
    }

    /// Stops it.
    pub fn end(self) -> IrqlatRun {
        let inner = InterruptCounts::now(self.per_cpu).since(&self.inner);
        let least = self.programs.left_out();
        let records = self.tool.interrupt().records;
        // What was skipped at an interrupt's end is counted again at the next beginning, which finds it open.
        let left_out = least..=2 * self.programs.left_out();
        let outer = InterruptCounts::now(self.per_cpu).since(&self.outer);
        let wall_us = self.start.elapsed().as_secs_f64() * 1e6;
        let unobserved = self.unobserved.map(|tracer| unobserved(&tracer, self.per_cpu)).unwrap_or_default();
        IrqlatRun { outer, inner, records, left_out, per_cpu: self.per_cpu, unobserved, wall_us }
    }
}

impl IrqlatRun {
    /// The number of calls reported for each handler: for a line all calls, one per interrupt.
    pub fn reported(&self) -> BTreeMap<Source, BTreeMap<String, u64>> {
        let mut reported: BTreeMap<Source, BTreeMap<String, u64>> = BTreeMap::new();
        for (record, (source, handler)) in
            self.records.iter().filter_map(|record| Some((record, source(record)?)))
        {
            let calls = count(record, "count") + record["unhandled"].as_u64().unwrap_or_default();
            *reported.entry(source).or_default().entry(handler).or_default() += calls;
        }
        reported
    }

    /// Asserts that each was reported as often as the kernel counted it: at least as often as while
    /// the tool certainly counted, and at most as often as from before its start until after its
    /// end; and that nothing is lost but what the kernel skipped.
    pub fn agrees(&self) {
        let reported = self.reported();
        let mut comparison = Comparison::of("irqlat", &[]);
        for (source, outer) in &self.outer.0 {
            let at = source.0.as_str();
            if at.parse::<u32>().is_err() && !SOFT.contains(&at) && !is_of_vector(at) {
                continue;
            }
            let inner = self.inner.0.get(source).copied().unwrap_or_default();
            let unobserved = self.unobserved.get(source).copied().unwrap_or_default();
            let none = BTreeMap::from([(String::new(), 0)]);
            for (handler, reported) in reported.get(source).unwrap_or(&none) {
                let name = format!("{source:?} {handler}");
                comparison = comparison.between(name, *reported, inner.saturating_sub(unobserved), *outer);
            }
        }
        let lost = sum(&self.records, "lost");
        // On most kernels none: there these programs are not preempted.
        assert!(self.left_out.contains(&lost), "{lost} lost, of skipped programs {:?}", self.left_out);
        comparison.lost(lost).equal_minus_lost();
        for source in reported.keys() {
            assert!(self.outer.0.contains_key(source), "{source:?} is not in the kernel's account");
        }
    }

    /// Asserts that each nanosecond of a processor was reported at most once: never more than the
    /// elapsed time.
    pub fn reports_no_time_twice(&self) {
        let all = if self.per_cpu { 1.0 } else { processors() as f64 };
        let cpus: BTreeSet<Option<u64>> = self.records.iter().map(|record| record["cpu"].as_u64()).collect();
        for cpu in cpus {
            assert_eq!(cpu.is_some(), self.per_cpu);
            let here = self.records.iter().filter(|record| record["cpu"].as_u64() == cpu);
            let reported: f64 = here.map(|record| number(record, "total_us")).sum();
            let wall = self.wall_us * all;
            assert!(
                reported > 0.0 && reported <= wall,
                "processor {cpu:?}: reported {reported} us of {wall} us"
            );
        }
    }

    /// The records of a kind and name.
    pub fn of(&self, kind: &str, name: &str) -> Vec<&Value> {
        self.records.iter().filter(|record| record["kind"] == kind && record["name"] == name).collect()
    }
}

/// The names in /proc/softirqs.
const SOFT: [&str; 10] =
    ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"];

/// Traces the interrupts that arrive while process 1 runs.
fn trace_unobserved() -> Tracer {
    let vectors = VECTORS.iter().map(|(vector, _)| format!("irq_vectors/{vector}_exit"));
    let all = ["irq/irq_handler_exit", "irq/softirq_exit"].map(String::from).into_iter().chain(vectors);
    let events: Vec<String> = all.filter(|event| tracer::exists(event)).collect();
    let threads: Vec<String> =
        tracer::threads_of_init().iter().map(|thread| format!("common_pid == {thread}")).collect();
    Tracer::start(&events.iter().map(String::as_str).collect::<Vec<_>>(), &threads.join(" || "))
}

fn unobserved(tracer: &Tracer, per_cpu: bool) -> BTreeMap<Source, u64> {
    let mut counts = BTreeMap::new();
    for event in tracer.text().lines().filter_map(tracer::event) {
        let vector = || {
            let name = event.name.strip_suffix("_exit")?;
            VECTORS.iter().find(|(vector, _)| *vector == name).map(|(_, at)| (*at).to_string())
        };
        // `irq=36 ret=handled`, `vec=3 [action=NET_RX]`.
        let named = match event.name {
            "irq_handler_exit" => {
                event.fields.strip_prefix("irq=").and_then(|rest| Some(rest.split(' ').next()?.to_string()))
            }
            "softirq_exit" => {
                event.fields.split_once("action=").map(|(_, name)| name.trim_end_matches(']').into())
            }
            _ => vector(),
        };
        let name: String = named.unwrap_or_else(|| panic!("odd event {event:?}"));
        *counts.entry((name, per_cpu.then_some(event.cpu))).or_default() += 1;
    }
    counts
}
