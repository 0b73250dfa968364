//! What is read of a line at a glance, and what is read of it later.

use std::cell::Cell;

use memchr::memchr_iter;

use super::super::column::number_of;
use super::{Part, Place, Template, key_of, length};
use crate::record;
use crate::record::decimal::number;

/// What is read at a glance.
pub struct Glance {
    /// The number that is read, if one is.
    main: Option<usize>,
    /// How many parts of the form are looked at: up to the last one that is needed.
    parts: usize,
    /// How many quotes a line has that was read in whole: one with other fields has more or fewer. 0 before there was one.
    quotes: Cell<usize>,
}

impl Glance {
    /// At lines of this form.
    pub fn of(parts: &[Part], main: Option<usize>) -> Self {
        let is_needed = |part: &Part| match part.value {
            Place::Fixed(_) | Place::Length | Place::Key => true,
            Place::Number(slot) => Some(slot) == main,
            Place::Buckets(_) | Place::Skipped => false,
        };
        let parts = parts.iter().rposition(is_needed).map_or(0, |last| last + 1);
        Self { main, parts, quotes: Cell::new(0) }
    }

    /// A line was read in whole.
    pub fn learn(&self, line: &[u8]) {
        self.quotes.set(quotes(line));
    }
}

fn quotes(line: &[u8]) -> usize {
    memchr_iter(b'"', line).count()
}

impl Template {
    /// The number that is read at a glance.
    pub fn main(&self) -> Option<usize> {
        self.glance.main
    }

    /// The length of a line's interval in seconds, and the number that rows are mostly sorted by; its key goes into `key`.
    /// `None` if it does not look like one that was read in whole.
    pub fn glance(&self, line: &[u8], key: &mut Vec<u8>) -> Option<(f64, f64)> {
        if line.last() != Some(&b'}') || quotes(line) != self.glance.quotes.get() {
            return None;
        }
        let (mut interval, mut main, mut at) = (0.0, f64::NAN, 0);
        for part in &self.parts[..self.glance.parts] {
            let rest = line.get(at..).filter(|rest| part.before.begins(rest))?;
            let rest = &rest[part.before.text.len()..];
            at += part.before.text.len();
            at += match &part.value {
                Place::Fixed(value) => rest.starts_with(value).then_some(value.len())?,
                Place::Number(slot) if Some(*slot) == self.glance.main => {
                    let (number, length) = number(rest)?;
                    main = number;
                    length
                }
                Place::Length => {
                    let (number, length) = number(rest)?;
                    interval = number;
                    length
                }
                Place::Key => key_of(rest, key)?,
                Place::Number(_) | Place::Buckets(_) | Place::Skipped => length(rest)?,
            };
        }
        Some((interval, main))
    }

    /// A number of a line that was looked at; not one if it has none.
    pub fn number(&self, line: &[u8], slot: usize) -> f64 {
        let Some(nth) = self.nth(|place| matches!(place, Place::Number(of) if *of == slot)) else {
            return f64::NAN;
        };
        let found = self.rest(line, nth).and_then(number);
        found.map_or_else(|| self.any(line, nth), |(number, _)| number)
    }

