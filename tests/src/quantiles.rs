//! What a latency record tells, and the same read off sorted values.

use serde_json::Value;

use crate::kernel;

/// What the histogram's buckets may be off.
const RELATIVE: f64 = 0.032;

/// What a field may be off: the extremes are exact, but for kernels that cannot compare and exchange.
pub fn relative(field: &str) -> f64 {
    let extreme = field.ends_with("min_us") || field.ends_with("max_us");
    if extreme && kernel::of_guest().as_deref() != Some("5.10") { 0.0 } else { RELATIVE }
}

/// Asserts of each distribution in a record that its percentiles and its mean lie between its extremes, in their order;
/// of a single value all are that value.
pub fn are_in_order(record: &Value) {
    for part in ["", "queue_", "wait_"] {
        let number = |field: &str| record[format!("{part}{field}")].as_f64();
        let all = FIELDS.map(|(field, _)| number(field));
        let [Some(count), Some(min), Some(mean), Some(max)] =
            ["count", "min_us", "mean_us", "max_us"].map(number)
        else {
            continue;
        };
        assert!(all.is_sorted() && min <= mean && mean <= max, "not in order: {record}");
        assert!(count != 1.0 || min == max, "one value, told as several: {record}");
    }
}

/// Those between the extremes, the extremes, and the share of values that are at most theirs.
pub const FIELDS: [(&str, f64); 6] = [
    ("min_us", 0.0),
    ("p50_us", 0.5),
    ("p90_us", 0.9),
    ("p99_us", 0.99),
    ("p999_us", 0.999),
    ("max_us", 1.0),
];

/// The place of a quantile among so many sorted values.
pub fn rank(sorted: &[f64], quantile: f64) -> usize {
    (quantile * sorted.len() as f64).ceil().max(1.0) as usize - 1
}

/// The value at that place.
pub fn quantile(sorted: &[f64], quantile: f64) -> f64 {
    sorted[rank(sorted, quantile)]
}

/// A field that holds a number.
pub fn number(record: &Value, field: &str) -> f64 {
    record[field].as_f64().unwrap_or_else(|| panic!("{field} is no number in {record}"))
}
