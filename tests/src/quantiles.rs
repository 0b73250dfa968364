//! The latencies of a record, and the exact quantiles of sorted values.

use serde_json::Value;

use crate::kernel;

/// The maximum relative error of the histogram's buckets.
const RELATIVE: f64 = 0.032;

/// The maximum relative error of a field. The extremes are exact, except on kernels without an
/// atomic compare and exchange in BPF.
pub fn relative(field: &str) -> f64 {
    let extreme = field.ends_with("min_us") || field.ends_with("max_us");
    if extreme && kernel::of_guest().as_deref() != Some("5.10") { 0.0 } else { RELATIVE }
}

/// Asserts for each distribution in a record that percentiles and mean lie between the extremes, in
/// order, and that all are equal if there is a single value.
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
        assert!(count != 1.0 || min == max, "count is 1, but min and max differ: {record}");
    }
}

/// Percentiles and extremes, each with the share of values that are at most as large.
pub const FIELDS: [(&str, f64); 6] = [
    ("min_us", 0.0),
    ("p50_us", 0.5),
    ("p90_us", 0.9),
    ("p99_us", 0.99),
    ("p999_us", 0.999),
    ("max_us", 1.0),
];

/// The rank of a quantile among this many sorted values.
pub fn rank(sorted: &[f64], quantile: f64) -> usize {
    (quantile * sorted.len() as f64).ceil().max(1.0) as usize - 1
}

/// The value at that rank.
pub fn quantile(sorted: &[f64], quantile: f64) -> f64 {
    sorted[rank(sorted, quantile)]
}

/// A field that holds a number.
pub fn number(record: &Value, field: &str) -> f64 {
    record[field].as_f64().unwrap_or_else(|| panic!("{field} is no number in {record}"))
}
