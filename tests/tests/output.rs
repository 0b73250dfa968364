//! Records as other programs read them: shapes, pipes, and how a tool ends.
#![allow(clippy::expect_used, reason = "tests")]

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::programs::{self, shell};
use tests::records::{self, count};
use tests::tool::Tool;
use tests::{can_run, until};

/// The tools, with the ways of theirs that print different records.
const WAYS: [&[&str]; 15] = [
    &["proclife"],
    &["proclife", "--overhead"],
    &["biolat"],
    &["biolat", "--buckets", "--overhead"],
    &["syncsnoop", "-q"],
    &["syncsnoop", "-q", "--buckets", "--overhead"],
    &["cachestat", "-q", "--overhead"],
    &["fslat", "-q"],
    &["fslat", "-q", "--buckets", "--overhead"],
    &["oomwatch", "-q", "--by", "system"],
    &["oomwatch", "-q", "--by", "process", "--overhead"],
    &["tcplife", "-q", "--by", "system"],
    &["tcplife", "-q", "--by", "process", "--overhead"],
    &["irqlat"],
    &["irqlat", "--per-cpu", "--buckets", "--overhead"],
];

/// Those whose records differ in their columns, as one types them.
const LINES: [&str; 9] = [
    "proclife",
    "biolat",
    "proclife --overhead",
    "syncsnoop",
    "fslat",
    "oomwatch",
    "tcplife",
    "irqlat",
    "irqlat --per-cpu",
];

fn good(line: &str) -> String {
    let Output { status, stdout, stderr } = shell(line);
    assert!(status.success(), "{line}: {status}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("UTF-8")
}

fn keys(record: &Value) -> Vec<String> {
    record.as_object().expect("an object").keys().cloned().collect()
}

#[test]
fn jq_miller_and_python_read_it() {
    if !can_run() {
        return;
    }
    assert_eq!(good("$BIN/proclife 0.2 3 | jq -r '.tool'"), "proclife\n".repeat(3));
    let as_json = good("$BIN/biolat -o csv 0.2 3 | mlr --icsv --ojsonl cat");
    let rows = records::parse(&as_json);
    assert!(
        rows.len() >= 3 && rows.iter().all(|row| row["tool"] == "biolat" && row["lost"] == 0),
        "{as_json}"
    );
    let python = r#"python3 -c 'import csv, sys
rows = list(csv.DictReader(sys.stdin, strict=True))
assert len(rows) >= 3 and all(None not in row and None not in row.values() for row in rows), rows
print(sum(int(row["lost"]) for row in rows))'"#;
    assert_eq!(good(&format!("$BIN/biolat -o csv 0.2 3 | {python}")), "0\n");
    assert_eq!(
        good(&format!(
            "$BIN/proclife -o csv --events -d 1 | {python} & for i in $(seq 50); do sleep 0.02; done; wait %1"
        )),
        "0\n"
    );
}

#[test]
fn arguments_with_quotes_and_newlines_survive_csv() {
    if !can_run() {
        return;
    }
    let line = r#"sleep 5 & $BIN/proclife -o csv --events -p $$ -d 3 | python3 -c 'import csv, sys
for row in csv.DictReader(sys.stdin, strict=True):
    if row["event"] == "exec": print(row["argv"]); break' & reader=$!
for i in $(seq 100); do (exec true); sleep 0.01; done; exec /bin/echo 'a,"b"
c'"#;
    // The shell that execs is the one asked for: the record is of its last command.
    let said = good(line);
    assert!(said.contains("a,\"b\"\nc"), "{said:?}");
}

#[test]
fn the_schema_lists_the_fields_in_their_order() {
    if !can_run() {
        return;
    }
    for way in WAYS {
        let line = format!("$BIN/{}", way.join(" "));
        let schema: Value = serde_json::from_str(&good(&format!("{line} --schema"))).expect("JSON");
        let listed = keys(&schema["properties"]);
        let required: Vec<String> = serde_json::from_value(schema["required"].clone()).expect("names");
        for record in records::parse(&good(&format!("{line} 0.2 2"))) {
            let fields = keys(&record);
            let mut rest = listed.iter();
            assert!(fields.iter().all(|field| rest.any(|name| name == field)), "{fields:?} of {listed:?}");
            let missing: Vec<_> = required.iter().filter(|name| !fields.contains(name)).collect();
            assert!(missing.is_empty(), "{line}: required but not there: {missing:?}");
            for (field, value) in record.as_object().expect("an object") {
                assert!(fits(value, &schema["properties"][field]), "{line}: {field}: {value}");
            }
        }
    }
}

/// Whether a value is of a type that the schema of its field names.
fn fits(value: &Value, schema: &Value) -> bool {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is = |named: &Value| named == kind || (named == "number" && kind == "integer");
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(is),
        named => is(named),
    }
}

