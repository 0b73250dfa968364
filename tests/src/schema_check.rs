//! A tool as it describes itself (--help, --schema), and whether its records conform.

use std::process::Command;

use jiff::Timestamp;
use jsonschema::Validator;
use serde_json::Value;

use crate::programs::built;
use crate::refusal::run;

/// The first fields of every interval record.
pub const FIRST: [&str; 4] = ["ts", "host", "tool", "interval_s"];
/// The last fields of every interval record that count: with --overhead.
pub const LAST: [&str; 3] = ["bpf_ns", "bpf_runs", "lost"];
/// The levels among the last fields, with --overhead.
pub const LEVELS: [&str; 3] = ["bpf_bytes", "bpf_maps", "bpf_keys"];

/// A tool as it describes itself, run without capabilities.
pub struct ToolSchema {
    /// Its name.
    pub tool: &'static str,
    /// What --help prints.
    pub help: String,
    /// The values of `--by` except `system`, if the tool has the option.
    by: Vec<String>,
    /// What --schema prints.
    pub schema: Value,
    validator: Validator,
}

impl ToolSchema {
    /// Runs its --help and --schema.
    pub fn of(tool: &'static str) -> Self {
        let good = |options: &str| {
            let (code, out, stderr) = run(&format!("$BIN/{tool} {options}"));
            assert_eq!((code, stderr.len()), (Some(0), 0), "{tool} {options}: {stderr:?}");
            out
        };
        // With an interval: without one, some tools print events.
        let schema: Value = serde_json::from_str(&good("--schema 1")).expect("JSON");
        let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{tool}: {error}"));
        let (_, _, stderr) = run(&format!("$BIN/{tool} --by no-owner"));
        let by = stderr.first().and_then(|line| line.split_once("[possible values: ")?.1.split(']').next());
        let by = by.into_iter().flat_map(|by| by.split(", ")).filter(|by| *by != "system");
        Self { tool, help: good("--help"), by: by.map(String::from).collect(), schema, validator }
    }

    /// Whether it has this option.
    pub fn has(&self, option: &str) -> bool {
        // In the list of options the name begins a line; in the text around it, it does not.
        let listed = |line: &str| {
            let rest = line.strip_prefix("  -p, ").or(line.strip_prefix("      "));
            rest.is_some_and(|rest| rest.split(' ').next() == Some(option))
        };
        self.help.lines().any(listed)
    }

    /// The names of the fields that a record can have, in their order.
    pub fn fields(&self) -> Vec<&str> {
        self.schema["properties"].as_object().expect("an object").keys().map(String::as_str).collect()
    }

    /// `--by` with one of the tool's values, a different one for each run.
    pub fn by(&self, run: usize) -> Vec<String> {
        self.by.get(run).map_or_else(Vec::new, |by| vec!["--by".to_string(), by.clone()])
    }

    /// Asserts that a record's fields and values conform to the schema.
    pub fn judge(&self, record: &Value) {
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

    /// Asserts that the fields are in the schema's order, that all are in the schema, and that none
    /// of the required ones is missing.
    pub fn judge_order(&self, keys: &[&str]) {
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

    /// Runs it; it must succeed. Returns its stdout, or `None` where this kernel refuses the tool,
    /// with one line and the status for it.
    pub fn run(&self, options: &[&str], more: Vec<String>) -> Option<String> {
        let output = Command::new(built(self.tool)).args(options).args(&more).output().expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => Some(String::from_utf8(output.stdout).expect("UTF-8")),
            Some(3 | 4) if stderr.lines().count() == 1 && output.stdout.is_empty() => None,
            other => panic!("{} {options:?} {more:?}: {other:?}: {stderr}", self.tool),
        }
    }

    /// The same with this kind of hook if the kernel allows it, else with the default.
    pub fn run_by(&self, kind: &str, options: &[&str], more: Vec<String>) -> Option<String> {
        let forced = self.run(&[options, &["--attach", kind]].concat(), more.clone());
        forced.or_else(|| self.run(options, more))
    }
}
