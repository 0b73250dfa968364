//! irqlat with nested interrupts: long soft interrupts, interrupted by long timers, and on real-time
//! kernels preempted by tasks that serve others.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::Range;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use tests::caller_timing::clocks_us;
use tests::comparison::Comparison;
use tests::interrupts::{Watched, pin};
use tests::quantiles::number;
use tests::records::{count, sum};
use tests::tool::Tool;
use tests::tracer::{self, Event, Tracer};
use tests::{can_run, kernel, lock, programs, timing};

/// The processor used.
const CPU: u32 = 1;
/// The number of packets that a task of ordinary priority receives.
const PACKETS: u64 = 503;

/// The time of a packet and of a timer within it, in nanoseconds. Emulated processors take about
/// ten times as long for everything else, which must stay small in comparison.
fn lengths() -> [&'static str; 2] {
    if kernel::of_guest().is_some() { ["3000000", "2000000"] } else { ["300000", "1000000"] }
}

/// The length of the records' intervals, in microseconds.
fn window_us(records: &[Value]) -> f64 {
    let intervals: BTreeMap<&str, f64> = records
        .iter()
        .filter_map(|record| Some((record["ts"].as_str()?, number(record, "interval_s"))))
        .collect();
    intervals.values().sum::<f64>() * 1e6
}

fn boottime_us() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000
}

/// The raises and entries of soft interrupts of one kind on the processor. Those that arrive while
/// process 1 runs are left out where no BPF program observes them.
fn soft_interrupts<'a>(trace: &'a str, name: &str) -> impl Iterator<Item = Event<'a>> {
    let unseen = if kernel::of_guest().is_some() { HashSet::new() } else { tracer::threads_of_init() };
    let action = format!("[action={name}]");
    trace.lines().filter_map(tracer::event).filter(move |event| {
        event.cpu == CPU && event.fields.ends_with(&action) && !event.is_unobserved(&unseen)
    })
}

/// The first raise of each, and its entry.
fn waits(trace: &str, name: &str) -> Vec<Range<u64>> {
    let mut raised = None;
    let mut waits = Vec::new();
    for event in soft_interrupts(trace, name) {
        match event.name {
            "softirq_raise" => raised = raised.or(Some(event.at)),
            _ => waits.extend(raised.take().map(|raised| raised..event.at)),
        }
    }
    waits
}

/// The number of entries within a span.
fn entries(trace: &str, name: &str, span: &Range<u64>) -> u64 {
    let entries = soft_interrupts(trace, name).filter(|event| event.name == "softirq_entry");
    entries.filter(|event| span.contains(&event.at)).count() as u64
}

/// Asserts that the number of reported waits matches the kernel's tracer: at least those that were
/// certainly observed, at most those while the tool ran. Returns the errors in their durations.
fn waits_off(records: &[Value], trace: &str, inner: &Range<u64>, outer: &Range<u64>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut comparison = Comparison::of("irqlat", &["--per-cpu"]).lost(sum(records.iter(), "lost"));
    // Of real-time kernels threads do RCU's work.
    let rcu = fs::read_to_string("/sys/module/rcutree/parameters/use_softirq");
    let rcu = rcu.is_ok_and(|used| ["Y", "1"].contains(&used.trim())).then_some("RCU");
    for name in ["TIMER", "NET_RX", "SCHED"].into_iter().chain(rcu) {
        let of = records.iter().filter(|record| record["name"] == name && record["cpu"] == CPU);
        let reported = of.clone().map(|record| count(record, "wait_count")).sum::<u64>();
        let reported_us: f64 = of
            .filter(|record| count(record, "wait_count") > 0)
            .map(|record| number(record, "wait_mean_us") * count(record, "wait_count") as f64)
            .sum();
        let traced = waits(trace, name);
        let within = |span: &Range<u64>| -> (u64, f64) {
            let waits = traced.iter().filter(|wait| span.contains(&wait.start) && span.contains(&wait.end));
            (waits.clone().count() as u64, waits.map(|wait| (wait.end - wait.start) as f64).sum())
        };
        let ((least, least_us), (most, most_us)) = (within(inner), within(outer));
        let what = format!(
            "{name}: reported {reported}, {reported_us} us; traced {least} to {most}, {least_us} to {most_us} us"
        );
        assert!(least > 0, "{what}");
        comparison = comparison.between(format!("waits of {name}"), reported, least, most);
        // Both read the clock at each end, one after the other; the tracer has whole microseconds.
        // An emulated processor may stop between the two for longer than all waits together, so in
        // a guest only the counts are compared.
        if kernel::of_guest().is_some() {
            // Not println: the test harness captures it.
            writeln!(std::io::stderr(), "{what}").expect("stderr takes a line");
        } else {
            let clocks = (clocks_us() + 1.0) * most as f64;
            if !(least_us - clocks..=most_us + clocks).contains(&reported_us) {
                wrong.push(what);
            }
        }
    }
    comparison.equal();
    wrong
}

#[test]
fn what_interrupts_a_handler_is_not_its_own_time() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    timing::agrees(nested_off);
}

/// The workload, ready to begin.
struct Spin {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Spin {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(programs::built("spin"))
            .arg(CPU.to_string())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut output = BufReader::new(process.stdout.take().expect("piped"));
        output.read_line(&mut String::new()).expect("it prints ready");
        Self { process, output }
    }

    /// Runs it; returns its result.
    fn run(mut self) -> Value {
        self.process.stdin.take().expect("piped").write_all(b"\n").expect("it reads");
        let mut json = String::new();
        self.output.read_to_string(&mut json).expect("it prints its result");
        assert!(self.process.wait().expect("it ends").success());
        serde_json::from_str(&json).expect("JSON")
    }
}

