//! A tool by what it says of itself, and whether it keeps to that.

use std::process::Command;

use jiff::Timestamp;
use jsonschema::Validator;
use serde_json::Value;

use crate::programs::built;
use crate::refusal::run;

/// What stands at the begin of every interval record.
pub const FIRST: [&str; 4] = ["ts", "host", "tool", "interval_s"];
/// What stands at the end of any.
pub const LAST: [&str; 3] = ["bpf_ns", "bpf_runs", "lost"];

/// A tool by what it says of itself, without any right.
pub struct ToolSchema {
    /// Its name.
    pub tool: &'static str,
    /// What --help prints.
    pub help: String,
    /// The values of `--by`, the system's left out, where the tool has it.
    by: Vec<String>,
    /// What --schema prints.
    pub schema: Value,
    validator: Validator,
}

impl ToolSchema {
    /// Asks it.
    pub fn of(tool: &'static str) -> Self {
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

    /// Whether it has this option.
    pub fn has(&self, option: &str) -> bool {
        // As the list of options begins a line, and the text around it does not.
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

    /// `--by` with one of the tool's values, another for each run.
    pub fn by(&self, run: usize) -> Vec<String> {
        self.by.get(run).map_or_else(Vec::new, |by| vec!["--by".to_string(), by.clone()])
    }

    /// A record's fields and values are as the schema says.
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

    /// In the schema's order, none that it does not have, and none left out that is required.
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

    /// Runs it to its end, which must be good; what it printed. Nothing where this kernel refuses the tool, in one line
    /// and with the status for it.
    pub fn run(&self, options: &[&str], more: Vec<String>) -> Option<String> {
        let output = Command::new(built(self.tool)).args(options).args(&more).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => Some(String::from_utf8(output.stdout).expect("UTF-8")),
            Some(3 | 4) if said.lines().count() == 1 && output.stdout.is_empty() => None,
            other => panic!("{} {options:?} {more:?}: {other:?}: {said}", self.tool),
        }
    }

    /// The same by this kind of hook, if the kernel allows it, else as it can.
    pub fn run_by(&self, kind: &str, options: &[&str], more: Vec<String>) -> Option<String> {
        let forced = self.run(&[options, &["--attach", kind]].concat(), more.clone());
        forced.or_else(|| self.run(options, more))
    }
}
