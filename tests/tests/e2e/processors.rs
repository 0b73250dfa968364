//! Processors that are taken offline while a tool runs. Only in guests: this machine's are not a test's to take.
#![allow(clippy::expect_used, reason = "tests")]

use std::fs;

use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::records::sum;
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, kernel};

const FORKS: u64 = 101;

/// The second processor, online again at the end.
struct Second;

impl Second {
    fn set(online: bool) {
        fs::write("/sys/devices/system/cpu/cpu1/online", if online { "1" } else { "0" })
            .expect("the second processor of a guest");
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        Self::set(true);
    }
}

/// What a processor counted before it went stays counted, and what it counts when it is back.
#[test]
fn a_processor_that_goes_takes_no_counts_along() {
    if !can_run() || kernel::of_guest().is_none() {
        return;
    }
    let cgroup = Cgroup::new();
    let tool = Tool::start("proclife", &["-q", "--cgroup", cgroup.path(), "0.1"]);
    let second = Second;
    for online in [true, false, true] {
        Second::set(online);
        let count = tool.until_records(1).len();
        Workload::run(&["processes", "--forks", &FORKS.to_string(), "--cgroup", cgroup.path()]);
        // An interval ends with the processor as it is now.
        tool.until("an interval", |records| records.len() > count + 1);
    }
    drop(second);
    let records = tool.interrupt().records;
    let comparison = Comparison::of("proclife", &[]).part("over all").lost(sum(&records, "lost"));
    comparison.field("forks", sum(&records, "forks"), 3 * FORKS).equal();
}