/// The errors in reported times of nested interrupts.
fn nested_off() -> Vec<String> {
    let [packet, timer] = lengths();
    let spin = Spin::start(&["2000", packet, timer]);
    let traced = Tracer::start(&["irq/softirq_raise", "irq/softirq_entry"], "");
    let outer = boottime_us();
    let tool = Tool::start("irqlat", &["--per-cpu", "0.1"]);
    let inner = boottime_us();
    let begin = tool.until_interval_after(Timestamp::now());
    let done = spin.run();
    let end = tool.until_interval_after(Timestamp::now());
    let inner = inner..boottime_us();
    let all = tool.interrupt().records;
    let (trace, outer) = (traced.text(), outer..boottime_us());
    let mut wrong = waits_off(&all, &trace, &inner, &outer);
    let records = &all[begin..end];
    let us = |field: &str| count(&done, field) as f64 / 1e3;

    let here: Vec<&Value> = records.iter().filter(|record| record["cpu"] == CPU).collect();
    let total = |kind: &str, name: Option<&str>| -> f64 {
        let of = here
            .iter()
            .filter(|record| record["kind"] == kind && name.is_none_or(|name| record["name"] == name));
        of.map(|record| number(record, "total_us")).sum()
    };
    let window = window_us(records);
    let totals = format!(
        "{done}, in {window} us: hard {}, soft {}, vector {}",
        total("hard", None),
        total("soft", None),
        total("vector", None)
    );
    let mut holds = |what: &str, holds: bool| {
        if !holds {
            wrong.push(format!("{what}: {totals}"));
        }
    };
    // Otherwise counting the same time twice would not be noticed.
    holds("interrupts for more than the window", us("packets_ns") + us("timers_ns") > window);
    // Each nanosecond is reported at most once. The work's time is within the intervals; the rest
    // of them is idle.
    holds(
        "no time is reported twice",
        total("hard", None) + total("soft", None) + total("vector", None) <= window,
    );
    // All time within packets is reported, for NET_RX or for what interrupted it.
    let within = total("soft", Some("NET_RX")) + total("vector", None) + total("hard", None);
    holds("all time of packets is reported", within >= us("packets_ns") - us("paused_ns"));
    holds("all time of timers is reported", total("vector", Some("local_timer")) >= us("timers_ns"));
    // One run may handle several packets if the sender had to wait.
    let runs = all.iter().filter(|record| record["name"] == "NET_RX" && record["cpu"] == CPU);
    let traced = |span: &Range<u64>| entries(&trace, "NET_RX", span);
    let lost = sum(&all, "lost");
    let comparison = Comparison::of("irqlat", &["--per-cpu"]).part("NET_RX").lost(lost);
    comparison.between("count", sum(runs, "count"), traced(&inner), traced(&outer)).equal();
    assert!(lost == 0 || kernel::preempts_programs(), "{lost} lost");
    wrong
}

/// The soft interrupts that a processor began to serve while another task there was serving one, by the kernel's tracer.
fn begun_within_others(trace: &str) -> usize {
    let mut serving: BTreeMap<u32, HashSet<u32>> = BTreeMap::new();
    let mut within = 0;
    for event in trace.lines().filter_map(tracer::event) {
        let here = serving.entry(event.cpu).or_default();
        if event.name == "softirq_exit" {
            here.remove(&event.thread);
        } else {
            within += usize::from(!here.is_empty());
            here.insert(event.thread);
        }
    }
    within
}

/// A task receives packets, each for long; the naps of another end meanwhile, by soft interrupts in
/// a third task (`ktimers`).
#[test]
fn tasks_that_preempt_each_other_lose_no_soft_interrupt() {
    if !can_run() || !kernel::is_real_time() {
        return;
    }
    let _machine = lock::machine();
    let spin = Spin::start(&["0", lengths()[0], "0", &PACKETS.to_string()]);
    let traced = Tracer::start(&["irq/softirq_entry", "irq/softirq_exit"], "");
    let watched = Watched::start(true);
    let over = AtomicBool::new(false);
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(CPU);
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let done = spin.run();
        over.store(true, Ordering::Relaxed);
        done
    });
    let measured = watched.end();
    let within = begun_within_others(&traced.text());
    let of = |name: &str| -> Vec<&Value> {
        measured.of("soft", name).into_iter().filter(|record| record["cpu"] == CPU).collect()
    };
    let counts = ["NET_RX", "HRTIMER", "TIMER"].map(|name| sum(of(name), "count"));
    let lost = sum(&measured.records, "lost");
    // Not println: the test harness captures it.
    writeln!(
        std::io::stderr(),
        "NET_RX, HRTIMER, TIMER: {counts:?}; begun within others: {within}; lost {lost}; {done}"
    )
    .expect("stderr takes a line");
    measured.agrees();
    assert_eq!(count(&done, "packets"), PACKETS);
    assert!(counts[0] + lost >= PACKETS, "each packet has a run of its own: {counts:?}");
    // Before 6.18 only one task of a processor serves soft interrupts at a time.
    assert!(within > 100 || kernel::of_guest().as_deref() != Some("rt"), "{within} begun within others");
    // What a task did not do is not in the time of what it served.
    let time: f64 = of("NET_RX").iter().map(|record| number(record, "total_us")).sum();
    let packets = count(&done, "packets_ns") as f64 / 1e3;
    let paused = count(&done, "paused_ns") as f64 / 1e3;
    assert!(paused > 0.0 && time < packets, "NET_RX {time} us, packets {packets} us, paused {paused} us");
    measured.reports_no_time_twice();
}
