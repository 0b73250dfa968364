//! Filters, and what is beyond a limit.

use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::records::{count_if_any, sum, sum_if_any};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, kernel, lock};

use super::{A_MESSAGE, kinds, of_event};

/// What the work has: queries, answers, time-outs and names that are not there, over UDP.
const FIELDS: [&str; 4] = ["queries", "answers", "timeouts", "nxdomain"];

#[test]
fn only_what_was_asked_for_is_reported() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    const UDP4: [u64; 4] = [401, 344, 57, 69];
    const UDP6: [u64; 4] = [101, 87, 14, 18];
    const LATE: [u64; 4] = [3, 3, 0, 0];
    const NOTHING: [u64; 4] = [0; 4];
    let sum_of =
        |all: &[[u64; 4]]| -> [u64; 4] { std::array::from_fn(|at| all.iter().map(|one| one[at]).sum()) };
    let all = sum_of(&[UDP4, UDP6, LATE]);
    let cases: [(&[&str], [u64; 4]); 14] = [
        (&[], all),
        (&["--family", "4"], sum_of(&[UDP4, LATE])),
        (&["--cidr", "::1"], UDP6),
        (&["--cidr", "!127.0.0.0/8"], UDP6),
        (&["--port", "53"], all),
        (&["--port", "!5353"], all),
        (&["--port", "5353"], NOTHING),
        (&["--port", "!53"], NOTHING),
        (&["--name", "Late-*"], LATE),
        // 401 / 7 of one, 101 / 7 of the other.
        (&["--name", "silent-*,late-*"], [57 + 14 + 3, 3, 57 + 14, 0]),
        (&["--name", "!ok-*,!late-*"], [57 + 14 + 69 + 18, 69 + 18, 57 + 14, 69 + 18]),
        (&["--events", "--rcode", "nxdomain"], [69 + 18, 69 + 18, 0, 69 + 18]),
        (&["--events", "--rcode", "timeout,3"], [57 + 14 + 69 + 18, 69 + 18, 57 + 14, 69 + 18]),
        (&["--events", "--rcode", "0", "--name", "late-*", "--min-us", "500000"], LATE),
    ];
    // What a filter decides depends on no kernel: guests try one of each sort.
    let cases: Vec<_> = cases.into_iter().step_by(if kernel::of_guest().is_some() { 3 } else { 1 }).collect();
    let cgroup = Cgroup::new();
    let options = |case: &[&'static str]| -> Vec<&'static str> {
        let interval: &[&str] = if case.contains(&"--events") { &[] } else { &["0.5"] };
        [case, interval].concat()
    };
    let with_common: Vec<_> = cases
        .iter()
        .map(|(case, _)| [&["-q", "--cgroup", cgroup.path()], &options(case)[..]].concat())
        .collect();
    let tools = Tool::start_all("dnslat", &with_common);
    Workload::run(&["dns", "--parts", "udp4,udp6,late", "--cgroup", cgroup.path()]);
    for ((case, expected), tool) in cases.iter().zip(tools) {
        let events = case.contains(&"--events");
        let count = |records: &[Value], field| match events {
            true => records.iter().map(|event| of_event(event, field)).sum(),
            false => sum_if_any(records, field),
        };
        let all_are_over =
            |records: &[Value]| count(records, "timeouts") + sum(records, "lost") >= expected[2];
        tool.until("time-outs", all_are_over);
        let ended = tool.interrupt_despite_losses();
        let records = &ended.records;
        let reported = FIELDS.map(|field| count(records, field));
        let comparison = Comparison::of("dnslat", case).fields(&FIELDS, &reported, expected);
        comparison.lost(ended.lost()).each_of(A_MESSAGE).equal_within_lost();
    }
}

