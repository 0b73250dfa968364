//! Calls as their callers timed them, beside the events that a tool tells of them.

use std::collections::BTreeMap;

use rustix::process::Signal;
use serde_json::Value;

use crate::kernel;
use crate::quantiles::{FIELDS, number, quantile, rank, relative};
use crate::records::{count, sum};
use crate::tool::{Ended, Tool};

/// For so long another may run between the two clocks of one call, in microseconds: a time slice.
pub const SLICE_US: f64 = 4_000.0;

/// What two programs on the same call may differ by, in microseconds: each reads the clock at its own moment, with the
/// other's work between.
pub fn clocks_us() -> f64 {
    // Emulated processors take some twenty times as long.
    if kernel::of_guest().is_some() { 100.0 } else { 5.0 }
}

/// The share of calls whose caller is let run on: of the two processors of a guest the reader of the events has one, and
/// both stand still while the machine below has other work.
pub fn undisturbed() -> f64 {
    if kernel::of_guest().is_some() { 0.5 } else { 0.9 }
}

/// Of so many operations the one program's time may be quite another than the other's: the processors of a guest stop now
/// and then, wherever they are, for as long as the machine below has other work, and with operations as short as opens
/// of cached files much of the time passes between the two clocks. On a busy machine three of 106 were seen.
pub fn stopped() -> f64 {
    if kernel::of_guest().is_some() { 0.05 } else { 0.0 }
}

/// What the caller's clock may tell beyond what is told, in microseconds: a system call, its tracing, of an open the
/// look-up of the path, and two looks at the clock.
pub fn way_us() -> f64 {
    if kernel::of_guest().is_some() { 500.0 } else { 25.0 }
}

/// The records of a tool, and what it lost.
pub type Reported = (Vec<Value>, u64);

/// Ends a tool that tells events: its records, and what it lost. It ends with status 1 if something was lost after the
/// last record.
pub fn reported_by(name: &str, tool: Tool) -> Reported {
    tool.signal(Signal::INT);
    let Ended { status, records, stderr } = tool.wait();
    let of_losses = |line: &str| line.split_once(&format!("{name}: "))?.1.split(' ').next()?.parse().ok();
    let late = stderr.lines().last().and_then(of_losses);
    assert_eq!(status.code(), Some(i32::from(late.is_some())), "{stderr}");
    let lost = sum(&records, "lost") + late.unwrap_or(0);
    (records, lost)
}

/// How long a call took, as its caller said, in microseconds.
pub fn took_us(said: &Value) -> f64 {
    count(said, "took_ns") as f64 / 1e3
}

/// What a caller said of each call that was told, beside the event, in the order of both; `same` says whether they are of
/// one call. None took longer than its caller saw. So many exits and entries were lost: of two calls in a row one may be
/// told, from the begin of the first to the end of the second, which nobody made.
pub fn pairs<'a>(
    said: &[&'a Value],
    told: &[&'a Value],
    lost: u64,
    same: impl Fn(&Value, &Value) -> bool,
) -> Vec<(&'a Value, &'a Value)> {
    let same = |said: &Value, told: &Value| same(said, told) && number(told, "duration_us") <= took_us(said);
    let mut rest = said.iter();
    let mut pairs = Vec::new();
    for told in told {
        let mut later = rest.clone();
        if let Some(said) = later.find(|said| same(said, told)) {
            pairs.push((*said, *told));
            rest = later;
        }
    }
    let strange = told.len() - pairs.len();
    let first = told.iter().find(|told| !pairs.iter().any(|(_, paired)| std::ptr::eq(*paired, **told)));
    assert!(
        2 * strange as u64 <= lost,
        "nobody made {strange}, {lost} lost, on {}: {first:?}",
        kernel::name()
    );
    pairs
}

/// The records of each thread.
pub fn by_thread(records: &[Value]) -> BTreeMap<u64, Vec<&Value>> {
    let mut threads: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    records.iter().for_each(|record| threads.entry(count(record, "tid")).or_default().push(record));
    threads
}

/// What is wrong if not of most calls the caller's own clock tells what is told. Between its two looks there is more than
/// the call: the way into the kernel and back, and where another was to run by then, that one's time, which nothing bounds.
pub fn durations_off(pairs: Vec<(&Value, &Value)>) -> Vec<String> {
    let over = |(said, told): (&Value, &Value)| took_us(said) - number(told, "duration_us");
    let mut over: Vec<f64> = pairs.into_iter().map(over).collect();
    over.sort_by(f64::total_cmp);
    let most = quantile(&over, undisturbed());
    if most <= way_us() { vec![] } else { vec![format!("the callers' clocks told {most} us more: {over:?}")] }
}

/// What is told wrong of an interval's times, beside the events of its calls and what their callers said; of this share of
/// the calls the two programs' times may be quite different.
pub fn interval_off(
    interval: &Value,
    events: &[&Value],
    said: &[&Value],
    stopped: f64,
    what: &str,
) -> Vec<String> {
    let sorted = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all
    };
    let exact = sorted(events.iter().map(|event| number(event, "duration_us")).collect());
    let taken = sorted(said.iter().map(|said| took_us(said)).collect());
    let mut wrong = Vec::new();
    for (field, at) in FIELDS {
        // What the caller measured holds all that any program can. From below, one call may have been interrupted
        // between the clocks of the two.
        let others = 1 + (stopped * exact.len() as f64).ceil() as usize;
        let least = rank(&exact, at).checked_sub(others).map_or(0.0, |rank| exact[rank]);
        let bounds =
            [least * (1.0 - relative(field)) - clocks_us(), quantile(&taken, at) * (1.0 + relative(field))];
        let told = number(interval, field);
        if !(bounds[0]..=bounds[1]).contains(&told) {
            wrong.push(format!("{what} {field}: {told} not in {bounds:?}"));
        }
    }
    // The sum is exact: only the clocks differ, but for what one call may have been interrupted.
    let (told, mean) = (number(interval, "mean_us"), exact.iter().sum::<f64>() / exact.len() as f64);
    if (told - mean).abs() > clocks_us() + SLICE_US / exact.len() as f64 + stopped * exact[exact.len() - 1] {
        wrong.push(format!("{what} mean_us: {told} for {mean}"));
    }
    wrong
}

/// What is wrong with what is told where only operations of so many microseconds are asked for, beside what is told of
/// all. Near the bound the two clocks may not agree, and one operation may have been interrupted between them.
pub fn slow_ones_off(all: &[Value], slow: &[Value], least_us: f64) -> Vec<String> {
    assert!(slow.iter().all(|event| number(event, "duration_us") >= least_us));
    let at_least = |bound: f64| all.iter().filter(|event| number(event, "duration_us") >= bound).count();
    let (fewest, most) = (at_least(least_us + clocks_us()), at_least(least_us - clocks_us()));
    if fewest == 0 || most == all.len() {
        return vec![format!("the workload proves nothing: {fewest} to {most} of {}", all.len())];
    }
    let told = slow.len();
    if (fewest..=most).contains(&told) { vec![] } else { vec![format!("{told} of {fewest} to {most}")] }
}