#[test]
fn the_csv_header_is_the_keys_of_the_json() {
    if !can_run() {
        return;
    }
    for tool in LINES {
        let csv = good(&format!("$BIN/{tool} -o csv 0.2 2"));
        let json = records::parse(&good(&format!("$BIN/{tool} -o json 0.2 1")));
        assert_eq!(csv.lines().next().expect("a header"), keys(&json[0]).join(","));
        assert_eq!(csv.lines().filter(|line| line.starts_with("ts,")).count(), 1, "the header comes once");
    }
}

#[test]
fn a_terminal_gets_a_table_with_headings() {
    if !can_run() {
        return;
    }
    for (tool, columns) in [
        ("proclife", ["forks", "execs", "zombies"]),
        ("biolat", ["disk", "op", "bytes"]),
        ("syncsnoop", ["call", "count", "errors"]),
        ("fslat", ["fs", "op", "errors"]),
        ("oomwatch", ["time", "kills", "lost"]),
        ("tcplife", ["accepted", "closed", "lost"]),
        ("irqlat", ["kind", "name", "irq"]),
    ] {
        let shown = good(&format!("script -qec \"$BIN/{tool} 0.2 2\" /dev/null"));
        let heading = shown.lines().find(|line| line.starts_with("time")).expect("a heading");
        assert!(columns.iter().all(|column| heading.contains(column)), "{shown}");
        assert!(!shown.contains('{'), "{shown}");
    }
}

#[test]
fn a_reader_that_goes_ends_it_quickly_and_well() {
    if !can_run() {
        return;
    }
    // The last record's write, or the wait for the next, meets a closed pipe.
    for line in [
        "$BIN/biolat 0.2 | head -1",
        "$BIN/proclife 0.2 | head -1",
        "$BIN/biolat 60 | sleep 0.5",
        "$BIN/proclife 60 | sleep 0.5",
        "$BIN/proclife --events -p 1 | sleep 0.5",
        "$BIN/syncsnoop -q 0.2 | head -1",
        "$BIN/syncsnoop -q 60 | sleep 2",
        "$BIN/syncsnoop -q --events -p 1 | sleep 2",
        "$BIN/fslat -q 0.2 | head -1",
        "$BIN/irqlat 0.2 | head -1",
        "$BIN/irqlat 60 | sleep 0.5",
        "$BIN/fslat -q 60 | sleep 3",
        "$BIN/fslat -q --events -p 1 | sleep 3",
        "$BIN/oomwatch -q 0.2 | head -1",
        "$BIN/oomwatch -q | sleep 1",
        "$BIN/tcplife -q 0.2 | head -1",
        "$BIN/tcplife -q | sleep 1",
    ] {
        let start = Instant::now();
        let Output { status, stderr, .. } = shell(line);
        assert!(
            status.success() && stderr.is_empty(),
            "{line}: {status}: {}",
            String::from_utf8_lossy(&stderr)
        );
        assert!(start.elapsed() < Duration::from_secs(10), "{line} took {:?}", start.elapsed());
    }
}

