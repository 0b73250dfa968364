//! irqlat with nested interrupts: long soft interrupts, interrupted by long timers.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::Range;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use tests::caller_timing::clocks_us;
use tests::comparison::Comparison;
use tests::quantiles::number;
use tests::records::{count, sum};
use tests::tool::Tool;
use tests::tracer::{self, Event, Tracer};
use tests::{can_run, kernel, lock, programs, timing};

/// The processor used.
const CPU: u32 = 1;

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
    for name in ["TIMER", "NET_RX", "SCHED", "RCU"] {
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

/// The errors in reported times of nested interrupts.
fn nested_off() -> Vec<String> {
    let [packet, timer] = lengths();
    let mut spin = Command::new(programs::built("spin"))
        .args([&CPU.to_string(), "2000", packet, timer])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut output = BufReader::new(spin.stdout.take().expect("piped"));
    output.read_line(&mut String::new()).expect("it prints ready");
    let traced = Tracer::start(&["irq/softirq_raise", "irq/softirq_entry"], "");
    let outer = boottime_us();
    let tool = Tool::start("irqlat", &["--per-cpu", "0.1"]);
    let inner = boottime_us();
    let begin = tool.until_interval_after(Timestamp::now());
    spin.stdin.take().expect("piped").write_all(b"\n").expect("it reads");
    let mut json = String::new();
    output.read_to_string(&mut json).expect("it prints its result");
    assert!(spin.wait().expect("it ends").success());
    let end = tool.until_interval_after(Timestamp::now());
    let inner = inner..boottime_us();
    let all = tool.interrupt().records;
    let (trace, outer) = (traced.text(), outer..boottime_us());
    let mut wrong = waits_off(&all, &trace, &inner, &outer);
    let records = &all[begin..end];
    let done: Value = serde_json::from_str(&json).expect("JSON");
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
    holds("all time of packets is reported", within >= us("packets_ns"));
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
