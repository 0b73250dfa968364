//! A column: a field of a tool's records.

use record::fields::{Kind, Unit};
use table::column::Column as Look;

use crate::record::decimal::short;
use crate::record::declared::Declared;
use crate::record::keys::is_key;
use crate::record::{Value, number};

/// The rank of a column that tables have only where all have room.
const UNRANKED: u8 = 100;

/// What a field is to the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A text of the row: a key, or what describes an event.
    Text,
    /// A number of each interval.
    Number,
    /// A histogram of each interval.
    Buckets,
}

/// A column.
pub struct Column {
    /// How a table shows it, and the field's name.
    pub look: Look,
    /// What it is.
    pub role: Role,
    /// Whether it tells rows apart.
    pub key: bool,
    /// Its place among those of its role.
    pub slot: usize,
}

impl Column {
    /// The column of a field, the first value of which is this; `None` if that does not tell yet, or it is none.
    pub fn of(
        declared: Declared<'_>,
        name: &str,
        value: &Value<'_>,
        slot: impl Fn(Role) -> usize,
    ) -> Option<Self> {
        if matches!(name, "ts" | "tool" | "interval_s" | "clock_step_s") {
            return None;
        }
        let field = declared.field(name).map(|(field, _)| field);
        let key = name == "host" || is_key(declared, name, value);
        let role = match (field.map(|field| &field.kind), value) {
            (Some(Kind::Buckets), _) => Role::Buckets,
            (Some(Kind::Bounds), _) | (None, Value::Null | Value::Nested(_)) => return None,
            _ if key => Role::Text,
            (Some(_), _) if field.is_some_and(|field| field.text) => Role::Text,
            (_, Value::Text(_)) => Role::Text,
            _ => Role::Number,
        };
        Some(Self { look: Look::new(name, field), role, key, slot: slot(role) })
    }

    /// The field's name.
    pub fn name(&self) -> &str {
        &self.look.name
    }

    /// How much it matters: the lowest first.
    pub fn rank(&self) -> u8 {
        self.look.rank.unwrap_or(UNRANKED)
    }

    /// A number of this column, for a person.
    pub fn shown(&self, value: f64, exact: bool) -> String {
        if value.is_nan() {
            return "-".to_owned();
        }
        let whole = value.fract() == 0.0 && self.look.unit != Unit::Microseconds;
        match exact {
            true if value.fract() == 0.0 => format!("{value:.0}"),
            true => format!("{value}"),
            false => table::numbers::of_value(value, whole, self.look.kind.as_ref(), self.look.unit),
        }
    }
}

/// A value as a number: not one if it is none.
pub fn number_of(value: &Value<'_>) -> f64 {
    match value {
        Value::Plain(raw) if raw == "true" => 1.0,
        Value::Plain(raw) if raw == "false" => 0.0,
        Value::Plain(raw) => match short(raw.as_bytes()) {
            // Nearly all are.
            Some((number, length)) if length == raw.len() => number,
            _ => raw.parse().unwrap_or(f64::NAN),
        },
        _ => f64::NAN,
    }
}

/// A histogram as the tools print it: the number of its bucket (`record::histogram`) and the count, for each.
pub fn buckets_of(raw: &str) -> Vec<(usize, f64)> {
    let pairs = raw.trim_start_matches('[').split(['[', ']']).filter(|pair| pair.len() > 2);
    let pair = |pair: &str| {
        let (upper, count) = pair.split_once(',')?;
        let upper_ns = (upper.parse::<f64>().ok()? * 1e3).round() as u64;
        let count = number::count(count)? as f64;
        Some((record::histogram::bucket_of(upper_ns.saturating_sub(1)), count))
    };
    pairs.filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_are_read_exactly() {
        for text in [
            ".",
            "1.",
            "0",
            "7",
            "1993",
            "0.1",
            "8.163328",
            "123456789012345",
            "99999.999",
            "0.000001",
            "1e3",
            "-5",
            "1.2.3",
            "",
        ] {
            let value = Value::Plain(text.into());
            let expected: f64 = text.parse().unwrap_or(f64::NAN);
            let read = number_of(&value);
            assert!(read == expected || read.is_nan() && expected.is_nan(), "{text}: {read} {expected}");
        }
        assert_eq!(number_of(&Value::Plain("true".into())), 1.0);
        assert!(number_of(&Value::Null).is_nan());
    }

    #[test]
    fn buckets_are_those_of_the_tools() {
        let read = buckets_of("[[77.824,1],[0.432,3],[221.184,2]]");
        let bounds: Vec<_> = read.iter().map(|(bucket, _)| record::histogram::bounds_ns(*bucket).1).collect();
        assert_eq!(bounds, [77_824, 432, 221_184]);
        assert_eq!(read.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1.0, 3.0, 2.0]);
        assert!(
            buckets_of("[]").is_empty() && buckets_of("[[1]]").is_empty() && buckets_of("[[x,1]]").is_empty()
        );
    }
}