/// Answers whose data is in other pages than their headers are read from the program's memory where functions can be traced;
/// else they are lost, and that is told.
#[test]
fn answers_in_other_pages_are_read_or_lost() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    const QUERIES: u64 = 29 + 13;
    let cgroup = Cgroup::new();
    let common = ["-q", "--cgroup", cgroup.path(), "--events", "--attach"];
    let all: Vec<_> = kinds().into_iter().map(|kind| [&common[..], &[kind]].concat()).collect();
    let tools = Tool::start_all("dnslat", &all);
    Workload::run(&["dns", "--parts", "pages", "--cgroup", cgroup.path()]);
    for (options, tool) in all.iter().zip(tools) {
        tool.until("all", |records| records.len() as u64 >= QUERIES);
        let ended = tool.interrupt_despite_losses();
        let records = &ended.records;
        let answered = records.iter().filter(|record| record["rcode"] == "NOERROR");
        let read =
            answered.clone().filter(|record| record["addresses"] == "192.0.2.7,192.0.2.8").count() as u64;
        let (reads, lost) = (options.contains(&"fentry"), ended.lost());
        let expected = if reads { QUERIES } else { 0 };
        let comparison =
            Comparison::of("dnslat", &options[4..]).field("answers", answered.count() as u64, expected);
        let comparison = comparison.field("with addresses", read, expected);
        match reads {
            true => comparison.lost(lost).each_of(A_MESSAGE).equal_within_lost(),
            false => comparison.at_least("lost", lost, QUERIES).equal(),
        }
    }
}

/// An answer that comes too late is none, and the time-out is over before it comes.
#[test]
fn late_answers_are_time_outs() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let options = ["-q", "--cgroup", cgroup.path(), "--timeout", "0.1"];
    let tools = Tool::start_all(
        "dnslat",
        &[[&options[..], &["--events"]].concat(), [&options[..], &["--by", "process", "0.1"]].concat()],
    );
    Workload::run(&["dns", "--parts", "late", "--cgroup", cgroup.path()]);
    for (tool, events) in tools.into_iter().zip([true, false]) {
        let counted = |records: &[Value]| match events {
            true => records.len() as u64,
            false => sum_if_any(records, "timeouts"),
        };
        tool.until("time-outs", |records| counted(records) + sum(records, "lost") >= 3);
        let ended = tool.interrupt_despite_losses();
        let records = &ended.records;
        let late = if events {
            records.iter().filter(|event| event["rcode"].is_null()).count() as u64
        } else {
            counted(records)
        };
        let answers = if events { counted(records) - late } else { sum_if_any(records, "answers") };
        let comparison =
            Comparison::of("dnslat", &options[3..]).field("timeouts", late, 3).field("answers", answers, 0);
        comparison.lost(ended.lost()).each_of(A_MESSAGE).equal_within_lost();
    }
}

/// Of queries beyond the room it is told that they were sent, and that what becomes of them is not known.
#[test]
fn queries_beyond_the_room_are_lost() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let common = ["-q", "--cgroup", cgroup.path()];
    let all = [
        [&common[..], &["--max-pending", "7", "0.5"]].concat(),
        // A server finds no room beside another, and over TCP neither.
        [&common[..], &["--by", "process", "--map-size", "1", "0.5"]].concat(),
    ];
    let [few, one] =
        <[Tool; 2]>::try_from(Tool::start_all("dnslat", &all)).unwrap_or_else(|_| panic!("two tools"));
    Workload::run(&["dns", "--parts", "waiting", "--cgroup", cgroup.path()]);
    few.until("time-outs", |records| sum_if_any(records, "timeouts") >= 7);
    let records = few.interrupt().records;
    // For those that wait, and for the names of those that do not.
    let lost = (53 - 7) + (53 - 14);
    let comparison = Comparison::of("dnslat", &["--max-pending", "7"]).field(
        "timeouts",
        sum_if_any(&records, "timeouts"),
        7,
    );
    let queries = sum_if_any(&records, "queries");
    if kernel::preempts_programs() {
        assert!(queries <= 53 && sum(&records, "lost") >= lost + 53 - queries, "{records:?}");
    } else {
        comparison.field("queries", queries, 53).field("lost", sum(&records, "lost"), lost).equal();
    }
    let servers = |records: &[Value]| -> Vec<String> {
        let active = records.iter().filter(|record| count_if_any(record, "queries") > 0);
        active.map(|record| record["server_addr"].to_string()).collect()
    };
    Workload::run(&["dns", "--parts", "udp6", "--cgroup", cgroup.path()]);
    let records = one.interrupt().records;
    let mut seen = servers(&records);
    seen.dedup();
    assert!(!seen.is_empty() && seen.len() <= 2, "{seen:?}");
}
