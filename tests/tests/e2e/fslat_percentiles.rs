//! fslat's latencies of a disk against the clock of the program that read and wrote: each percentile.
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

/// Of each so many, odd numbers.
const READS: usize = 1_009;
const WRITES: usize = 503;
/// So large that a call is slow beside what it costs by itself.
const BYTES: &str = "262144";

#[test]
fn percentiles_are_those_that_the_caller_measured() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    timing::agrees(percentiles_off);
}

/// What is told wrong of times, beside the caller's.
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
    let said = Workload::run(&[&work[..], &["--timed", "--join", cgroup.path()]].concat());
    let records = tool.interrupt().records;
    let taken = |op: &str| {
        let mut taken: Vec<f64> = with(&said, "op", op).into_iter().map(took_us).collect();
        taken.sort_by(f64::total_cmp);
        taken
    };
    // The call itself: of one that does nothing, of which one in a hundred is interrupted, of a guest's one in ten; and the
    // tool's programs, which are no longer than that.
    let undisturbed = if kernel::of_guest().is_some() { 0.9 } else { 0.99 };
    let call = 2.0 * quantile(&taken("nothing"), undisturbed);
    let mut wrong = Vec::new();
    for (op, times) in [("read", READS), ("write", WRITES)] {
        let found = with(&records, "op", op);
        let [record] = found[..] else { panic!("not one record of {op}: {records:?}") };
        let exact = taken(op);
        let (told, lost) = (count(record, "count"), sum(&records, "lost"));
        assert_eq!(exact.len(), times, "{op}");
        let comparison = Comparison::of("fslat", &options[..4]).part(op);
        comparison.field("count", told, times as u64).lost(lost).equal();
        // Any of them.
        let missing = times - told as usize;
        // One call may have been interrupted between the clocks of the two.
        let others = 1 + (stopped() * times as f64).ceil() as usize + missing;
        let mut compare = |field: &str, least: f64, most: f64| {
            let told = number(record, field);
            if !(least..=most).contains(&told) {
                wrong.push(format!("{op} {field}: {told} not in {least}..={most}, a call {call}"));
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
        compare("mean_us", mean - call - interrupted - without, mean * times as f64 / told as f64);
        let p50 = quantile(&exact, 0.5);
        // Else the bound would be the call's.
        if p50 <= 4.0 * call {
            wrong.push(format!("{op}: {p50} us is too fast to prove anything: {call} us a call"));
        }
    }
    wrong
}
