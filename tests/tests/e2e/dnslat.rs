//! dnslat against queries whose answers are known.
#![allow(clippy::expect_used, reason = "tests")]

mod containers;
mod forms;
mod limits;
mod resolver;

use std::collections::BTreeMap;

use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::kernel::{self, Allows};
use tests::records::{count_if_any, sum, sum_if_any};
use tests::tool::{Ended, Tool};
use tests::workload::Workload;
use tests::{can_run, lock};

/// What counts of each server and transport.
const FIELDS: [&str; 9] = [
    "queries",
    "retries",
    "answers",
    "timeouts",
    "nxdomain",
    "servfail",
    "refused",
    "other_errors",
    "truncated",
];

/// The parts of the workload, `tests/src/bin/workload/dns.rs`.
const PARTS: &str =
    "udp4,udp6,mapped,messages,codes,retries,same_id,twice,names,addresses,late,tcp4,tcp6,falls_back,many";

/// What the parts must have done, so that the numbers of both sides are not the same by mistake.
const KNOWN: [(&str, &str, u64); 24] = [
    ("udp4", "queries", 401),
    ("udp4", "answers", 344),
    ("udp4", "timeouts", 57),
    ("udp4", "nxdomain", 69),
    ("udp6", "queries", 101),
    ("udp6", "timeouts", 14),
    ("mapped", "answers", 53),
    ("messages", "answers", 74),
    ("codes", "answers", 41),
    ("codes", "nxdomain", 3),
    ("codes", "servfail", 11),
    ("codes", "refused", 7),
    ("codes", "other_errors", 7),
    ("codes", "truncated", 13),
    ("retries", "queries", 78),
    ("retries", "retries", 13),
    ("retries", "timeouts", 39),
    ("same_id", "answers", 34),
    ("twice", "answers", 5),
    ("tcp4", "answers", 103),
    ("tcp4", "nxdomain", 21),
    ("tcp6", "answers", 55),
    ("falls_back", "truncated", 1),
    ("many", "answers", 22),
];

/// The group of multicast DNS.
const GROUP: &str = "224.0.0.251";

/// The most fields that a lost message is missing from or too much in.
const A_MESSAGE: u64 = 6;

/// The server waits so long.
const WAIT_US: f64 = 2_000.0;

/// That the workload's numbers are those of `KNOWN`.
fn are_as_expected(known: &[Value]) {
    for (part, field, expected) in KNOWN {
        let lines = known.iter().filter(|line| line["part"] == part);
        assert_eq!(sum_if_any(lines, field), expected, "{part}: {field}");
    }
}

/// What an event says in the fields of an interval.
fn of_event(event: &Value, field: &str) -> u64 {
    let is = |yes: bool| u64::from(yes);
    let rcode = event["rcode"].as_str();
    match field {
        "queries" => 1,
        "retries" => count_if_any(event, "retry"),
        "answers" => is(rcode.is_some()),
        "timeouts" => is(rcode.is_none()),
        "truncated" => count_if_any(event, "truncated"),
        "other_errors" => {
            is(rcode.is_some_and(|rcode| !["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED"].contains(&rcode)))
        }
        _ => is(rcode.is_some_and(|rcode| rcode.eq_ignore_ascii_case(field))),
    }
}

/// Whether a line of the workload can be seen by a tool with these hooks.
fn is_seen(line: &Value, hooks: &BTreeMap<String, String>) -> bool {
    line["transport"] == "udp" || hooks.contains_key("TCP")
}

/// Compares a tool's records with the lines of the workload that have the same keys.
fn compare(options: &[&str], ended: &Ended, known: &[Value], keys: &[&str]) {
    let (records, hooks) = (&ended.records, ended.rungs());
    // Where functions cannot be traced, which is told.
    let told = ended.stderr.contains("skips optional hook TCP");
    assert_eq!(hooks.contains_key("TCP"), !told, "dnslat {options:?}: {}", ended.stderr);
    let events = options.contains(&"--events");
    let lost = ended.lost();
    let same = |one: &Value, other: &Value| keys.iter().all(|key| one[*key] == other[*key]);
    let mut seen: Vec<&Value> = Vec::new();
    for line in known.iter().filter(|line| is_seen(line, &hooks)) {
        if seen.iter().any(|before| same(before, line)) {
            continue;
        }
        seen.push(line);
        let own: Vec<_> = records.iter().filter(|record| same(record, line)).collect();
        let lines: Vec<_> = known.iter().filter(|other| same(other, line)).collect();
        let field = |field: &str| match events {
            true => own.iter().map(|event| of_event(event, field)).sum(),
            false => sum_if_any(own.iter().copied(), field),
        };
        let expected = |field: &str| sum_if_any(lines.iter().copied(), field);
        let many = line["server_addr"] == GROUP;
        // Of a query to many, each answer is an event.
        let fields = FIELDS.into_iter().filter(|field| !(many && events && *field == "queries"));
        let fields: Vec<_> = fields.collect();
        let reported: Vec<_> = fields.iter().map(|name| field(name)).collect();
        let known: Vec<_> = fields.iter().map(|name| expected(name)).collect();
        let part = keys.iter().map(|key| line[*key].to_string()).collect::<Vec<_>>().join(" ");
        let comparison = Comparison::of("dnslat", options).part(part).fields(&fields, &reported, &known);
        let comparison = match events {
            true => comparison,
            // Latencies are those of first answers.
            false => comparison.field("count", field("count"), if many { 11 } else { expected("answers") }),
        };
        comparison.lost(lost).each_of(A_MESSAGE).equal_within_lost();
    }
    for record in records {
        let idle = !events
            && count_if_any(record, "queries")
                + count_if_any(record, "answers")
                + count_if_any(record, "timeouts")
                == 0;
        assert!(idle || seen.iter().any(|line| same(record, line)), "dnslat {options:?}: {record}");
    }
}

