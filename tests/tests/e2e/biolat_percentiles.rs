//! biolat's percentiles against those of the same requests, traced and sorted.
#![allow(clippy::expect_used, reason = "tests")]

use serde_json::Value;
use tests::block_trace::{Collector, Request};
use tests::comparison::Comparison;
use tests::disk::Disk;
use tests::quantiles::{FIELDS, number, quantile, relative};
use tests::records::{count, of_disk, sum};
use tests::tool::Tool;
use tests::{can_run, fio, kernel, lock, timing};

/// The maximum difference of the two ends of an interval between two programs: each reads the clock
/// at its own time on the same tracepoint, 100 ns to 1 µs apart, and the tracer has whole
/// microseconds. Before Linux 6.5 the tracer shows when a request is asked for, and its own clock
/// is read a little later.
const CLOCKS_US: f64 = 2.0;
/// The same in a guest, whose emulated instructions take ten times as long.
const EMULATED_CLOCKS_US: f64 = 10.0;
/// A guest's processors stop now and then while the host runs other work, also between the two
/// clock readings. For this share of requests the times of the two programs may be unrelated.
const STOPPED: f64 = 0.01;
/// The total of such stops, in microseconds, by which a sum may differ. A guest with a quarter of a
/// processor is stopped for 15 of the 20 s that a test takes. Of the 5 s that it runs, 75 ms are
/// between the two clock readings of 5 000 requests, 15 us each: 225 ms of stops.
const STOOD_STILL_US: f64 = 250_000.0;
/// Latencies far above that: otherwise the tolerance would be that of the clock.
const LEAST_P50_US: f64 = 50.0;

/// The errors in a record's fields with this prefix, compared with the exact values, in
/// microseconds.
fn off(record: &Value, prefix: &str, mut exact: Vec<f64>, lost: u64) -> Vec<String> {
    exact.sort_by(f64::total_cmp);
    let field = format!("{prefix}count");
    let reported = count(record, &field);
    let comparison = Comparison::of("biolat", &[]).part(&record["op"]).lost(lost);
    comparison.field(field, reported, exact.len() as u64).equal_minus_lost();
    let mean = exact.iter().sum::<f64>() / exact.len() as f64;
    let (clocks, stopped) = match kernel::of_guest() {
        Some(_) => (EMULATED_CLOCKS_US, STOPPED),
        None => (CLOCKS_US, 0.0),
    };
    let stopped = stopped + (exact.len() as u64 - reported) as f64 / exact.len() as f64;
    let mut wrong = Vec::new();
    let mut compare = |field: &str, least: f64, most: f64| {
        let reported = number(record, &format!("{prefix}{field}"));
        if !(least - clocks..=most + clocks).contains(&reported) {
            wrong.push(format!("{prefix}{field}: reported {reported}, expected {least} to {most}"));
        }
    };
    for (field, at) in FIELDS {
        let least = quantile(&exact, (at - stopped).max(0.0)) * (1.0 - relative(field));
        let most = match at + stopped {
            beyond if beyond > 1.0 => f64::INFINITY,
            at => quantile(&exact, at) * (1.0 + relative(field)),
        };
        compare(field, least, most);
    }
    // The sum is exact: only the clock readings differ.
    let still = if stopped > 0.0 { STOOD_STILL_US / exact.len() as f64 } else { 0.0 };
    compare("mean_us", mean - still, mean + still);
    let p50 = quantile(&exact, 0.5);
    if p50 <= LEAST_P50_US {
        wrong.push(format!("{prefix}p50_us is {p50}: the workload is too fast to prove anything"));
    }
    wrong
}

#[test]
fn percentiles_are_those_of_the_sorted_latencies() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    timing::agrees(percentiles_off);
}

/// The errors in reported times, compared with those of each request.
fn percentiles_off() -> Vec<String> {
    let disk = Disk::slow();
    // More requests in flight than the driver takes, so that they wait in the queue. A newly
    // selected scheduler has room for twice as many as the driver, which older kernels do not
    // change later.
    disk.set("scheduler", "none");
    disk.set("scheduler", "mq-deadline");
    if kernel::of_guest().is_none() {
        disk.set("nr_requests", "256");
    }
    // The collector identifies requests by their first sector: this disk merges none.
    let collector = Collector::start(&disk.name);
    let tool = Tool::start("biolat", &["3600"]);
    fio::run(
        &disk.path(),
        &[
            "--rw=randrw",
            "--bs=4k",
            "--ioengine=libaio",
            "--iodepth=250",
            "--randseed=3",
            "--number_ios=10007",
        ],
    );
    let records = tool.interrupt().records;
    let requests = collector.end();
    // The first record of an interval has `lost` for all.
    let lost = sum(&records, "lost");
    let mut wrong = Vec::new();
    for op in ["read", "write"] {
        let found = of_disk(&records, &disk.name, op);
        let [record] = found[..] else { panic!("not one record of {op}: {found:?}") };
        let of: Vec<&Request> = requests.iter().filter(|request| request.op == op).collect();
        let shown: Vec<&Request> = of.iter().copied().filter(|request| !request.unobserved).collect();
        // A kernel that runs no programs for some requests runs none for any of these: see
        // tests::tracer.
        let of = if count(record, "count") == shown.len() as u64 { shown } else { of };
        let made = |request: &Request| request.made.expect("each was made").0;
        wrong.extend(off(record, "", of.iter().map(|r| (r.completed - r.issued) as f64).collect(), lost));
        wrong.extend(off(record, "queue_", of.iter().map(|r| (r.issued - made(r)) as f64).collect(), lost));
    }
    wrong
}

#[test]
fn buckets_add_up_and_lie_on_the_common_bounds() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let disk = Disk::over_file(16);
    let tool = Tool::start("biolat", &["0.2", "--buckets"]);
    fio::run(&disk.path(), &["--rw=randread", "--bs=4k", "--ioengine=psync", "--number_ios=1511"]);
    let records = tool.interrupt().records;
    let mut seen = 0;
    for record in &records {
        for (buckets, total) in [("buckets", "count"), ("queue_buckets", "queue_count")] {
            let pairs: Vec<(f64, u64)> = serde_json::from_value(record[buckets].clone()).expect("pairs");
            assert_eq!(pairs.iter().map(|(_, count)| count).sum::<u64>(), count(record, total), "{record}");
            assert!(pairs.iter().all(|(_, count)| *count > 0), "an empty bucket: {record}");
            assert!(pairs.is_sorted_by(|a, b| a.0 < b.0), "bounds rise: {record}");
            assert!(pairs.iter().all(|(upper, _)| on_the_grid(*upper)), "a bound off the grid: {record}");
            seen += pairs.len();
        }
    }
    assert!(seen > 0);
}

/// Sixteen bounds in each power of two of nanoseconds: at most five significant bits, from 16 up.
fn on_the_grid(upper_us: f64) -> bool {
    let ns = (upper_us * 1e3).round() as u64;
    let shift = ns.checked_ilog2().unwrap_or(0).saturating_sub(4);
    (upper_us * 1e3 - ns as f64).abs() < 1e-3 && ns >> shift << shift == ns
}
