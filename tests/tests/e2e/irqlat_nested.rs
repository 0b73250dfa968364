//! irqlat where interrupts come within others: soft interrupts that last, and timers that interrupt them for long.
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

/// Where it happens.
const CPU: u32 = 1;

/// How long a packet and a timer within it take, in nanoseconds: emulated processors take some ten times as long for all
/// else, and that must be little.
fn lengths() -> [&'static str; 2] {
    if kernel::of_guest().is_some() { ["3000000", "2000000"] } else { ["300000", "1000000"] }
}

/// The length of the intervals that records are of, in microseconds.
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

/// The raises and entries of soft interrupts of a kind on the processor. What interrupts process 1 is left out where no BPF
/// program sees it.
fn soft_interrupts<'a>(trace: &'a str, name: &str) -> impl Iterator<Item = Event<'a>> {
    let unseen = if kernel::of_guest().is_some() { HashSet::new() } else { tracer::threads_of_init() };
    let action = format!("[action={name}]");
    trace.lines().filter_map(tracer::event).filter(move |event| {
        event.cpu == CPU && event.fields.ends_with(&action) && !event.is_unobserved(&unseen)
    })
}

/// When each was raised, the first time if several, and entered.
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

/// How often one was entered within a time.
fn entries(trace: &str, name: &str, span: &Range<u64>) -> u64 {
    let entries = soft_interrupts(trace, name).filter(|event| event.name == "softirq_entry");
    entries.filter(|event| span.contains(&event.at)).count() as u64
}

/// Asserts that as many waits are told as the kernel's own tracer tells: those that surely were seen at the least, and at
/// the most those that were while the tool ran. What is told wrong of their lengths.
fn waits_off(records: &[Value], trace: &str, inner: &Range<u64>, outer: &Range<u64>) -> Vec<String> {
    let mut wrong = Vec::new();
    for name in ["TIMER", "NET_RX", "SCHED", "RCU"] {
        let of = records.iter().filter(|record| record["name"] == name && record["cpu"] == CPU);
        let told = of.clone().map(|record| count(record, "wait_count")).sum::<u64>();
        let told_us: f64 = of
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
            "{name}: told {told}, {told_us} us; traced {least} to {most}, {least_us} to {most_us} us"
        );
        assert!(least > 0 && (least..=most).contains(&told), "{what}");
        // Both read the clock at each end, one after the other; the tracer in whole microseconds. An emulated processor
        // may stand still between the two, for longer than all waits together: there only the counts can be compared.
        if kernel::of_guest().is_some() {
            // Not by println, which the test harness keeps to itself.
            writeln!(std::io::stderr(), "{what}").expect("stderr takes a line");
        } else {
            let clocks = (clocks_us() + 1.0) * most as f64;
            if !(least_us - clocks..=most_us + clocks).contains(&told_us) {
                wrong.push(what);
            }
        }
    }
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

/// What is told wrong of times where interrupts come within others.
fn nested_off() -> Vec<String> {
    let [packet, timer] = lengths();
    let mut spin = Command::new(programs::built("spin"))
        .args([&CPU.to_string(), "2000", packet, timer])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut output = BufReader::new(spin.stdout.take().expect("piped"));
    output.read_line(&mut String::new()).expect("it says that it is ready");
    let traced = Tracer::start(&["irq/softirq_raise", "irq/softirq_entry"], "");
    let outer = boottime_us();
    let tool = Tool::start("irqlat", &["--per-cpu", "0.1"]);
    let inner = boottime_us();
    let begin = tool.until_interval_after(Timestamp::now());
    spin.stdin.take().expect("piped").write_all(b"\n").expect("it reads");
    let mut said = String::new();
    output.read_to_string(&mut said).expect("it says what came of it");
    assert!(spin.wait().expect("it ends").success());
    let end = tool.until_interval_after(Timestamp::now());
    let inner = inner..boottime_us();
    let all = tool.interrupt().records;
    let (trace, outer) = (traced.text(), outer..boottime_us());
    let mut wrong = waits_off(&all, &trace, &inner, &outer);
    let records = &all[begin..end];
    let done: Value = serde_json::from_str(&said).expect("JSON");
    let us = |field: &str| count(&done, field) as f64 / 1e3;

    let here: Vec<&Value> = records.iter().filter(|record| record["cpu"] == CPU).collect();
    let total = |kind: &str, name: Option<&str>| -> f64 {
        let of = here
            .iter()
            .filter(|record| record["kind"] == kind && name.is_none_or(|name| record["name"] == name));
        of.map(|record| number(record, "total_us")).sum()
    };
    let window = window_us(records);
    let told = format!(
        "{done}, in {window} us: hard {}, soft {}, vector {}",
        total("hard", None),
        total("soft", None),
        total("vector", None)
    );
    let mut holds = |what: &str, holds: bool| {
        if !holds {
            wrong.push(format!("{what}: {told}"));
        }
    };
    // Else a tool that counts the same time twice would not be found out.
    holds("enough of it", us("packets_ns") + us("timers_ns") > window);
    // Each nanosecond is told once at most. The work's time lies within the intervals, and the rest of them is idle.
    holds("told once", total("hard", None) + total("soft", None) + total("vector", None) <= window);
    // And all that passed within packets is told: by NET_RX or by what interrupted it.
    let within = total("soft", Some("NET_RX")) + total("vector", None) + total("hard", None);
    holds("packets", within >= us("packets_ns"));
    holds("timers", total("vector", Some("local_timer")) >= us("timers_ns"));
    // Several packets may come in one run, where what sends them had to wait.
    let runs = all.iter().filter(|record| record["name"] == "NET_RX" && record["cpu"] == CPU);
    let traced = |span: &Range<u64>| entries(&trace, "NET_RX", span);
    let comparison = Comparison::of("irqlat", &["--per-cpu"]).part("NET_RX");
    comparison.between("count", sum(runs, "count"), traced(&inner), traced(&outer)).equal();
    assert_eq!(sum(records, "lost"), 0);
    wrong
}