/// No answer of the work's own server comes sooner than it waits.
fn wait_for_the_server<'a>(records: impl IntoIterator<Item = &'a Value>) {
    for record in records {
        for field in ["duration_us", "min_us", "p50_us"] {
            assert!(record[field].as_f64().is_none_or(|us| us >= WAIT_US), "{field}: {record}");
        }
    }
}

/// The kinds of hooks that there are, each once.
fn kinds() -> Vec<&'static str> {
    let kinds = ["fentry", "kprobe"].into_iter().filter(|kind| kernel::allows(kind) == Allows::Yes);
    kinds.chain(["btf"]).collect()
}

/// Until the time of each query is over, in each of these tools: the last ones are never answered.
fn until_over(tool: &Tool, timeouts: u64) {
    tool.until("time-outs", |records| {
        let events = records.iter().filter(|record| record["name"].is_string() && record["rcode"].is_null());
        let counted: u64 = records.iter().map(|record| count_if_any(record, "timeouts")).sum();
        // A lost answer is one, too.
        events.count() as u64 + counted + sum(records, "lost") >= timeouts
    });
}

/// One work for tools of each kind of hook, and of each kind of owner: the queries of each process, those of the system,
/// and each by itself.
#[test]
fn known_queries_are_counted_exactly_by_the_best_rungs_and_by_all_others() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (cgroup, groups) = (Cgroup::new(), tempfile::NamedTempFile::new().expect("a file"));
    std::fs::write(groups.path(), "none: nobody\nworkers: workl*\n").expect("a file");
    let groups = groups.path().to_str().expect("UTF-8");
    let mut all = Vec::new();
    for kind in kinds() {
        all.push(vec!["--attach", kind, "--by", "process", "0.5"]);
        all.push(vec!["--attach", kind, "--events"]);
    }
    all.push(vec!["--by", "system", "0.5"]);
    // Of a task that asks, these are read as in all tools.
    if kernel::of_guest().is_none() {
        all.push(vec!["--by", "cgroup", "0.5"]);
        all.push(vec!["--by", "app", "--apps", groups, "0.5"]);
    }
    let with_common: Vec<_> =
        all.iter().map(|options| [&["-v", "--cgroup", cgroup.path()], &options[..]].concat()).collect();
    let tools = Tool::start_all("dnslat", &with_common);
    let known = Workload::run(&["dns", "--parts", PARTS, "--cgroup", cgroup.path()]);
    are_as_expected(&known);
    let timeouts = sum_if_any(known.iter().filter(|line| line["transport"] == "udp"), "timeouts");
    for (options, tool) in all.iter().zip(tools) {
        until_over(&tool, timeouts);
        let ended = tool.interrupt_despite_losses();
        let options: Vec<&str> = options.iter().copied().filter(|option| *option != "0.5").collect();
        let by_process = options.contains(&"process") || options.contains(&"--events");
        let keys: &[&str] =
            if by_process { &["pid", "server_addr", "transport"] } else { &["server_addr", "transport"] };
        compare(&options, &ended, &known, keys);
        wait_for_the_server(&ended.records);
        let owner = match options.iter().position(|option| *option == "--by").map(|at| options[at + 1]) {
            Some("cgroup") => Some(("cgroup", tests::cgroup::name(cgroup.path()))),
            Some("app") => Some(("app", "workers".to_string())),
            _ => None,
        };
        if let Some((field, name)) = owner {
            let active = ended.records.iter().filter(|record| count_if_any(record, "queries") > 0);
            active.for_each(|record| assert_eq!(record[field], name, "{record}"));
        }
    }
}
