//! One window of a join: the values of every tool and key in it, side by side.

use std::borrow::Cow;
use std::collections::HashMap;

use record::fields::Kind;

use crate::record::declared::Declared;
use crate::record::keys::{escape, keys, values};
use crate::record::{Fields, Value, find};
use crate::window::room::{OVERHEAD, Room, SMALL};

/// A value of a window.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A whole number, which is summed.
    Count(i128),
    /// Any other value.
    Other(Value<'static>),
}

/// The values of one window, named `HOST.TOOL.KEY….FIELD`.
#[derive(Default)]
pub struct Wide {
    /// In the order of their arrival.
    pub cells: Vec<(String, Cell)>,
    /// The first host in it, and whether there are others.
    pub host: Option<String>,
    /// Whether there are several.
    pub several: bool,
    /// The size of all names and values, in bytes.
    bytes: usize,
    /// The known fields of each host, tool and key, by the prefix that these form.
    groups: HashMap<String, Group>,
    /// Memory for the prefix of the next record's names.
    prefix: String,
}

/// The known fields of one host, tool and key.
#[derive(Default)]
struct Group {
    fields: Vec<Known>,
    /// The indexes of the fields, by name, for records with another order of fields.
    index: HashMap<String, usize>,
}

/// A field of a group.
struct Known {
    name: String,
    /// The index of its cell.
    at: usize,
    kind: Option<&'static Kind>,
}

impl Wide {
    /// Adds a record's values, as far as there is room; returns how many there was none for.
    pub fn add(&mut self, fields: &Fields<'_>, room: Room) -> u64 {
        let text = |wanted: &str| match find(fields, wanted) {
            Some(Value::Text(text)) => text.as_ref(),
            _ => "",
        };
        let host = text("host");
        match &self.host {
            None => self.host = Some(host.to_owned()),
            Some(known) => self.several |= known != host,
        }
        let Self { cells, groups, prefix, bytes, .. } = self;
        prefix.clear();
        prefix.push_str(&escape(host));
        for part in std::iter::once(Cow::Borrowed(text("tool"))).chain(keys(fields)) {
            prefix.push('.');
            prefix.push_str(&escape(&part));
        }
        let declared = Declared::of(fields);
        if !groups.contains_key(prefix) {
            let cost = OVERHEAD + prefix.len();
            if cells.len() >= room.items || *bytes + cost > room.bytes {
                return values(declared, fields).count() as u64;
            }
            *bytes += cost;
            groups.insert(prefix.clone(), Group::default());
        }
        let mut left_out = 0;
        let Some(group) = groups.get_mut(prefix) else { return left_out };
        for (nth, (name, value)) in values(declared, fields).enumerate() {
            // Fields nearly always have the known order.
            let known = group.fields.get(nth).filter(|known| known.name == *name);
            let found = || group.index.get(name.as_ref()).map(|at| &group.fields[*at]);
            match known.or_else(found) {
                Some(known) => {
                    let old = &mut cells[known.at].1;
                    if known.kind.is_none() && *value != Value::Null {
                        declared.undeclared(name, "--join", "of several values of a key the last one stands");
                    }
                    let Some(merged) = merge(known.kind, old, Cell::of(value)) else { continue };
                    let (held, comes) = (old.bytes(), merged.bytes());
                    if comes > SMALL && *bytes + comes.saturating_sub(held) > room.bytes {
                        left_out += 1;
                        continue;
                    }
                    *bytes = (*bytes + comes).saturating_sub(held);
                    *old = merged;
                }
                None => {
                    let (at, cell) = (cells.len(), Cell::of(value));
                    let cost = OVERHEAD + prefix.len() + 3 * name.len() + cell.bytes();
                    if at >= room.items || *bytes + cost > room.bytes {
                        left_out += 1;
                        continue;
                    }
                    *bytes += cost;
                    group.index.insert(name.to_string(), group.fields.len());
                    group.fields.push(Known { name: name.to_string(), at, kind: declared.kind(name) });
                    cells.push((format!("{prefix}.{}", escape(name)), cell));
                }
            }
        }
        left_out
    }
}

impl Cell {
    fn of(value: &Value<'_>) -> Self {
        let whole = match value {
            Value::Plain(raw) => raw.parse::<i64>().map(i128::from).or_else(|_| raw.parse::<i128>()).ok(),
            _ => None,
        };
        whole.map_or_else(|| Self::Other(value.clone().into_owned()), Self::Count)
    }

    /// The whole number that it is, if it is one, however it is written.
    fn whole(&self) -> Option<i128> {
        match self {
            Self::Count(count) => Some(*count),
            Self::Other(value) => value.whole(),
        }
    }

    /// The size of what has no fixed size.
    fn bytes(&self) -> usize {
        match self {
            Self::Count(_) => 0,
            Self::Other(value) => value.text().len(),
        }
    }
}

/// Combines two values; `None` keeps the first. Two percentiles, means or ratios cannot be
/// combined, and undeclared fields have no rule: the last value is used.
fn merge(kind: Option<&Kind>, old: &Cell, new: Cell) -> Option<Cell> {
    if new == Cell::Other(Value::Null) {
        return None;
    }
    if *old == Cell::Other(Value::Null) {
        return Some(new);
    }
    let smaller = |old: &Cell, new: &Cell| Some(number(new)? < number(old)?);
    match (kind, old, &new) {
        (Some(Kind::Counter | Kind::Difference(_)), old, new) => add(old, new),
        (Some(Kind::Minimum), old, other) if smaller(old, other) == Some(false) => None,
        (Some(Kind::Maximum), old, other) if smaller(old, other) == Some(true) => None,
        _ => Some(new),
    }
}

fn add(old: &Cell, new: &Cell) -> Option<Cell> {
    let (Some(old), Some(new)) = (old.whole(), new.whole()) else {
        let sum = number(old)? + number(new)?;
        return Some(Cell::Other(Value::number(sum)));
    };
    Some(Cell::Count(old.saturating_add(new)))
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
        let mut window = Wide::default();
        for line in lines {
            let room = Room { items: 100, bytes: 100_000 };
            assert_eq!(window.add(&from_json(line.as_bytes()).unwrap(), room), 0);
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
            r#"{"tool":"t","interval_s":1,"count":18446744073709551615,"min_us":1,"max_us":9.5,"p99_us":4,"hit_ratio":0.5,"zombies":5,"lost":1}"#,
            r#"{"tool":"t","interval_s":1,"count":1,"min_us":2,"max_us":3,"p99_us":3,"hit_ratio":null,"zombies":2,"lost":2}"#,
        ]);
        let values: Vec<&str> = cells.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["18446744073709551616", "1", "9.5", "3", "0.5", "2", "3"]);
    }
}
