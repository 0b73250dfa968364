//! The form that all lines of a tool have: which names stand in it, and what each value is to the screen. A line is compared
//! with it and its values are read in one pass, without looking for names: with a thousand rows ten times a second,
//! reading is most of what the screen costs. A line of another form is left to those who read any.
//!
//! Of a line that looks like those before, only what tells its row and what rows are sorted by is read (`glance`); of the rest
//! what is shown, when it is.

mod glance;

use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr, memchr2};

use super::column::{Column, Role};
use crate::record::decimal::number;
use glance::Glance;

/// A field of the form.
struct Part {
    /// What stands before its value: `,"disk":`.
    before: Before,
    value: Place,
}

/// A text that is looked for at one place, nearly always in vain for another: 32 bytes are compared at once.
struct Before {
    text: Box<[u8]>,
    /// The text, and which bytes of these are its own; of a longer one none.
    first: [u8; WIDTH],
    mask: [u8; WIDTH],
}

const WIDTH: usize = 32;

impl Before {
    fn new(text: &str) -> Self {
        let (mut first, mut mask) = ([0; WIDTH], [0; WIDTH]);
        if text.len() <= WIDTH {
            first[..text.len()].copy_from_slice(text.as_bytes());
            mask[..text.len()].fill(u8::MAX);
        }
        Self { text: text.as_bytes().into(), first, mask }
    }

    fn begins(&self, bytes: &[u8]) -> bool {
        match bytes.first_chunk::<WIDTH>() {
            Some(chunk) if self.text.len() <= WIDTH => {
                let both = chunk.iter().zip(&self.mask).zip(&self.first);
                both.fold(0, |odd, ((byte, mask), first)| odd | ((byte & mask) ^ first)) == 0
            }
            _ => bytes.starts_with(&self.text),
        }
    }
}

/// Where a value goes.
enum Place {
    /// It must be this.
    Fixed(Box<[u8]>),
    /// Among the numbers.
    Number(usize),
    /// Among the histograms.
    Buckets(usize),
    /// Into the key.
    Key,
    /// It is the length of the interval.
    Length,
    /// Nowhere.
    Skipped,
}

/// The form.
pub struct Template {
    parts: Vec<Part>,
    /// The most histograms that are kept.
    histograms: usize,
    /// What is read of a line at a glance.
    glance: Glance,
}

/// What was read of a line.
pub struct Read<'a, const N: usize> {
    /// The length of the interval in seconds.
    pub length: f64,
    /// The histograms.
    pub buckets: [&'a str; N],
}

impl Template {
    /// That of records of intervals of this tool, with these fields and their columns; `main` is the number that rows are
    /// mostly sorted by.
    pub fn new<'a>(
        tool: &str,
        fields: impl Iterator<Item = (&'a str, Option<&'a Column>)>,
        histograms: usize,
        main: Option<usize>,
    ) -> Self {
        let part = |(at, (name, column)): (usize, (&str, Option<&Column>))| {
            let begin = if at == 0 { '{' } else { ',' };
            let value = match (name, column.map(|column| (column.role, column))) {
                ("tool", _) => Place::Fixed(format!("\"{tool}\"").into_bytes().into()),
                ("interval_s", _) => Place::Length,
                (_, Some((Role::Number, column))) => Place::Number(column.slot),
                (_, Some((Role::Buckets, column))) if column.slot < histograms => Place::Buckets(column.slot),
                (_, Some((Role::Text, column))) if column.key => Place::Key,
                _ => Place::Skipped,
            };
            Part { before: Before::new(&format!("{begin}\"{name}\":")), value }
        };
        let parts: Vec<Part> = fields.enumerate().map(part).collect();
        let glance = Glance::of(&parts, main);
        Self { parts, histograms, glance }
    }

    /// Reads a line: its numbers into `numbers`, which are all none before, and its key, each part followed by a zero
    /// byte. `None` if it is not of this form, or has something that takes more than a look; then both are of no use.
    pub fn read<'a, const N: usize>(
        &self,
        text: &'a str,
        numbers: &mut [f64],
        key: &mut Vec<u8>,
    ) -> Option<Read<'a, N>> {
        let mut read = Read { length: 0.0, buckets: [""; N] };
        let bytes = text.trim_ascii_end().as_bytes();
        let mut at = 0;
        for part in &self.parts {
            let rest = bytes.get(at..).filter(|rest| part.before.begins(rest))?;
            let rest = &rest[part.before.text.len()..];
            at += part.before.text.len();
            match &part.value {
                Place::Fixed(value) => {
                    rest.strip_prefix(&**value)?;
                    at += value.len();
                }
                Place::Number(slot) => {
                    let (number, length) = number(rest)?;
                    *numbers.get_mut(*slot)? = number;
                    at += length;
                }
                Place::Length => {
                    let (number, length) = number(rest)?;
                    (read.length, at) = (number, at + length);
                }
                Place::Buckets(slot) => {
                    let length = length(rest)?;
                    *read.buckets.get_mut(*slot).filter(|_| *slot < self.histograms)? =
                        text.get(at..at + length)?;
                    at += length;
                }
                Place::Key => at += key_of(rest, key)?,
                Place::Skipped => at += length(rest)?,
            }
        }
        let is_whole = bytes.get(at..)? == b"}";
        if is_whole {
            self.glance.learn(bytes);
        }
        is_whole.then_some(read)
    }
}

/// Adds the value at the beginning to a key; returns its length.
fn key_of(bytes: &[u8], key: &mut Vec<u8>) -> Option<usize> {
    let length = length(bytes)?;
    let value = &bytes[..length];
    let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    key.extend_from_slice(quoted.unwrap_or(value));
    key.push(0);
    Some(length)
}

/// The length of the value at the beginning; `None` for what has escapes, objects, or texts in lists.
fn length(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        b'"' => {
            let end = memchr2(b'"', b'\\', &bytes[1..])? + 1;
            (bytes[end] == b'"').then_some(end + 1)
        }
        b'[' => end_of_list(bytes),
        b'{' => None,
        _ => memchr2(b',', b'}', bytes),
    }
}

/// The end of a list of lists.
static END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"]]"));

/// The length of a list of numbers, or of lists of numbers; `None` for any other.
pub fn end_of_list(bytes: &[u8]) -> Option<usize> {
    let end = match bytes.get(1)? {
        b'[' => END.find(bytes)? + 2,
        _ => memchr(b']', bytes)? + 1,
    };
    // Behind the end of a list within another one stands something else, or what is no name.
    let is_whole = matches!(bytes.get(end), Some(b',' | b'}')) && memchr(b'"', &bytes[..end]).is_none();
    is_whole.then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_they_end() {
        for (value, is_plain) in [
            ("\"日本\"", true),
            ("[[1.5,2],[3,4]]", true),
            ("[]", true),
            ("null", true),
            ("\"a\\n\"", false),
            ("[1,2]", true),
            ("{\"b\":1}", false),
            ("[\"x\"]", false),
            ("[[1,\"]]\"]]", false),
            ("[1,[2]]", false),
            ("[[[1]]]", false),
        ] {
            let found = length(format!("{value},\"n\":1}}").as_bytes());
            assert_eq!(found, is_plain.then_some(value.len()), "{value}");
        }
    }
}
