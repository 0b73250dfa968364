//! irqlat where interrupts come within others: soft interrupts that last, and timers that interrupt them for long.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use serde_json::Value;
use tests::quantiles::number;
use tests::records::{count, sum};
use tests::tool::Tool;
use tests::{can_run, kernel, lock, programs};

/// Where it happens.
const CPU: &str = "1";

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

#[test]
fn what_interrupts_a_handler_is_not_its_own_time() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let [packet, timer] = lengths();
    let mut spin = Command::new(programs::built("spin"))
        .args([CPU, "4000", packet, timer])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut output = BufReader::new(spin.stdout.take().expect("piped"));
    output.read_line(&mut String::new()).expect("it says that it is ready");
    let tool = Tool::start("irqlat", &["--per-cpu", "0.1"]);
    let begin = tool.until_interval_after(Timestamp::now());
    spin.stdin.take().expect("piped").write_all(b"\n").expect("it reads");
    let mut said = String::new();
    output.read_to_string(&mut said).expect("it says what came of it");
    assert!(spin.wait().expect("it ends").success());
    let end = tool.until_interval_after(Timestamp::now());
    let records = tool.interrupt().records;
    let records = &records[begin..end];
    let done: Value = serde_json::from_str(&said).expect("JSON");
    let us = |field: &str| count(&done, field) as f64 / 1e3;

    let here: Vec<&Value> = records.iter().filter(|record| record["cpu"] == 1).collect();
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
    // Else a tool that counts the same time twice would not be found out.
    assert!(us("packets_ns") + us("timers_ns") > window, "too little of it: {told}");
    // Each nanosecond is told once at most. The work's time lies within the intervals, and the rest of them is idle.
    assert!(total("hard", None) + total("soft", None) + total("vector", None) <= window, "{told}");
    // And all that passed within packets is told: by NET_RX or by what interrupted it.
    let within = total("soft", Some("NET_RX")) + total("vector", None) + total("hard", None);
    assert!(within >= us("packets_ns"), "{told}");
    assert!(total("vector", Some("local_timer")) >= us("timers_ns"), "{told}");
    let runs = here.iter().filter(|record| record["name"] == "NET_RX").copied();
    assert!(sum(runs, "count") >= count(&done, "packets"), "{told}");
    assert_eq!(sum(records, "lost"), 0);
}
