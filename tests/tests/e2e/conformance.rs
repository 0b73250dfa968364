//! What all tools have in common: options, records, schema, exit and status.
//!
//! Attaching takes seconds in a guest, so each run of a tool tests several options at once.
#![allow(clippy::expect_used, reason = "tests")]

use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::parallel::in_parallel;
use tests::programs::{TOOLS, built};
use tests::refusal::refuses;
use tests::schema_check::{FIRST, LAST, LEVELS, ToolSchema};
use tests::tool::{Tool, is_attached};
use tests::user::Programs;
use tests::wait::{For, until};
use tests::{can_run, kernel, lock, records};

/// The end times of intervals; an interval may have many records.
fn moments(all: &[Value]) -> Vec<&str> {
    let mut moments: Vec<_> = all.iter().map(|record| record["ts"].as_str().expect("a text")).collect();
    assert!(moments.is_sorted(), "time goes backwards: {moments:?}");
    moments.dedup();
    moments
}

/// Whether this kernel lets the tool run.
fn json_is_as_the_schema_says(declared: &ToolSchema) -> bool {
    let mut options = vec!["-q", "-o", "json", "--overhead", "0.2", "3"];
    if declared.has("--buckets") {
        options.push("--buckets");
    }
    let Some(out) = declared.run(&options, declared.by(0)) else { return false };
    let all = records::parse(&out);
    all.iter().for_each(|record| declared.judge(record));
    assert_eq!(moments(&all).len(), 3, "{}: {out}", declared.tool);
    // The cost of the programs, what they occupy, and the losses are on the first record of an interval.
    assert!(LEVELS.iter().all(|field| all[0][*field].is_u64()), "{}: {}", declared.tool, all[0]);
    for pair in all.windows(2).filter(|pair| pair[0]["ts"] == pair[1]["ts"]) {
        assert!(LAST.iter().all(|field| pair[1][*field] == 0), "{}: {}", declared.tool, pair[1]);
        assert!(LEVELS.iter().all(|field| pair[1][*field].is_null()), "{}: {}", declared.tool, pair[1]);
    }
    assert!(all.iter().all(|record| LAST.iter().all(|field| record[*field].is_u64())), "{out}");
    true
}

/// Whether this kernel lets the tool run.
fn csv_has_the_same_fields_until_the_duration_is_over(declared: &ToolSchema) -> bool {
    let Some(out) = declared.run_by("kprobe", &["-q", "-o", "csv", "-d", "0.5", "0.2"], declared.by(1))
    else {
        return false;
    };
    let mut csv = csv::Reader::from_reader(out.as_bytes());
    let header = csv.headers().expect("a header").clone();
    declared.judge_order(&header.iter().collect::<Vec<_>>());
    assert!(!header.iter().any(|name| name.ends_with("buckets") || name.starts_with("bpf_")), "{header:?}");
    let rows: Vec<_> = csv.records().map(|row| row.expect("as many columns as the header")).collect();
    assert!(!rows.iter().any(|row| &row[0] == "ts"), "{}: the header comes once", declared.tool);
    let mut ends: Vec<_> =
        rows.iter().map(|row| (&row[0], row[3].parse::<f64>().expect("a number"))).collect();
    ends.dedup();
    // On a busy machine some are merged; the last is cut short.
    let length: f64 = ends.iter().map(|(_, length)| length).sum();
    assert!((1..=3).contains(&ends.len()) && length > 0.49999, "{}: {ends:?}", declared.tool);
    true
}

fn a_table_is_for_people(declared: &ToolSchema) {
    let Some(out) = declared.run_by("tracepoint", &["-o", "table", "0.2", "2"], declared.by(2)) else {
        return;
    };
    let heading = out.lines().find(|line| line.starts_with("time")).expect("a heading");
    assert!(heading.contains("lost") && !out.contains(['{', '"']), "{}: {out}", declared.tool);
    let lines = out.lines().filter(|line| line.as_bytes().get(2) == Some(&b':')).count();
    assert!(lines >= 2, "{}: {out}", declared.tool);
}

