//! fslat's percentiles on a disk against the clock of the program that reads and writes.
#![allow(clippy::expect_used, reason = "tests")]

use tests::caller_timing::{SLICE_US, stopped, took_us};
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::disk::Disk;
use tests::formatted::Formatted;
use tests::quantiles::{FIELDS, number, quantile, rank, relative};
use tests::records::{count, sum, with};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, kernel, lock, timing};

/// The number of each operation; odd numbers.
const READS: usize = 1_009;
const WRITES: usize = 503;
/// So large that a call is slow compared to its own overhead.
const BYTES: &str = "262144";

#[test]
fn percentiles_are_those_that_the_caller_measured() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    timing::agrees(percentiles_off);
}

/// The errors in reported times, compared with the caller's.
fn percentiles_off() -> Vec<String> {
    let formatted = Formatted::on(Disk::over_file(64), "ext4");
    let file = formatted.join("file");
    let file = file.to_str().expect("UTF-8");
    std::fs::write(file, vec![7; 8 << 20]).expect("a file");
    let cgroup = Cgroup::new();
    let options = ["--fs", "ext4", "--op", "read,write", "-q", "--cgroup", cgroup.path(), "600"];
    let tool = Tool::start("fslat", &options);
    let (reads, writes) = (READS.to_string(), WRITES.to_string());
    let work = ["io", "--file", file, "--bytes", BYTES, "--reads", &reads, "--writes", &writes];
    let performed = Workload::run(&[&work[..], &["--timed", "--join", cgroup.path()]].concat());
    let records = tool.interrupt().records;
    let taken = |op: &str| {
        let mut taken: Vec<f64> = with(&performed, "op", op).into_iter().map(took_us).collect();
        taken.sort_by(f64::total_cmp);
        taken
    };
    // The overhead of the call: that of an empty call, of which one in a hundred (in a guest one in
    // ten) is interrupted; and the tool's programs, which take no longer.
    let undisturbed = if kernel::of_guest().is_some() { 0.9 } else { 0.99 };
    let call = 2.0 * quantile(&taken("nothing"), undisturbed);
    let mut wrong = Vec::new();
    for (op, times) in [("read", READS), ("write", WRITES)] {
        let found = with(&records, "op", op);
        let [record] = found[..] else { panic!("not one record of {op}: {records:?}") };
        let exact = taken(op);
        let (reported, lost) = (count(record, "count"), sum(&records, "lost"));
        assert_eq!(exact.len(), times, "{op}");
        let comparison = Comparison::of("fslat", &options[..4]).part(op);
        comparison.field("count", reported, times as u64).lost(lost).equal();
        // Any of them may be missing.
        let missing = times - reported as usize;
        // One call may have been interrupted between the two clock readings.
        let others = 1 + (stopped() * times as f64).ceil() as usize + missing;
        let mut compare = |field: &str, least: f64, most: f64| {
            let reported = number(record, field);
            if !(least..=most).contains(&reported) {
                wrong.push(format!(
                    "{op} {field}: reported {reported}, expected {least} to {most}; a call takes {call}"
                ));
            }
        };
        for (field, at) in FIELDS {
            let least = exact[rank(&exact, at).saturating_sub(others)];
            let most = exact[(rank(&exact, at) + missing).min(times - 1)];
            compare(field, least * (1.0 - relative(field)) - call, most * (1.0 + relative(field)));
        }
        // The sum is exact.
        let mean = exact.iter().sum::<f64>() / times as f64;
        let longest = exact[times - 1];
        let interrupted = SLICE_US / times as f64 + stopped() * longest;
        let without = missing as f64 / times as f64 * longest;
        compare("mean_us", mean - call - interrupted - without, mean * times as f64 / reported as f64);
        let p50 = quantile(&exact, 0.5);
        // Otherwise the tolerance would be that of the call.
        if p50 <= 4.0 * call {
            wrong.push(format!("{op}: {p50} us is too fast to prove anything: {call} us a call"));
        }
    }
    wrong
}
