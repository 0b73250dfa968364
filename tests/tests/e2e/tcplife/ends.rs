//! The ends of connections that the tool reports, and those that are known.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::bpf::Programs;
use tests::caller_timing::reported_by;
use tests::comparison::Comparison;
use tests::kernel;
use tests::records::sum;
use tests::tool::Tool;

/// Fields that the workload prints for each end, and that the tool must report.
const FIELDS: [&str; 10] = [
    "pid",
    "direction",
    "family",
    "local_addr",
    "local_port",
    "remote_addr",
    "remote_port",
    "netns",
    "tx_bytes",
    "rx_bytes",
];

/// A loss is reported by the next record, or at exit if there is none. If the kernel counted a
/// skipped program and no record came for this long, no more records are expected.
const NO_MORE: Duration = Duration::from_secs(10);

/// Waits until this many records are reported or lost, then stops the tool; returns its records and
/// the number of lost events.
pub fn ends_reported(tool: Tool, ends: usize) -> (Vec<Value>, u64) {
    let programs = Programs::of(tool.pid());
    let last = Cell::new((0, Instant::now()));
    tool.until("the ends of all connections", |records| {
        if records.len() != last.get().0 {
            last.set((records.len(), Instant::now()));
        }
        let all = records.len() + sum(records, "lost") as usize >= ends;
        all || last.get().1.elapsed() > NO_MORE && records.len() + programs.left_out() as usize >= ends
    });
    reported_by(tool)
}

/// Asserts the number of ends of connections.
pub fn all_are_reported(options: &[&str], reported: &[Value], ends: usize, lost: u64) {
    Comparison::of("tcplife", options).field("ends", reported.len() as u64, ends as u64).lost(lost).equal();
}

/// A key that identifies an end among all concurrent ones.
fn end_of(record: &Value) -> String {
    format!("{} {} {}", record["direction"], record["local_port"], record["remote_port"])
}

/// Whether an end is correct except for its owner. Where programs can be preempted, the skipped
/// program may be the one that saw the end opened or accepted; it is then attributed to the process
/// that closes it, or to none.
fn same_but_for_owner(reported: &Value, known: &Value) -> bool {
    FIELDS.iter().all(|field| *field == "pid" || reported[*field] == known[*field])
}

/// Asserts that exactly these ends were reported, with the right values.
pub fn agrees(options: &[&str], known: &[Value], (reported, lost): &(Vec<Value>, u64)) {
    all_are_reported(options, reported, known.len(), *lost);
    let what = format!("tcplife {options:?} on {}", kernel::name());
    // A port may be reused after a connection has ended.
    let mut ends: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    known.iter().for_each(|known| ends.entry(end_of(known)).or_default().push(known));
    let mut of_others = 0;
    for reported in reported {
        let left = ends.entry(end_of(reported)).or_default();
        let same = |known: &&Value| FIELDS.iter().all(|field| reported[*field] == known[*field]);
        let at = left.iter().position(same).or_else(|| {
            of_others += 1;
            let unseen = *lost > 0;
            left.iter().position(|known| unseen && same_but_for_owner(reported, known))
        });
        let at = at
            .unwrap_or_else(|| panic!("{what}: no such end, or reported twice: {reported}; left: {left:?}"));
        left.swap_remove(at);
        assert_eq!(reported["comm"].is_null(), reported["pid"].is_null(), "{what}: {reported}");
    }
    assert!(of_others <= *lost, "{what}: {of_others} ends with another owner, {lost} lost");
    let times: Vec<&str> = reported.iter().map(|reported| reported["ts"].as_str().expect("text")).collect();
    assert!(times.is_sorted(), "{what}: a record's time is before its predecessor's");
}
