//! What is read off records.

use serde_json::Value;

use crate::kernel;

/// A field that holds a count.
pub fn count(record: &Value, field: &str) -> u64 {
    record[field].as_u64().unwrap_or_else(|| panic!("{field} is no count in {record}"))
}

/// The sum of a field over records.
pub fn sum<'a>(records: impl IntoIterator<Item = &'a Value>, field: &str) -> u64 {
    records.into_iter().map(|record| count(record, field)).sum()
}

/// Asserts that counts are as expected, and nothing lost. Where programs can be preempted (Debian from Linux 6.18 on) a program is left
/// out when another task's run of it was interrupted on the same processor: what is missing then must be in `lost`.
pub fn agree(what: &str, told: &[u64], expected: &[u64], lost: u64) {
    if !kernel::may_have_left_out(lost) {
        assert_eq!((told, lost), (expected, 0), "{what}");
    }
    agree_but_for(what, told, expected, lost);
}

/// The same of programs that any kernel may leave out: those that an interrupt runs, where it would interrupt themselves.
pub fn agree_but_for(what: &str, told: &[u64], expected: &[u64], lost: u64) {
    let missing: u64 = told.iter().zip(expected).map(|(told, expected)| expected.saturating_sub(*told)).sum();
    let none_too_many = told.iter().zip(expected).all(|(told, expected)| told <= expected);
    assert!(none_too_many && missing <= lost, "{what}: {told:?} told of {expected:?}, {lost} lost");
}

/// The same of what two told of one thing, or where what is left out of one may be told of another: either may have more.
pub fn agree_with(what: &str, told: &[u64], other: &[u64], lost: u64) {
    if !kernel::may_have_left_out(lost) {
        assert_eq!((told, lost), (other, 0), "{what}");
    }
    let apart: u64 = told.iter().zip(other).map(|(told, other)| told.abs_diff(*other)).sum();
    assert!(apart <= lost, "{what}: {told:?} beside {other:?}, {lost} lost");
}

/// The records with this text in a field.
pub fn with<'a>(records: &'a [Value], field: &str, text: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record[field] == text).collect()
}

/// The records of a disk and operation.
pub fn of_disk<'a>(records: &'a [Value], disk: &str, op: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["disk"] == disk && record["op"] == op).collect()
}

/// The records of lines of JSON.
pub fn parse(text: &str) -> Vec<Value> {
    let record =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"));
    text.lines().map(record).collect()
}
