//! Compares calls as timed by their callers with the events that a tool reports.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kernel;
use crate::quantiles::{FIELDS, number, quantile, rank, relative};
use crate::records::count;
use crate::tool::Tool;

/// A time slice, in microseconds: another task may run this long between the two clock readings of
/// a call.
pub const SLICE_US: f64 = 4_000.0;

/// The maximum difference between two programs on the same call, in microseconds: each reads the
/// clock at its own time, with the other's work between.
pub fn clocks_us() -> f64 {
    // Emulated processors take about twenty times as long.
    if kernel::of_guest().is_some() { 100.0 } else { 5.0 }
}

/// The share of calls whose caller is not preempted. In a guest, the reader of the events uses one
/// of the two processors, and both stop while the host runs other work.
pub fn undisturbed() -> f64 {
    if kernel::of_guest().is_some() { 0.5 } else { 0.9 }
}

/// The share of operations for which the times of the two programs may be unrelated. A guest's
/// processors stop now and then while the host runs other work, and for operations as short as
/// opens of cached files much of the time is between the two clock readings. On a busy machine this
/// happened to three of 106.
pub fn stopped() -> f64 {
    if kernel::of_guest().is_some() { 0.05 } else { 0.0 }
}

/// The maximum by which the caller's time exceeds the reported one, in microseconds: a system call,
/// its tracing, the path lookup of an open, and two clock readings.
pub fn way_us() -> f64 {
    if kernel::of_guest().is_some() { 500.0 } else { 25.0 }
}

/// The records of a tool, and the number of lost events.
pub type Reported = (Vec<Value>, u64);

/// Stops a tool that prints events; returns its records and the number of lost events.
pub fn reported_by(tool: Tool) -> Reported {
    let ended = tool.interrupt_despite_losses();
    let lost = ended.lost();
    (ended.records, lost)
}

/// The duration of a call by its caller's clock, in microseconds.
pub fn took_us(call: &Value) -> f64 {
    count(call, "took_ns") as f64 / 1e3
}

/// Pairs each reported event with the caller's line for the same call, in the order of both; `same`
/// compares them. No event may take longer than its call. If exits and entries were lost, one event
/// may span two calls in a row, from the entry of the first to the exit of the second; it matches
/// no call.
pub fn pairs<'a>(
    calls: &[&'a Value],
    reported: &[&'a Value],
    lost: u64,
    same: impl Fn(&Value, &Value) -> bool,
) -> Vec<(&'a Value, &'a Value)> {
    let same = &|call: &Value, reported: &Value| {
        same(call, reported) && number(reported, "duration_us") <= took_us(call)
    };
    let mut pairs = first_pairs(calls, reported, same);
    // An event that spans two calls may have been taken for one much later.
    if pairs.len() < reported.len() {
        pairs = most_pairs(calls, reported, same);
    }
    let strange = reported.len() - pairs.len();
    let first =
        reported.iter().find(|reported| !pairs.iter().any(|(_, paired)| std::ptr::eq(*paired, **reported)));
    assert!(
        2 * strange as u64 <= lost,
        "{strange} events match no call, {lost} lost, on {}; the first: {first:?}",
        kernel::name()
    );
    pairs
}

/// Asserts that events are in the order of their times, and each that of a call of its thread, see `pairs`, by this process
/// and command; returns those that are paired.
pub fn are_those_of<'a>(
    pid: u32,
    comm: &str,
    calls: &'a [Value],
    events: &'a [Value],
    lost: u64,
    same: impl Fn(&Value, &Value) -> bool,
) -> Vec<&'a Value> {
    let times: Vec<&str> = events.iter().map(|event| event["ts"].as_str().expect("text")).collect();
    assert!(times.is_sorted(), "a record's time is before its predecessor's");
    let (calls, events) = (by_thread(calls), by_thread(events));
    let paired = events.iter().flat_map(|(tid, events)| pairs(&calls[tid], events, lost, &same));
    let paired: Vec<_> = paired.map(|(_, event)| event).collect();
    for event in &paired {
        assert_eq!((count(event, "pid"), event["comm"].as_str()), (pid.into(), Some(comm)), "{event}");
    }
    paired
}

