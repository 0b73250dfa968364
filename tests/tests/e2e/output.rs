//! Records as other programs read them: shapes, pipes, and how a tool ends.
#![allow(clippy::expect_used, reason = "tests")]

use std::process::Output;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;
use tests::programs::{self, TOOLS, has_option, shell};
use tests::records::{self, count};
use tests::tool::Tool;
use tests::wait::{For, until};
use tests::{can_run, kernel, timing};

fn good(line: &str) -> String {
    let Output { status, stdout, stderr } = shell(line);
    assert!(status.success(), "{line}: {status}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("UTF-8")
}

/// What a command line prints, which must succeed without a message; nothing if this machine's own kernel
/// refuses the tool, as `refusals` and `diagnoses` test.
fn unless_refused(line: &str) -> Option<String> {
    let Output { status, stdout, stderr } = shell(line);
    if kernel::of_guest().is_none() && matches!(status.code(), Some(3 | 4)) {
        return None;
    }
    assert!(status.success() && stderr.is_empty(), "{line}: {status}: {}", String::from_utf8_lossy(&stderr));
    Some(String::from_utf8(stdout).expect("UTF-8"))
}

#[test]
fn jq_miller_and_python_read_it() {
    if !can_run() {
        return;
    }
    assert_eq!(good("$BIN/proclife 0.2 3 | jq -r '.tool'"), "proclife\n".repeat(3));
    let as_json = good("$BIN/biolat -o csv 0.2 3 | mlr --icsv --ojsonl cat");
    let rows = records::parse(&as_json);
    // Any number: interrupts may make the kernel skip a program.
    let reads = |row: &Value| row["tool"] == "biolat" && row["lost"].is_u64();
    assert!(rows.len() >= 3 && rows.iter().all(reads), "{as_json}");
    let python = r#"python3 -c 'import csv, sys
rows = list(csv.DictReader(sys.stdin, strict=True))
assert len(rows) >= 3 and all(None not in row and None not in row.values() for row in rows), rows
print(sum(int(row["lost"]) for row in rows) >= 0)'"#;
    assert_eq!(good(&format!("$BIN/biolat -o csv 0.2 3 | {python}")), "True\n");
    // Generates events continuously, however late the tool attaches.
    let busy = "while kill -0 $! 2>/dev/null; do /bin/true; done; wait $!";
    assert_eq!(good(&format!("$BIN/proclife -o csv --events -d 1 | {python} & {busy}")), "True\n");
}

#[test]
fn arguments_with_quotes_and_newlines_survive_csv() {
    if !can_run() {
        return;
    }
    // With two threads it has attached. It ends with its reader.
    let line = r#"$BIN/proclife -o csv --events -p $$ -d 3 > >(python3 -c 'import csv, sys
for row in csv.DictReader(sys.stdin, strict=True):
    if row["event"] == "exec": print(row["argv"]); break') & tool=$!
until [ "$(ls /proc/$tool/task | wc -l)" -gt 1 ]; do kill -0 $tool || exit; sleep 0.02; done; exec /bin/echo 'a,"b"
c'"#;
    // The shell that execs is the filtered process: the record is of its last command. Where
    // programs can be preempted, that one may be skipped, but not each time.
    let argv = "/bin/echo 'a,\"b\"\nc'";
    assert!((0..5).any(|_| good(line).contains(argv)), "argv {argv:?} was never reported");
}

#[test]
fn a_terminal_gets_a_table_with_headings() {
    if !can_run() {
        return;
    }
    for tool in TOOLS {
        // Wide enough for what this machine happens to have: of a narrow one, names and addresses may take all.
        let line = format!("NO_COLOR=1 script -qec \"stty cols 200; $BIN/{tool} -q 0.2 2\" /dev/null");
        let Some(shown) = unless_refused(&line) else { continue };
        let heading = shown.lines().find(|line| line.starts_with("time")).expect("a heading");
        assert!(heading.contains("lost"), "{shown}");
        assert!(!shown.contains('{'), "{shown}");
    }
}

#[test]
fn a_reader_that_goes_ends_it_quickly_and_well() {
    if !can_run() {
        return;
    }
    // The write of the last record, or the wait for the next one, finds a closed pipe.
    let ends = |tool| format!("$BIN/{tool} -q 0.2 | head -1");
    let waits = |tool| format!("$BIN/{tool} -q --events -p 1 | sleep 1");
    let with_events = TOOLS.into_iter().filter(|tool| has_option(tool, "--events"));
    for line in TOOLS.into_iter().map(ends).chain(with_events.map(waits)) {
        let start = Instant::now();
        if unless_refused(&line).is_none() {
            continue;
        }
        // Otherwise it would wait forever.
        let most = For::Attach.at_most() + For::End.at_most();
        assert!(start.elapsed() < most, "{line} took {:?}", start.elapsed());
    }
}

#[test]
fn a_terminal_that_goes_leaves_the_interval_under_way() {
    if !can_run() {
        return;
    }
    let tool = Tool::start("proclife", &["600"]);
    tool.signal(Signal::HUP);
    let ended = tool.wait();
    assert!(ended.status.success(), "{}: {}", ended.status, ended.stderr);
    let [record] = &ended.records[..] else { panic!("not one record: {:?}", ended.records) };
    let length = record["interval_s"].as_f64().expect("a number");
    assert!(length > 0.0 && length < 600.0, "{record}");
}

#[test]
fn count_and_duration_end_it() {
    if !can_run() {
        return;
    }
    for tool in ["proclife", "biolat"] {
        let lengths = |options: &str| intervals(&records::parse(&good(&format!("$BIN/{tool} {options}"))));
        assert_eq!(lengths("0.1 7").len(), 7);
        // Intervals are on a grid: after a late one, the next is shorter. On a busy machine two may
        // be merged.
        timing::agrees(|| {
            let reported = lengths("-d 1.5 1");
            assert!(
                reported.len() <= 2 && reported.iter().sum::<f64>() >= 1.5 && reported[0] >= 1.0,
                "{reported:?}"
            );
            match reported[..] {
                [first, last] if last > 0.0 && first + last < 2.0 => vec![],
                _ => vec![format!("{tool} -d 1.5 1: {reported:?}")],
            }
        });
        let measured = lengths("0.25 4");
        assert!(measured.iter().sum::<f64>() >= 1.0, "{measured:?}");
        assert!(measured.iter().any(|length| *length != 0.25), "measured, not nominal: {measured:?}");
    }
}

/// The lengths of the intervals; an interval may have many records.
fn intervals(all: &[Value]) -> Vec<f64> {
    let mut seen: Vec<(String, f64)> = all
        .iter()
        .map(|record| (record["ts"].to_string(), record["interval_s"].as_f64().expect("a number")))
        .collect();
    seen.dedup();
    seen.into_iter().map(|(_, length)| length).collect()
}

#[test]
fn overhead_is_reported_once_per_interval() {
    if !can_run() {
        return;
    }
    let tool = Tool::start("proclife", &["--overhead", "0.1"]);
    let records = until(For::Record, "its programs to run", || {
        programs::succeed("true", &[]);
        Some(tool.records()).filter(|all| all.iter().any(|record| count(record, "bpf_runs") > 0))
    });
    let ran = records.iter().find(|record| count(record, "bpf_runs") > 0).expect("found before");
    assert!(count(ran, "bpf_ns") > 0, "{ran}");
    tool.interrupt();
}
