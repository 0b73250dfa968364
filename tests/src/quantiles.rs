//! What a latency record tells, and the same read off sorted values.

use serde_json::Value;

/// What the histogram's buckets may be off.
pub const RELATIVE: f64 = 0.032;

/// The fields that come from the buckets, and the share of values that are at most theirs.
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
