//! What the kernel skips: it runs no program within itself.

use std::io::Write;

use tests::bpf::Programs;
use tests::comparison::Comparison;
use tests::observed::Traced;
use tests::records::sum;
use tests::{can_run, kernel, lock};

use super::{connect, free_port, watch};

/// Tests the documented bound. A process changes the state of its own connection while packets of others may come: an
/// interrupt that handles some of them then would run the same program within itself. Kernels from 6.1 on skip and count such
/// a run (`recursion_misses`).
#[test]
fn skipped_runs_are_lost_and_no_more_is() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let times: u64 = if kernel::of_guest().is_some() { 3_001 } else { 10_007 };
    let port = free_port();
    let tool = watch(&["--port", &port, "0.2"]);
    let programs = Programs::of(tool.pid());
    let traced = Traced::states_of(&port);
    connect(&["--how", "storm", "--port", &port, "--backlog", "4096", "--times", &times.to_string()]);
    let unobserved = traced.unobserved();
    tool.until("all to be counted", |records| {
        sum(records, "closed") + sum(records, "lost") + unobserved >= 2 * times
    });
    let least = programs.left_out();
    let records = tool.interrupt().records;
    let by_name = programs.left_out_by_name();
    // Not println: the test harness captures it.
    writeln!(std::io::stderr(), "{}: skipped of {times} connections: {by_name:?}", kernel::name())
        .expect("stderr takes a line");
    let (closed, lost) = (sum(&records, "closed"), sum(&records, "lost"));
    Comparison::of("tcplife", &["0.2"])
        .part(format!("{by_name:?}, {unobserved} unobserved"))
        .between("lost", lost, least, by_name.values().sum())
        .between("closed", closed, (2 * times).saturating_sub(lost + unobserved), 2 * times)
        .equal();
    // Tasks accept, and no interrupt does.
    if !kernel::preempts_programs() {
        let in_tasks: u64 = by_name.iter().filter(|(name, _)| *name != "on_state").map(|(_, n)| n).sum();
        assert_eq!(in_tasks, 0, "{by_name:?}");
    }
}
