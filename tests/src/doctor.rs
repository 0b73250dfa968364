//! What `ebpfmux --check` tells.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::kernel;
use crate::records::parse;

/// What it told, from JSON.
pub struct Told {
    /// Its exit status.
    pub status: Option<i32>,
    /// The facts of the system.
    pub system: Value,
    /// By their names.
    pub tools: BTreeMap<String, Value>,
}

/// The statuses of these tools' own `--check`, for root.
pub fn first_statuses<'a>(tools: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Option<i64>> {
    let status = |tool: &str| kernel::first_check(tool).status.map(i64::from);
    tools.into_iter().map(|tool| (tool.to_string(), status(tool))).collect()
}

impl Told {
    /// Runs this, which is `ebpfmux --check -o json`, or becomes it.
    pub fn by(command: &mut Command) -> Self {
        let output = command.output().expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.is_empty(), "{command:?}: {stderr}");
        let mut objects = parse(std::str::from_utf8(&output.stdout).expect("UTF-8"));
        assert!(!objects.is_empty(), "{command:?} told nothing");
        let tools = objects.split_off(1);
        let name = |row: &Value| row["tool"].as_str().expect("a name").to_owned();
        Self {
            status: output.status.code(),
            system: objects.remove(0),
            tools: tools.into_iter().map(|row| (name(&row), row)).collect(),
        }
    }

    /// The exit status of each tool's `--check`.
    pub fn statuses(&self) -> BTreeMap<String, Option<i64>> {
        self.tools.iter().map(|(tool, row)| (tool.clone(), row["status"].as_i64())).collect()
    }

    /// Asserts that the exit status is that of the worst of the tools.
    pub fn is_summed_up(&self) {
        let statuses: Vec<_> = self.tools.values().map(|row| row["status"].as_i64()).collect();
        let any = |status| statuses.contains(&Some(status));
        let silent = |row: &Value| row["works"] == "unknown" && row["status"] != 2;
        let expected = match () {
            () if any(4) => 4,
            () if any(3) => 3,
            () if self.tools.values().any(silent) => 1,
            () => 0,
        };
        assert_eq!(self.status, Some(expected), "{:?}", self.tools);
    }

    /// What a tool's row says stands in the way.
    pub fn message(&self, tool: &str) -> &str {
        self.tools[tool]["message"].as_str().unwrap_or_default()
    }
}
