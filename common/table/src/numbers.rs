//! Numbers as a person reads them.

use record::fields::{Kind, Unit};

/// From here on a count is shown with K, M, G, …: all up to it are at most five digits.
const LARGE: f64 = 100_000.0;

/// A number of this kind and unit, given as its digits: three significant digits with K, M, G for bytes (of 1 024) and large
/// counts (of 1 000), or with `exact` all digits. What only names something (a pid, a port) keeps its digits.
pub fn number(digits: &str, kind: Option<&Kind>, unit: Unit, exact: bool) -> String {
    let Ok(value) = digits.parse::<f64>() else { return digits.to_owned() };
    let whole = !digits.contains(['.', 'e', 'E']);
    if exact {
        return digits.to_owned();
    }
    match has_all_digits(whole, kind, unit) {
        true => digits.to_owned(),
        false => of_value(value, whole, kind, unit),
    }
}

/// The same of a number that has no digits yet, without `exact`; whether it is whole.
pub fn of_value(value: f64, whole: bool, kind: Option<&Kind>, unit: Unit) -> String {
    match unit {
        _ if has_all_digits(whole, kind, unit) => format!("{value:.0}"),
        Unit::Bytes => bytes(value),
        _ if !whole => significant(value),
        _ => count(value),
    }
}

/// Whether it is neither an amount nor a length of time.
fn has_all_digits(whole: bool, kind: Option<&Kind>, unit: Unit) -> bool {
    let is_count = matches!(kind, Some(Kind::Counter | Kind::Gauge | Kind::Difference(_)))
        && matches!(unit, Unit::None | Unit::Pages);
    whole && unit != Unit::Bytes && !is_count
}

/// A count: all digits of a small one, else 123K, 4.56M.
pub fn count(value: f64) -> String {
    if value.abs() < LARGE { format!("{value:.0}") } else { scaled(value, 1_000.0) }
}

/// Bytes: 512, 4.00K, 7.79M; K is 1 024 bytes.
pub fn bytes(value: f64) -> String {
    if value.abs() < 1_024.0 { format!("{value:.0}") } else { scaled(value, 1_024.0) }
}

fn scaled(value: f64, base: f64) -> String {
    let (mut value, mut prefixes) = (value / base, "KMGTPEZY".chars());
    let mut prefix = prefixes.next().unwrap_or_default();
    // What would be rounded to the base is one of the next prefix.
    while value.abs() >= base - 0.5 {
        let Some(next) = prefixes.next() else { break };
        (value, prefix) = (value / base, next);
    }
    format!("{}{prefix}", significant(value))
}

/// Three significant digits, or all digits before the point; readers need no more.
pub fn significant(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 || size == 0.0 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.9995 => format!("{value:.2}"),
        // Seconds may be as small; no digit would be left.
        size if size < 0.0005 => format!("{value:.1e}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!(
            [1234.5, 99.96, 12.345, 1.2345, 0.0016, 0.000256, 0.0].map(significant),
            ["1234", "100", "12.3", "1.23", "0.002", "2.6e-4", "0"]
        );
    }

    #[test]
    fn bytes_and_large_counts_have_prefixes() {
        let with = [1_023.0, 1_024.0, 8_163_328.0, 1_048_575.0, 5e13].map(bytes);
        assert_eq!(with, ["1023", "1.00K", "7.79M", "1.00M", "45.5T"]);
        let with = [99_999.0, 123_456.0, 999_499.0, 999_999.0, 4_560_000.0, -2e9].map(count);
        assert_eq!(with, ["99999", "123K", "999K", "1.00M", "4.56M", "-2.00G"]);
    }

    #[test]
    fn what_names_something_keeps_its_digits() {
        let of = |digits, kind, unit, exact| number(digits, Some(&kind), unit, exact);
        assert_eq!(of("4194304", Kind::Key, Unit::None, false), "4194304");
        assert_eq!(of("4194304", Kind::Counter, Unit::None, false), "4.19M");
        assert_eq!(of("4194304", Kind::Counter, Unit::Bytes, true), "4194304");
        assert_eq!(of("4194304", Kind::Value, Unit::Bytes, false), "4.00M");
        assert_eq!(of("104.447", Kind::Maximum, Unit::Microseconds, false), "104");
        assert_eq!(of("2423808", Kind::Maximum, Unit::Microseconds, false), "2423808");
        assert_eq!(number("true", None, Unit::None, false), "true");
    }
}