    /// A histogram of it, as it was written; empty if it has none.
    pub fn buckets<'a>(&self, line: &'a [u8], slot: usize) -> &'a str {
        let nth = self.nth(|place| matches!(place, Place::Buckets(of) if *of == slot));
        let value = nth.and_then(|nth| {
            let rest = self.rest(line, nth)?;
            std::str::from_utf8(&rest[..length(rest)?]).ok()
        });
        value.unwrap_or_default()
    }

    fn nth(&self, is: impl Fn(&Place) -> bool) -> Option<usize> {
        self.parts.iter().position(|part| is(&part.value))
    }

    /// A line from the value of a part on.
    fn rest<'a>(&self, line: &'a [u8], nth: usize) -> Option<&'a [u8]> {
        let mut rest = line;
        for (at, part) in self.parts[..=nth].iter().enumerate() {
            rest = rest.get(part.before.text.len()..).filter(|_| part.before.begins(rest))?;
            if at < nth {
                rest = &rest[length(rest)?..];
            }
        }
        Some(rest)
    }

    /// A number of a line that is of another form after all.
    fn any(&self, line: &[u8], nth: usize) -> f64 {
        let name = self.parts[nth].before.text.get(2..).and_then(|text| text.strip_suffix(b"\":"));
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        let fields = record::from_json(line).ok();
        let value = name.zip(fields.as_ref()).and_then(|(name, fields)| record::find(fields, name));
        value.map_or(f64::NAN, number_of)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::column::{Column, Role};
    use super::super::Read;
    use super::*;
    use crate::record::declared::Declared;

    const LINE: &str = r#"{"ts":"x","host":"h","tool":"biolat","interval_s":0.5,"disk":"vda","op":"read","count":7,"p50_us":1.5,"bytes":4096,"buckets":[[1,2],[3,4]],"lost":0}"#;

    /// A form of that line, and the slots of two columns.
    fn template() -> Template {
        let fields = record::from_json(LINE.as_bytes()).unwrap();
        let (mut columns, mut slots) = (Vec::new(), [0; 3]);
        for (name, value) in &fields {
            columns.extend(Column::of(Declared::of(&fields), name, value, |role| slots[role as usize]));
            if let Some(column) = columns.last().filter(|column| column.name() == name) {
                slots[column.role as usize] += 1;
            }
        }
        let column = |name: &str| columns.iter().find(|column| column.name() == name);
        let form = fields.iter().map(|(name, _)| (name.as_ref(), column(name)));
        let template = Template::new("biolat", form, 8, column("count").map(|column| column.slot));
        assert_eq!(column("buckets").map(|column| column.role), Some(Role::Buckets));
        template
    }

    #[test]
    fn what_is_needed_is_read_and_the_rest_later() {
        let template = template();
        let mut key = Vec::new();
        // Nothing before a line was read in whole.
        assert_eq!(template.glance(LINE.as_bytes(), &mut key), None);
        let mut numbers = [f64::NAN; 8];
        let read: Read<'_, 8> = template.read(LINE, &mut numbers, &mut key).unwrap();
        let whole = std::mem::take(&mut key);
        assert_eq!((read.length, read.buckets[0]), (0.5, "[[1,2],[3,4]]"));
        let line = LINE.replace(":7,", ":12,").replace("1.5", "null").replace("[3,4]", "[3,4],[5,6]");
        assert_eq!(template.glance(line.as_bytes(), &mut key), Some((0.5, 12.0)));
        assert_eq!(key, whole);
        assert_eq!(template.buckets(line.as_bytes(), 0), "[[1,2],[3,4],[5,6]]");
        let later: Vec<f64> = (0..9).map(|slot| template.number(line.as_bytes(), slot)).collect();
        assert!(later.contains(&12.0) && later.contains(&4096.0) && later[8].is_nan(), "{later:?}");
        assert_eq!(
            later.iter().filter(|number| number.is_nan()).count(),
            numbers.iter().filter(|number| number.is_nan()).count() + 2
        );
    }

    #[test]
    fn a_line_that_looks_different_is_read_in_whole() {
        let template = template();
        let mut numbers = [f64::NAN; 8];
        let _: Read<'_, 8> = template.read(LINE, &mut numbers, &mut Vec::new()).unwrap();
        for (from, to) in [
            ("\"lost\":0}", "\"lost\":0,\"more\":1}"),
            (",\"lost\":0}", "}"),
            ("biolat", "fslat"),
            ("\"op\"", "\"of\""),
            ("\"vda\"", "null"),
            ("\"lost\":0}", "\"lost\":0"),
        ] {
            assert_eq!(template.glance(LINE.replace(from, to).as_bytes(), &mut Vec::new()), None, "{to}");
        }
        // One whose later fields stand in another order has its numbers all the same.
        let line = LINE.replace("\"p50_us\":1.5,\"bytes\":4096", "\"bytes\":4096,\"p50_us\":1.5");
        assert_eq!(template.glance(line.as_bytes(), &mut Vec::new()), Some((0.5, 7.0)));
        for slot in 0..8 {
            let (one, other) =
                (template.number(LINE.as_bytes(), slot), template.number(line.as_bytes(), slot));
            assert!(one == other || one.is_nan() && other.is_nan(), "{slot}: {one} {other}");
        }
    }
}
