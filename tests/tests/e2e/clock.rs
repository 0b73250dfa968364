//! A wall clock that is set while a tool runs. Only in guests: this machine's clock is not a test's to set.
#![allow(clippy::expect_used, reason = "tests")]

use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};
use serde_json::Value;
use tests::programs::{built, succeed};
use tests::tool::Tool;
use tests::{can_run, kernel};

const HOUR: i64 = 3_600;

/// The clock, put right again at the end.
struct Clock {
    ahead: i64,
}

impl Clock {
    /// Nothing where it must not be set.
    fn of_guest() -> Option<Self> {
        (can_run() && kernel::of_guest().is_some()).then_some(Self { ahead: 0 })
    }

    /// Sets it forward (back: negative).
    fn set_by(&mut self, seconds: i64) {
        let now = clock_gettime(ClockId::Realtime);
        let then = Timespec { tv_sec: now.tv_sec + seconds, ..now };
        clock_settime(ClockId::Realtime, then).expect("the clock of a guest");
        self.ahead += seconds;
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.set_by(-self.ahead);
    }
}

fn ts(record: &Value) -> Timestamp {
    record["ts"].as_str().and_then(|ts| ts.parse().ok()).expect("a time")
}

/// The step that a record tells of, in hours.
fn step(record: &Value) -> Option<f64> {
    record.get("clock_step_s").map(|step| step.as_f64().expect("a number") / HOUR as f64)
}

#[test]
fn a_step_is_reported_and_times_follow_it() {
    let Some(mut clock) = Clock::of_guest() else { return };
    let tool = Tool::start("proclife", &["0.1"]);
    tool.until_records(2);
    for (seen, hours) in [1, -2, 24, -23].into_iter().enumerate() {
        clock.set_by(hours * HOUR);
        let stepped = |records: &[Value]| records.iter().filter_map(step).count() > seen;
        let records = tool.until("a step", stepped);
        let at = records.iter().rposition(|record| step(record).is_some()).expect("the step");
        let told = step(&records[at]).expect("a step");
        assert!((told - hours as f64).abs() < 0.001, "{hours} hours: {}", records[at]);
        let moved = ts(&records[at]).duration_since(ts(&records[at - 1]));
        let off = moved - SignedDuration::from_hours(hours);
        assert!(off.abs() < SignedDuration::from_mins(2), "{} after {}", records[at], records[at - 1]);
        let now = Timestamp::now();
        let last = records.last().expect("a record");
        assert!(now.duration_since(ts(last)).abs() < SignedDuration::from_mins(2), "{last} at {now}");
        // What passed is what passed, whatever the clock says.
        assert!(records.iter().all(|record| record["interval_s"].as_f64().is_some_and(|s| s < 120.0)));
    }
    let ended = tool.interrupt();
    let notes = ended.stderr.matches("note: the wall clock was set ").count();
    assert_eq!(notes, 4, "{}", ended.stderr);
}

#[test]
fn events_right_after_a_step_have_the_new_time() {
    let Some(mut clock) = Clock::of_guest() else { return };
    let tool = Tool::start("proclife", &["--events"]);
    for (round, hours) in [1, -1, -1].into_iter().enumerate() {
        clock.set_by(hours * HOUR);
        let name = format!("step{round}");
        let before = Timestamp::now();
        succeed("sh", &["-c", &format!("exec sh -c : {name}")]);
        let after = Timestamp::now();
        let is_it = |record: &Value| {
            record["event"] == "exec" && record["argv"].as_str().is_some_and(|argv| argv.ends_with(&name))
        };
        let records = tool.until("the program", |records| records.iter().any(is_it));
        let at = ts(records.iter().find(|record| is_it(record)).expect("the program"));
        // The two clocks are read one after the other, perhaps with a pause of the processor between.
        let slack = SignedDuration::from_secs(1);
        assert!(before - slack <= at && at <= after + slack, "{at}, not from {before} to {after}");
    }
    tool.interrupt();
}

#[test]
fn windows_follow_a_clock_that_is_set_back() {
    let Some(mut clock) = Clock::of_guest() else { return };
    let tool = built("proclife");
    let mut mux = Command::new(built("ebpfmux"));
    mux.args(["--window", "2", "--run", &format!("{} 0.2", tool.display())]);
    let mux = Tool::spawn(&mut mux);
    mux.until_records(2);
    clock.set_by(-HOUR);
    let now = Timestamp::now();
    // Windows of the new time, each of more than one record.
    let is_whole = |record: &Value| record["interval_s"].as_f64().is_some_and(|s| s > 1.0);
    let new = |record: &&Value| ts(record).duration_since(now).abs() < SignedDuration::from_mins(30);
    mux.until("windows", |records| records.iter().filter(new).filter(|record| is_whole(record)).count() >= 2);
    mux.interrupt();
}
