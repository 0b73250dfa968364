//! Reading values from records.

use std::collections::BTreeMap;

use serde_json::Value;
pub use test_support::records::parse;

/// A field that holds a count.
pub fn count(record: &Value, field: &str) -> u64 {
    record[field].as_u64().unwrap_or_else(|| panic!("{field} is no count in {record}"))
}

/// The sum of a field over records.
pub fn sum<'a>(records: impl IntoIterator<Item = &'a Value>, field: &str) -> u64 {
    records.into_iter().map(|record| count(record, field)).sum()
}

/// A field that holds a count, or null where there is no such thing: 0.
pub fn count_if_any(record: &Value, field: &str) -> u64 {
    if record[field].is_null() { 0 } else { count(record, field) }
}

/// The sum of such a field over records.
pub fn sum_if_any<'a>(records: impl IntoIterator<Item = &'a Value>, field: &str) -> u64 {
    records.into_iter().map(|record| count_if_any(record, field)).sum()
}

/// The sums over records of each field with whole numbers, without those that are 0.
pub fn sums(records: &[Value]) -> BTreeMap<&str, u64> {
    let mut sums = BTreeMap::new();
    for (name, value) in records.iter().filter_map(Value::as_object).flatten() {
        if let Some(count) = value.as_u64().filter(|count| *count > 0) {
            *sums.entry(name.as_str()).or_default() += count;
        }
    }
    sums
}

/// The records with this text in a field.
pub fn with<'a>(records: &'a [Value], field: &str, text: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record[field] == text).collect()
}

/// The records of a disk and operation.
pub fn of_disk<'a>(records: &'a [Value], disk: &str, op: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["disk"] == disk && record["op"] == op).collect()
}
