//! What all tools promise alike, of every tool that there is: options, records, schema, ends and statuses.
//!
//! To attach takes seconds in a guest, so that each run of a tool tries several options at once.
#![allow(clippy::expect_used, reason = "tests")]

use std::process::{Command, Stdio};

use jiff::Timestamp;
use jsonschema::Validator;
use rustix::process::Signal;
use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::parallel::in_parallel;
use tests::programs::{TOOLS, built};
use tests::refusal::{refuses, run};
use tests::tool::{Tool, is_attached};
use tests::user::Programs;
use tests::{can_run, lock, records, until};

/// What stands at the begin of every interval record, and at the end of any.
const FIRST: [&str; 4] = ["ts", "host", "tool", "interval_s"];
const LAST: [&str; 3] = ["bpf_ns", "bpf_runs", "lost"];

/// A tool by what it says of itself, without any right.
struct Told {
    tool: &'static str,
    help: String,
    /// The values of `--by`, the system's left out, where the tool has it.
    by: Vec<String>,
    schema: Value,
    validator: Validator,
}

impl Told {
    fn of(tool: &'static str) -> Self {
        let good = |options: &str| {
            let (code, out, said) = run(&format!("$BIN/{tool} {options}"));
            assert_eq!((code, said.len()), (Some(0), 0), "{tool} {options}: {said:?}");
            out
        };
        // With an interval: some print events without.
        let schema: Value = serde_json::from_str(&good("--schema 1")).expect("JSON");
        let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{tool}: {error}"));
        let (_, _, said) = run(&format!("$BIN/{tool} --by nobody"));
        let by = said.first().and_then(|line| line.split_once("[possible values: ")?.1.split(']').next());
        let by = by.into_iter().flat_map(|by| by.split(", ")).filter(|by| *by != "system");
        Self { tool, help: good("--help"), by: by.map(String::from).collect(), schema, validator }
    }

    fn has(&self, option: &str) -> bool {
        // As the list of options begins a line, and the text around it does not.
        let listed = |line: &str| {
            let rest = line.strip_prefix("  -p, ").or(line.strip_prefix("      "));
            rest.is_some_and(|rest| rest.split(' ').next() == Some(option))
        };
        self.help.lines().any(listed)
    }

    /// The names of the fields that a record can have, in their order.
    fn fields(&self) -> Vec<&str> {
        self.schema["properties"].as_object().expect("an object").keys().map(String::as_str).collect()
    }

    /// `--by` with one of the tool's values, another for each run.
    fn by(&self, run: usize) -> Vec<String> {
        self.by.get(run).map_or_else(Vec::new, |by| vec!["--by".to_string(), by.clone()])
    }

    /// A record's fields and values are as the schema says.
    fn judge(&self, record: &Value) {
        let tool = self.tool;
        let errors: Vec<_> = self.validator.iter_errors(record).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{tool}: {errors:?}: {record}");
        let keys: Vec<_> = record.as_object().expect("an object").keys().map(String::as_str).collect();
        self.judge_order(&keys);
        assert_eq!(record["tool"], tool);
        let ts = record["ts"].as_str().expect("a text");
        assert!(ts.len() == 27 && ts.ends_with('Z') && ts.parse::<Timestamp>().is_ok(), "{tool}: {ts}");
        assert!(record["interval_s"].as_f64().is_some_and(|length| length > 0.0), "{record}");
    }

    /// In the schema's order, none that it does not have, and none left out that is required.
    fn judge_order(&self, keys: &[&str]) {
        let fields = self.fields();
        let mut rest = fields.iter();
        assert!(
            keys.iter().all(|key| rest.any(|field| field == key)),
            "{}: {keys:?} of {fields:?}",
            self.tool
        );
        assert_eq!(keys[..4], FIRST, "{}", self.tool);
        assert_eq!(keys.last(), Some(&"lost"), "{}", self.tool);
        let required = self.schema["required"].as_array().expect("a list").iter();
        let missing: Vec<_> = required.filter(|name| !keys.iter().any(|key| *name == key)).collect();
        assert!(missing.is_empty(), "{}: not there: {missing:?}", self.tool);
    }

    /// Runs it to its end, which must be good; what it printed. Nothing where this kernel refuses the tool, in one line
    /// and with the status for it.
    fn run(&self, options: &[&str], more: Vec<String>) -> Option<String> {
        let output = Command::new(built(self.tool)).args(options).args(&more).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => Some(String::from_utf8(output.stdout).expect("UTF-8")),
            Some(3 | 4) if said.lines().count() == 1 && output.stdout.is_empty() => None,
            other => panic!("{} {options:?} {more:?}: {other:?}: {said}", self.tool),
        }
    }

    /// The same by this kind of hook, if the kernel allows it, else as it can.
    fn run_by(&self, kind: &str, options: &[&str], more: Vec<String>) -> Option<String> {
        let forced = self.run(&[options, &["--attach", kind]].concat(), more.clone());
        forced.or_else(|| self.run(options, more))
    }
}

