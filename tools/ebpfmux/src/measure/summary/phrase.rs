//! Sums as phrases: `3 210 execs (14 failed)`, `774 MiB read p99 1.2 ms`, `37 fsyncs 0.4 s`.

use ::record::fields::{Field, Kind, Unit};

use crate::record::declared::Declared;
use crate::record::{Fields, Value, find};

/// How many counters of a record are named: those that a narrow table has first.
const COUNTERS: usize = 3;
const ERRORS: &str = "_errors";
const BYTES: &str = "_bytes";

/// What a record of sums has to say; nothing if all is 0.
pub fn phrases(record: &Fields<'_>) -> Vec<String> {
    let declared = Declared::of(record);
    let is_key = |name: &str| declared.kind(name) == Some(&Kind::Key) && !matches!(name, "host" | "tool");
    let keys = record.iter().filter(|(name, value)| is_key(name) && *value != Value::Null);
    let label = keys.map(|(_, value)| value.text()).collect::<Vec<_>>().join(" ");
    match number(record, "count") {
        Some(count) => of_times(record, count, &label).into_iter().collect(),
        None => of_counters(record, declared, &label),
    }
}

/// Of operations that take time.
fn of_times(record: &Fields<'_>, count: f64, label: &str) -> Option<String> {
    if count <= 0.0 {
        return None;
    }
    let bytes = number(record, "bytes").filter(|bytes| *bytes > 0.0);
    let mut phrase = match bytes {
        Some(amount) => format!("{} {}", self::bytes(amount), past(label)),
        None => format!("{} {}", digits(count), plural(label, count)),
    };
    match number(record, "p99_us").filter(|_| bytes.is_some()) {
        Some(p99) => phrase += &format!(" p99 {}", time(p99)),
        None => phrase.extend(number(record, "mean_us").map(|mean| format!(" {}", time(mean * count)))),
    }
    let failed = number(record, "errors").filter(|failed| *failed > 0.0);
    phrase.extend(failed.map(|failed| format!(" ({} failed)", digits(failed))));
    Some(phrase)
}

/// Of what is only counted.
fn of_counters(record: &Fields<'_>, declared: Declared<'_>, label: &str) -> Vec<String> {
    let field = |name: &str| declared.field(name).map(|(field, _)| field);
    let counted = |name: &str| field(name).is_some_and(|field| field.kind == Kind::Counter);
    let mut counters: Vec<(&str, &Field, f64)> = record
        .iter()
        .filter(|(name, _)| counted(name) && !declared.is_of_system(name))
        .filter_map(|(name, _)| Some((name.as_ref(), field(name)?, number(record, name)?)))
        .filter(|(_, _, value)| *value > 0.0)
        .collect();
    counters.sort_by_key(|(_, field, _)| field.column.rank.unwrap_or(u8::MAX));
    let errors_of = |name: &str| format!("{}{ERRORS}", name.strip_suffix('s').unwrap_or(name));
    let told = |name: &str| {
        // Told with what failed, if that is told.
        name.strip_suffix(ERRORS).is_none_or(|stem| number(record, &format!("{stem}s")).unwrap_or(0.0) <= 0.0)
    };
    let named = counters.into_iter().filter(|(name, ..)| told(name)).take(COUNTERS);
    named
        .map(|(name, field, value)| {
            let mut phrase = match field.unit {
                Unit::Bytes => {
                    format!("{} {}", bytes(value), name.strip_suffix(BYTES).unwrap_or(name).replace('_', " "))
                }
                _ => format!("{} {}", digits(value), singular(name, value).replace('_', " ")),
            };
            let failed = number(record, &errors_of(name)).filter(|failed| *failed > 0.0);
            phrase.extend(failed.map(|failed| format!(" ({} failed)", digits(failed))));
            if label.is_empty() { phrase } else { format!("{label} {phrase}") }
        })
        .collect()
}

/// The number of a field.
pub fn number(record: &Fields<'_>, name: &str) -> Option<f64> {
    match find(record, name)? {
        Value::Plain(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// A whole number, its digits in groups of three: `3 210`.
fn digits(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// An amount of bytes: `774 MiB`.
pub fn bytes(value: f64) -> String {
    let short = table::numbers::bytes(value);
    match short.strip_suffix(|last: char| last.is_ascii_alphabetic()) {
        Some(number) => format!("{number} {}iB", &short[number.len()..]),
        None => format!("{short} B"),
    }
}

/// A length of time, given in microseconds: `12 µs`, `1.2 ms`, `41.2 s`.
pub fn time(micros: f64) -> String {
    match micros {
        _ if micros < 1e3 => format!("{} µs", table::numbers::significant(micros)),
        _ if micros < 1e6 => format!("{} ms", table::numbers::significant(micros / 1e3)),
        _ => format!("{:.1} s", micros / 1e6),
    }
}

/// What was done with bytes.
fn past(op: &str) -> &str {
    match op {
        "write" => "written",
        "discard" => "discarded",
        _ => op,
    }
}

fn plural(label: &str, count: f64) -> String {
    match label {
        "" => "times".to_owned(),
        _ if count == 1.0 || label.ends_with('s') => label.to_owned(),
        _ => format!("{label}s"),
    }
}

/// A counter's name is a plural.
fn singular(name: &str, value: f64) -> &str {
    if value == 1.0 { name.strip_suffix('s').unwrap_or(name) } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::from_json;

    fn of(record: &str) -> Vec<String> {
        phrases(&from_json(record.as_bytes()).unwrap())
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!([0.0, 14.0, 3210.0, 1_234_567.0].map(digits), ["0", "14", "3 210", "1 234 567"]);
        assert_eq!([12.0, 4096.0, 811_597_824.0].map(bytes), ["12 B", "4.00 KiB", "774 MiB"]);
        assert_eq!([0.5, 1200.0, 41_240_000.0].map(time), ["0.500 µs", "1.20 ms", "41.2 s"]);
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert!(of(r#"{"tool":"none","interval_s":1,"op":"read","count":0,"p99_us":null}"#).is_empty());
        let read = r#"{"tool":"none","interval_s":1,"op":"read","count":3,"bytes":811597824,"p99_us":1200,"errors":1}"#;
        assert_eq!(of(read), ["774 MiB read p99 1.20 ms (1 failed)"]);
        let call = r#"{"tool":"none","interval_s":1,"call":"fsync","count":37,"mean_us":10000,"errors":0}"#;
        assert_eq!(of(call), ["37 fsyncs 370 ms"]);
    }
}