/// Each event with the first call after the one before.
fn first_pairs<'a>(
    calls: &[&'a Value],
    reported: &[&'a Value],
    same: impl Fn(&Value, &Value) -> bool,
) -> Vec<(&'a Value, &'a Value)> {
    let mut rest = calls.iter();
    let mut pairs = Vec::new();
    for reported in reported {
        let mut later = rest.clone();
        if let Some(call) = later.find(|call| same(call, reported)) {
            pairs.push((*call, *reported));
            rest = later;
        }
    }
    pairs
}

/// As many pairs as there can be, in the order of both.
fn most_pairs<'a>(
    calls: &[&'a Value],
    reported: &[&'a Value],
    same: impl Fn(&Value, &Value) -> bool,
) -> Vec<(&'a Value, &'a Value)> {
    let (rows, columns) = (calls.len(), reported.len());
    let matches: Vec<Vec<bool>> =
        calls.iter().map(|call| reported.iter().map(|reported| same(call, reported)).collect()).collect();
    // The number of pairs of what is left from each place on.
    let mut most = vec![vec![0_u32; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            let paired = most[row + 1][column + 1] + u32::from(matches[row][column]);
            most[row][column] = paired.max(most[row + 1][column]).max(most[row][column + 1]);
        }
    }
    let (mut row, mut column, mut pairs) = (0, 0, Vec::new());
    while row < rows && column < columns {
        if matches[row][column] && most[row][column] == most[row + 1][column + 1] + 1 {
            pairs.push((calls[row], reported[column]));
            (row, column) = (row + 1, column + 1);
        } else if most[row + 1][column] == most[row][column] {
            row += 1;
        } else {
            column += 1;
        }
    }
    pairs
}

/// The records of each thread.
fn by_thread(records: &[Value]) -> BTreeMap<u64, Vec<&Value>> {
    let mut threads: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    records.iter().for_each(|record| threads.entry(count(record, "tid")).or_default().push(record));
    threads
}

/// An error unless for most calls the duration by the caller's clock is near the reported one. The
/// caller's time also includes entering and leaving the kernel and, if another task was scheduled,
/// that task's time, which has no bound.
pub fn durations_off(pairs: Vec<(&Value, &Value)>) -> Vec<String> {
    let over = |(call, reported): (&Value, &Value)| took_us(call) - number(reported, "duration_us");
    let mut over: Vec<f64> = pairs.into_iter().map(over).collect();
    over.sort_by(f64::total_cmp);
    let most = quantile(&over, undisturbed());
    if most <= way_us() {
        vec![]
    } else {
        vec![format!("the callers measured {most} us more than reported: {over:?}")]
    }
}

/// The errors in an interval's times, compared with the events of its calls and the callers' times.
/// For this share of the calls the times may be unrelated.
pub fn interval_off(
    interval: &Value,
    events: &[&Value],
    calls: &[&Value],
    stopped: f64,
    what: &str,
) -> Vec<String> {
    let sorted = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all
    };
    let exact = sorted(events.iter().map(|event| number(event, "duration_us")).collect());
    let taken = sorted(calls.iter().map(|call| took_us(call)).collect());
    let mut wrong = Vec::new();
    for (field, at) in FIELDS {
        // The caller's time includes any program's time. For the lower limit, one call may have
        // been interrupted between the two clock readings.
        let others = 1 + (stopped * exact.len() as f64).ceil() as usize;
        let least = rank(&exact, at).checked_sub(others).map_or(0.0, |rank| exact[rank]);
        let bounds =
            [least * (1.0 - relative(field)) - clocks_us(), quantile(&taken, at) * (1.0 + relative(field))];
        let reported = number(interval, field);
        if !(bounds[0]..=bounds[1]).contains(&reported) {
            wrong.push(format!("{what} {field}: reported {reported}, expected {bounds:?}"));
        }
    }
    // The sum is exact: only the clock readings differ, and one call may have been interrupted.
    let (reported, mean) = (number(interval, "mean_us"), exact.iter().sum::<f64>() / exact.len() as f64);
    if (reported - mean).abs()
        > clocks_us() + SLICE_US / exact.len() as f64 + stopped * exact[exact.len() - 1]
    {
        wrong.push(format!("{what} mean_us: reported {reported}, expected {mean}"));
    }
    wrong
}

/// The errors in events with a minimum duration, compared with all events. Near the limit the two
/// clocks may disagree, and one operation may have been interrupted between them.
pub fn slow_ones_off(all: &[Value], slow: &[Value], least_us: f64) -> Vec<String> {
    assert!(slow.iter().all(|event| number(event, "duration_us") >= least_us));
    let at_least = |bound: f64| all.iter().filter(|event| number(event, "duration_us") >= bound).count();
    let (fewest, most) = (at_least(least_us + clocks_us()), at_least(least_us - clocks_us()));
    if fewest == 0 || most == all.len() {
        return vec![format!("the workload proves nothing: {fewest} to {most} of {}", all.len())];
    }
    let reported = slow.len();
    if (fewest..=most).contains(&reported) {
        vec![]
    } else {
        vec![format!("reported {reported} slow events, expected {fewest} to {most}")]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_that_spans_two_calls_takes_no_later_calls_away() {
        let calls: Vec<Value> = [5, 5, 5, 5, 20].iter().map(|us| json!({"took_ns": us * 1_000})).collect();
        let events: Vec<Value> = [10, 4, 4, 4].iter().map(|us| json!({"duration_us": us})).collect();
        let (calls, events): (Vec<_>, Vec<_>) = (calls.iter().collect(), events.iter().collect());
        // The first event spans two calls, which loses an exit and an entry.
        assert_eq!(pairs(&calls, &events, 2, |_, _| true).len(), 3);
    }
}