#[test]
fn a_signal_prints_the_interval_under_way() {
    if !can_run() {
        return;
    }
    for tool in LINES {
        for signal in ["INT", "TERM", "HUP"] {
            // timeout ends with the status of what it ran only if asked to.
            let told = good(&format!("timeout --preserve-status -s {signal} 1 $BIN/{tool} 10"));
            let records = records::parse(&told);
            let length = records.first().expect("a record")["interval_s"].as_f64().expect("a number");
            assert!(length > 0.0 && length < 10.0, "{told}");
            assert!(records.iter().all(|record| record["ts"] == records[0]["ts"]), "one interval: {told}");
        }
    }
}

#[test]
fn count_and_duration_end_it() {
    if !can_run() {
        return;
    }
    for tool in ["proclife", "biolat"] {
        let lengths = |options: &str| intervals(&records::parse(&good(&format!("$BIN/{tool} {options}"))));
        assert_eq!(lengths("0.1 7").len(), 7);
        let [first, last] = lengths("-d 1.5 1")[..] else { panic!("{tool} -d 1.5 1: not two intervals") };
        // On a grid: what one interval is late, the next is shorter.
        assert!(first >= 1.0 && last > 0.0 && (1.5..3.0).contains(&(first + last)), "{first} {last}");
        assert!(last <= 1.5 - 1.0 + (first - 1.0).max(0.0) + 1.0, "{last}");
        let measured = lengths("0.25 4");
        assert!(measured.iter().sum::<f64>() >= 1.0, "{measured:?}");
        assert!(measured.iter().any(|length| *length != 0.25), "measured, not nominal: {measured:?}");
    }
}

/// The lengths of the intervals, each of which may have many records.
fn intervals(all: &[Value]) -> Vec<f64> {
    let mut seen: Vec<(String, f64)> = all
        .iter()
        .map(|record| (record["ts"].to_string(), record["interval_s"].as_f64().expect("a number")))
        .collect();
    seen.dedup();
    seen.into_iter().map(|(_, length)| length).collect()
}

#[test]
fn an_idle_interval_has_a_record() {
    if !can_run() {
        return;
    }
    let cgroup = tests::cgroup::Cgroup::new();
    let idle = |tool: &str| {
        let all = records::parse(&good(&format!("$BIN/{tool} --cgroup {} 0.1 5", cgroup.path())));
        assert_eq!(all.len(), 5, "{tool}");
        all
    };
    for record in idle("biolat") {
        assert!(["disk", "op", "p99_us", "mean_us", "queue_p50_us"].iter().all(|key| record[key].is_null()));
        assert_eq!(["count", "bytes", "errors", "lost"].map(|field| count(&record, field)), [0; 4]);
    }
    for record in idle("syncsnoop") {
        assert!(["call", "p99_us", "mean_us"].iter().all(|key| record[key].is_null()));
        assert_eq!(["count", "errors", "lost"].map(|field| count(&record, field)), [0; 3]);
    }
    for record in idle("fslat") {
        assert!(["fs", "op", "p99_us", "mean_us"].iter().all(|key| record[key].is_null()));
        assert_eq!(["count", "errors", "lost"].map(|field| count(&record, field)), [0; 3]);
    }
    for record in idle("tcplife -q") {
        assert_eq!(["accepted", "closed", "tx_bytes", "lost"].map(|field| count(&record, field)), [0; 4]);
    }
    for record in idle("proclife") {
        assert_eq!(
            ["forks", "exits", "zombies", "fork_errors", "lost"].map(|field| count(&record, field)),
            [0; 5]
        );
    }
}

#[test]
fn buckets_have_no_csv_form() {
    for tool in ["biolat", "syncsnoop", "fslat", "irqlat"] {
        let output = shell(&format!("$BIN/{tool} --buckets -o csv 0.1 1"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    }
}

#[test]
fn overhead_is_told_once_per_interval() {
    if !can_run() {
        return;
    }
    let tool = Tool::start("proclife", &["--overhead", "0.1"]);
    let records = until("its programs to run", || {
        programs::succeed("true", &[]);
        Some(tool.records()).filter(|all| all.iter().any(|record| count(record, "bpf_runs") > 0))
    });
    let ran = records.iter().find(|record| count(record, "bpf_runs") > 0).expect("found before");
    assert!(count(ran, "bpf_ns") > 0, "{ran}");
    tool.interrupt();
}
