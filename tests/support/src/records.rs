//! Reading records.

use serde_json::Value;

/// Parses lines of JSON.
pub fn parse(text: &str) -> Vec<Value> {
    let record =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"));
    text.lines().map(record).collect()
}
