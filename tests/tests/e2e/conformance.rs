//! What all tools promise alike, of every tool that there is: options, records, schema, ends and statuses.
//!
//! To attach takes seconds in a guest, so that each run of a tool tries several options at once.
#![allow(clippy::expect_used, reason = "tests")]

use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::parallel::in_parallel;
use tests::programs::{TOOLS, built};
use tests::refusal::refuses;
use tests::schema_check::{FIRST, LAST, ToolSchema};
use tests::tool::{Tool, is_attached};
use tests::user::Programs;
use tests::wait::{For, until};
use tests::{can_run, kernel, lock, records};

/// The moments at which intervals ended, each of which may have many records.
fn moments(all: &[Value]) -> Vec<&str> {
    let mut moments: Vec<_> = all.iter().map(|record| record["ts"].as_str().expect("a text")).collect();
    assert!(moments.is_sorted(), "time goes back: {moments:?}");
    moments.dedup();
    moments
}

/// Whether this kernel lets the tool run.
fn json_is_as_the_schema_says(told: &ToolSchema) -> bool {
    let mut options = vec!["-q", "-o", "json", "--overhead", "0.2", "3"];
    if told.has("--buckets") {
        options.push("--buckets");
    }
    let Some(out) = told.run(&options, told.by(0)) else { return false };
    let all = records::parse(&out);
    all.iter().for_each(|record| told.judge(record));
    assert_eq!(moments(&all).len(), 3, "{}: {out}", told.tool);
    // What the programs cost stands on the first record of an interval, and so do losses.
    for pair in all.windows(2).filter(|pair| pair[0]["ts"] == pair[1]["ts"]) {
        assert!(LAST.iter().all(|field| pair[1][*field] == 0), "{}: {}", told.tool, pair[1]);
    }
    assert!(all.iter().all(|record| LAST.iter().all(|field| record[*field].is_u64())), "{out}");
    true
}

/// Whether this kernel lets the tool run.
fn csv_has_the_same_fields_until_the_duration_is_over(told: &ToolSchema) -> bool {
    let Some(out) = told.run_by("kprobe", &["-q", "-o", "csv", "-d", "0.5", "0.2"], told.by(1)) else {
        return false;
    };
    let mut csv = csv::Reader::from_reader(out.as_bytes());
    let header = csv.headers().expect("a header").clone();
    told.judge_order(&header.iter().collect::<Vec<_>>());
    assert!(!header.iter().any(|name| name.ends_with("buckets") || name.starts_with("bpf_")), "{header:?}");
    let rows: Vec<_> = csv.records().map(|row| row.expect("as many columns as the header")).collect();
    assert!(!rows.iter().any(|row| &row[0] == "ts"), "{}: the header comes once", told.tool);
    let mut ends: Vec<_> =
        rows.iter().map(|row| (&row[0], row[3].parse::<f64>().expect("a number"))).collect();
    ends.dedup();
    // On a busy machine some go by together; the last is cut short.
    let length: f64 = ends.iter().map(|(_, length)| length).sum();
    assert!((1..=3).contains(&ends.len()) && length > 0.49999, "{}: {ends:?}", told.tool);
    true
}

fn a_table_is_for_people(told: &ToolSchema) {
    let Some(out) = told.run_by("tracepoint", &["-o", "table", "0.2", "2"], told.by(2)) else { return };
    let heading = out.lines().find(|line| line.starts_with("time")).expect("a heading");
    assert!(heading.contains("lost") && !out.contains(['{', '"']), "{}: {out}", told.tool);
    let lines = out.lines().filter(|line| line.as_bytes().get(2) == Some(&b':')).count();
    assert!(lines >= 2, "{}: {out}", told.tool);
}

/// An interval in which nothing happens has a record, with nulls and zeros, and so has one that a signal cuts short.
fn idle_and_asked_to_end(told: &ToolSchema, signal: Signal, cgroup: &Cgroup) {
    let filters = told.has("--cgroup");
    let mut options = vec!["-q", "-o", "json", "600"];
    if filters {
        options.extend(["--cgroup", cgroup.path()]);
    }
    let by = told.by(3);
    options.extend(by.iter().map(String::as_str));
    let tool = Tool::start(told.tool, &options);
    tool.signal(signal);
    let ended = tool.wait();
    assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""), "{} {signal:?}", told.tool);
    ended.records.iter().for_each(|record| told.judge(record));
    assert_eq!(moments(&ended.records).len(), 1, "{} {signal:?}", told.tool);
    if filters {
        let [record] = &ended.records[..] else { panic!("{}: more than one record", told.tool) };
        let fields =
            record.as_object().expect("an object").iter().filter(|(name, _)| !FIRST.contains(&name.as_str()));
        for (name, value) in fields {
            // The kernel counts the runs that it left out of a program, whichever task they were for: a program that does
            // not run cannot tell what is not asked for. So losses are those of the whole machine, and may be there.
            let of_others = name == "lost" && kernel::may_leave_out(told.tool) && value.is_u64();
            let tool = told.tool;
            assert!(
                of_others || value.is_null() || *value == 0,
                "{tool}: idle, and {name} is {value} on {}: {record}",
                kernel::name()
            );
        }
    }
}

fn a_reader_that_goes_is_a_good_end(told: &ToolSchema) {
    let mut options = vec!["-q", "-o", "json", "600"];
    let own = std::process::id().to_string();
    if told.has("--pid") {
        options.extend(["-p", &own]);
    }
    let mut command = Command::new(built(told.tool));
    command.args(options).args(told.by(4)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    until(For::Attach, told.tool, || {
        let ended = child.try_wait().expect("it can be waited for");
        assert!(ended.is_none(), "{} ended early: {ended:?}", told.tool);
        is_attached(child.id()).then_some(())
    });
    drop(child.stdout.take());
    // It waits for the end of ten minutes, and yet sees it.
    let status = until(For::End, told.tool, || child.try_wait().expect("it can be waited for"));
    let said = std::io::read_to_string(child.stderr.take().expect("piped")).expect("UTF-8");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""), "{}", told.tool);
}

#[test]
fn records_are_as_the_schema_says_and_idle_intervals_are_empty() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    in_parallel(TOOLS, |tool| {
        let told = ToolSchema::of(tool);
        if !json_is_as_the_schema_says(&told) {
            return;
        }
        idle_and_asked_to_end(&told, if tool.len() % 2 == 0 { Signal::INT } else { Signal::TERM }, &cgroup);
    });
}

/// The kernel's part in these is small: a kind of hook that is forced, and the death of a pipe's reader.
#[test]
fn every_form_has_the_same_fields_and_a_reader_may_go() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    in_parallel(TOOLS, |tool| {
        let told = ToolSchema::of(tool);
        if csv_has_the_same_fields_until_the_duration_is_over(&told) {
            a_table_is_for_people(&told);
            a_reader_that_goes_is_a_good_end(&told);
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
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), said.lines().count()), (Some(4), 1), "{tool}: {said}");
            assert!(
                output.stdout.is_empty() && named.iter().all(|name| said.contains(name)),
                "{tool}: {said}"
            );
            assert!(unnamed.is_empty() || !said.contains(unnamed), "what is there is not missing: {said}");
        }
    }
}
