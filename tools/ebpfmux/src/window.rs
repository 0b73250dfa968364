//! One window of a join: the values of every tool and key in it, side by side.

use std::collections::HashMap;

use crate::keys::{escape, is_key, keys};
use crate::record::{Fields, Value, find};
use crate::rule::{Rule, rule};

/// A value of a window.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A whole number, which adds up.
    Count(i128),
    /// Any other value.
    Other(Value<'static>),
}

/// The values of one window, named `HOST.TOOL.KEY….FIELD`.
#[derive(Default)]
pub struct Window {
    /// In the order of their coming.
    pub cells: Vec<(String, Cell)>,
    /// The hosts seen in it.
    pub hosts: Vec<String>,
    index: HashMap<String, usize>,
}

impl Window {
    /// Adds a record's values.
    pub fn add(&mut self, fields: &Fields<'_>) {
        let text = |wanted: &str| match find(fields, wanted) {
            Some(Value::Text(text)) => text.as_ref(),
            _ => "",
        };
        let host = text("host");
        if !self.hosts.iter().any(|known| known == host) {
            self.hosts.push(host.to_owned());
        }
        let mut prefix = escape(host).into_owned() + "." + &escape(text("tool"));
        for key in keys(fields) {
            prefix = prefix + "." + &escape(key);
        }
        for (name, value) in fields {
            match (name.as_ref(), value) {
                ("ts" | "host" | "tool" | "interval_s", _) => {}
                (name, value) if is_key(name, value) => {}
                (name, value) => self.put(format!("{prefix}.{}", escape(name)), rule(name).0, value),
            }
        }
    }

    fn put(&mut self, name: String, rule: Rule, value: &Value<'_>) {
        let new = match value {
            Value::Plain(raw) => {
                raw.parse().map_or_else(|_| Cell::Other(value.clone().into_owned()), Cell::Count)
            }
            value => Cell::Other(value.clone().into_owned()),
        };
        match self.index.get(&name) {
            Some(at) => {
                let old = &mut self.cells[*at].1;
                if let Some(merged) = merge(rule, old, new) {
                    *old = merged;
                }
            }
            None => {
                self.index.insert(name.clone(), self.cells.len());
                self.cells.push((name, new));
            }
        }
    }
}

/// What the second value makes of the first; `None` leaves the first. Percentiles, means and ratios of two cannot be had
/// from them, and the last stands.
fn merge(rule: Rule, old: &Cell, new: Cell) -> Option<Cell> {
    if new == Cell::Other(Value::Null) {
        return None;
    }
    match (rule, old, &new) {
        (Rule::Add, Cell::Count(old), Cell::Count(new)) => Some(Cell::Count(old.saturating_add(*new))),
        (Rule::Least | Rule::Greatest, old, new_cell) => match (number(old), number(new_cell)) {
            (Some(old), Some(new_number)) if (rule == Rule::Least) != (new_number < old) => None,
            _ => Some(new),
        },
        _ => Some(new),
    }
}

fn number(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Count(count) => Some(*count as f64),
        Cell::Other(value) => value.text().parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::from_json;

    fn joined(lines: &[&str]) -> Vec<(String, String)> {
        let mut window = Window::default();
        for line in lines {
            window.add(&from_json(line.as_bytes()).unwrap());
        }
        let show = |cell: &Cell| match cell {
            Cell::Count(count) => count.to_string(),
            Cell::Other(value) => value.text().to_owned(),
        };
        window.cells.iter().map(|(name, cell)| (name.clone(), show(cell))).collect()
    }

    #[test]
    fn names_are_tool_keys_field() {
        let cells = joined(&[
            r#"{"ts":"x","host":"a.b","tool":"biolat","interval_s":1.0,"disk":"vda","op":null,"pid":7,"p99_us":1.5,"lost":0}"#,
            r#"{"ts":"x","host":"a.b","tool":"fs","cgroup":"/x.slice","reads":1,"ratio":null}"#,
        ]);
        let expected = [
            ("a%2Eb.biolat.vda.7.p99_us", "1.5"),
            ("a%2Eb.biolat.vda.7.lost", "0"),
            ("a%2Eb.fs./x%2Eslice.reads", "1"),
            ("a%2Eb.fs./x%2Eslice.ratio", "null"),
        ];
        assert_eq!(cells, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn two_records_of_one_key_become_one() {
        let cells = joined(&[
            r#"{"tool":"t","count":18446744073709551615,"min_us":1,"max_us":9.5,"p99_us":4,"hit_ratio":0.5,"zombies":5,"lost":1}"#,
            r#"{"tool":"t","count":1,"min_us":2,"max_us":3,"p99_us":3,"hit_ratio":null,"zombies":2,"lost":2}"#,
        ]);
        let values: Vec<&str> = cells.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["18446744073709551616", "1", "9.5", "3", "0.5", "2", "3"]);
    }
}