/// The moments at which intervals ended, each of which may have many records.
fn moments(all: &[Value]) -> Vec<&str> {
    let mut moments: Vec<_> = all.iter().map(|record| record["ts"].as_str().expect("a text")).collect();
    assert!(moments.is_sorted(), "time goes back: {moments:?}");
    moments.dedup();
    moments
}

fn json_is_as_the_schema_says(told: &Told) -> bool {
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

fn csv_has_the_same_fields_until_the_duration_is_over(told: &Told) {
    let Some(out) = told.run_by("kprobe", &["-q", "-o", "csv", "-d", "0.5", "0.2"], told.by(1)) else {
        return;
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
}

fn a_table_is_for_people(told: &Told) {
    let Some(out) = told.run_by("tracepoint", &["-o", "table", "0.2", "2"], told.by(2)) else { return };
    let heading = out.lines().find(|line| line.starts_with("time")).expect("a heading");
    assert!(heading.contains("lost") && !out.contains(['{', '"']), "{}: {out}", told.tool);
    let lines = out.lines().filter(|line| line.as_bytes().get(2) == Some(&b':')).count();
    assert!(lines >= 2, "{}: {out}", told.tool);
}

/// An interval in which nothing happens has a record, with nulls and zeros, and so has one that a signal cuts short.
fn idle_and_asked_to_end(told: &Told, signal: Signal, cgroup: &Cgroup) {
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
            assert!(value.is_null() || *value == 0, "{}: idle, and {name} is {value}", told.tool);
        }
    }
}

fn a_reader_that_goes_is_a_good_end(told: &Told) {
    let mut options = vec!["-q", "-o", "json", "600"];
    let own = std::process::id().to_string();
    if told.has("--pid") {
        options.extend(["-p", &own]);
    }
    let mut command = Command::new(built(told.tool));
    command.args(options).args(told.by(4)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    until(&format!("{} to attach", told.tool), || {
        let ended = child.try_wait().expect("it can be waited for");
        assert!(ended.is_none(), "{} ended early: {ended:?}", told.tool);
        is_attached(child.id()).then_some(())
    });
    drop(child.stdout.take());
    // It waits for the end of ten minutes, and yet sees it.
    let status = until("the tool to end", || child.try_wait().expect("it can be waited for"));
    let said = std::io::read_to_string(child.stderr.take().expect("piped")).expect("UTF-8");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""), "{}", told.tool);
}

#[test]
fn every_tool_keeps_to_the_records_and_the_ends() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    in_parallel(TOOLS, |tool| {
        let told = Told::of(tool);
        if !json_is_as_the_schema_says(&told) {
            return;
        }
        csv_has_the_same_fields_until_the_duration_is_over(&told);
        a_table_is_for_people(&told);
        idle_and_asked_to_end(&told, if tool.len() % 2 == 0 { Signal::INT } else { Signal::TERM }, &cgroup);
        a_reader_that_goes_is_a_good_end(&told);
    });
}

#[test]
fn what_a_tool_says_of_itself_needs_no_rights() {
    if !can_run() {
        return;
    }
    let programs = Programs::new();
    for tool in TOOLS {
        let told = Told::of(tool);
        assert_eq!(told.schema["title"], tool);
        let fields = told.fields();
        assert_eq!((&fields[..4], &fields[fields.len() - 3..]), (&FIRST[..], &LAST[..]), "{tool}");
        let undescribed = |field: &&&str| told.schema["properties"][**field]["description"].is_null();
        assert_eq!(fields.iter().find(undescribed), None, "{tool}: a field without a meaning");
        assert!(told.help.contains(&format!("\nExamples:\n  {tool} ")), "{}", told.help);
        for option in ["--help", "--schema", "--version"] {
            let output = programs.run::<&str>(&[], tool).arg(option).output().expect("setpriv runs");
            assert!(
                output.status.success() && output.stderr.is_empty() && !output.stdout.is_empty(),
                "{tool}"
            );
        }
        let (_, version, _) = run(&format!("$BIN/{tool} --version"));
        assert_eq!(version, format!("{tool} {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn bad_usage_is_one_line_and_status_2() {
    for tool in TOOLS {
        for (options, part) in [
            ("--frobnicate", "--frobnicate"),
            ("x", "x"),
            ("0", "0"),
            ("1 0", "0"),
            ("-1", "-1"),
            ("1 2 3", "3"),
            ("-o xml", "xml"),
            ("-d soon", "soon"),
            ("-p init", "init"),
            ("-p", "--pid"),
            ("-q -v", "-q"),
            ("--attach magic", "magic"),
        ] {
            refuses(&format!("$BIN/{tool} {options}"), 2, &[tool, part, "--help"]);
        }
        if Told::of(tool).has("--buckets") {
            refuses(&format!("$BIN/{tool} --buckets -o csv 0.1 1"), 2, &["--buckets has no CSV form"]);
        }
    }
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