/// An idle interval has a record with nulls and zeros, and so has one that a signal cuts short.
fn idle_and_asked_to_end(declared: &ToolSchema, signal: Signal, cgroup: &Cgroup) {
    let filters = declared.has("--cgroup");
    let mut options = vec!["-q", "-o", "json", "600"];
    if filters {
        options.extend(["--cgroup", cgroup.path()]);
    }
    let by = declared.by(3);
    options.extend(by.iter().map(String::as_str));
    let tool = Tool::start(declared.tool, &options);
    tool.signal(signal);
    let ended = tool.wait();
    assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""), "{} {signal:?}", declared.tool);
    ended.records.iter().for_each(|record| declared.judge(record));
    assert_eq!(moments(&ended.records).len(), 1, "{} {signal:?}", declared.tool);
    if filters {
        let [record] = &ended.records[..] else { panic!("{}: more than one record", declared.tool) };
        let fields =
            record.as_object().expect("an object").iter().filter(|(name, _)| !FIRST.contains(&name.as_str()));
        for (name, value) in fields {
            // The kernel counts skipped runs of a program for all tasks, because a program that
            // does not run cannot filter. Losses are therefore of the whole machine and may be
            // present.
            let of_others = name == "lost" && kernel::may_leave_out(declared.tool) && value.is_u64();
            let tool = declared.tool;
            assert!(
                of_others || value.is_null() || *value == 0,
                "{tool}: idle, and {name} is {value} on {}: {record}",
                kernel::name()
            );
        }
    }
}

fn a_reader_that_goes_is_a_good_end(declared: &ToolSchema) {
    let mut options = vec!["-q", "-o", "json", "600"];
    let own = std::process::id().to_string();
    if declared.has("--pid") {
        options.extend(["-p", &own]);
    }
    let mut command = Command::new(built(declared.tool));
    command.args(options).args(declared.by(4)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    until(For::Attach, declared.tool, || {
        let ended = child.try_wait().expect("it can be waited for");
        assert!(ended.is_none(), "{} ended early: {ended:?}", declared.tool);
        is_attached(child.id()).then_some(())
    });
    drop(child.stdout.take());
    // It would wait for ten minutes, and still notices the closed pipe.
    let status = until(For::End, declared.tool, || child.try_wait().expect("it can be waited for"));
    let stderr = std::io::read_to_string(child.stderr.take().expect("piped")).expect("UTF-8");
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "{}", declared.tool);
}

#[test]
fn records_are_as_the_schema_says_and_idle_intervals_are_empty() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    in_parallel(TOOLS, |tool| {
        let declared = ToolSchema::of(tool);
        if !json_is_as_the_schema_says(&declared) {
            return;
        }
        idle_and_asked_to_end(
            &declared,
            if tool.len() % 2 == 0 { Signal::INT } else { Signal::TERM },
            &cgroup,
        );
    });
}

/// These depend little on the kernel: a forced kind of hook, and a pipe whose reader exits.
#[test]
fn every_form_has_the_same_fields_and_a_reader_may_go() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    in_parallel(TOOLS, |tool| {
        let declared = ToolSchema::of(tool);
        if csv_has_the_same_fields_until_the_duration_is_over(&declared) {
            a_table_is_for_people(&declared);
            a_reader_that_goes_is_a_good_end(&declared);
        }
    });
}

#[test]
fn a_kernel_that_cannot_is_status_3_and_missing_rights_are_4() {
    if !can_run() {
        return;
    }
    let programs = Programs::new();
    for tool in TOOLS {
        let line =
            format!("unshare --mount bash -c 'mount -t tmpfs none /sys/kernel/btf && exec '\"$BIN/{tool}\"");
        refuses(&line, 3, &["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF=y"]);
        for (rights, named, unnamed) in
            [(&[][..], &["CAP_BPF", "CAP_PERFMON"][..], ""), (&["CAP_BPF"], &["CAP_PERFMON"], "CAP_BPF")]
        {
            let output = programs.run(rights, tool).output().expect("setpriv runs");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), stderr.lines().count()), (Some(4), 1), "{tool}: {stderr}");
            assert!(
                output.stdout.is_empty() && named.iter().all(|name| stderr.contains(name)),
                "{tool}: {stderr}"
            );
            assert!(
                unnamed.is_empty() || !stderr.contains(unnamed),
                "a present capability is named as missing: {stderr}"
            );
        }
    }
}
