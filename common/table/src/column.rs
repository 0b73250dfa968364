//! What a table knows of a column.

use record::fields::{Cut, Field, Kind, Unit};

use crate::fit::Want;
use crate::text;

/// The rank of a field of which no schema says anything: such fields have room after the declared ones.
const UNDECLARED: u8 = 8;
/// The cells of a number, at least: so lines stay aligned while it grows.
const OF_NUMBER: usize = 5;
/// The fewest cells of a text that is longer, and of one that is usually long.
const OF_TEXT: usize = 16;
const OF_LONG_TEXT: usize = 28;
/// The fewest that say anything.
const TIGHT: usize = 8;

/// A column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    /// The field's name.
    pub name: String,
    /// The two lines above it.
    pub heading: [String; 2],
    /// What it is, if that is declared.
    pub kind: Option<Kind>,
    /// Its unit.
    pub unit: Unit,
    /// Whether it holds texts, which are aligned to the left and may be cut.
    pub text: bool,
    /// How much it matters; see [`record::fields::Column`].
    pub rank: Option<u8>,
    /// Where its texts are cut.
    pub cut: Cut,
    /// Where it stands among the others: by this number, then in the order of the record.
    pub place: u8,
    /// Whether any value but 0 means that something went wrong.
    pub alarm: bool,
    /// Whether it matters more since something did.
    pub raised: bool,
    /// The cells of its longest usual value, or 0.
    usual: usize,
}

/// The field that is the time of a record.
pub const TIME: &str = "ts";
/// The field that names the host.
pub const HOST: &str = "host";
/// Fields that a table shows in other ways, or not.
pub const NOT_SHOWN: [&str; 2] = ["tool", "clock_step_s"];

impl Column {
    /// That of a field, as it is declared.
    pub fn new(name: &str, declared: Option<&Field>) -> Self {
        let column = declared.map(|field| field.column).unwrap_or_default();
        let place = match (name, declared.map(|field| &field.kind)) {
            (TIME | HOST, _) => 0,
            // Long texts are the last, those of owners before those of events.
            (_, Some(Kind::Key)) if column.cut.is_some() => 3,
            _ if column.cut.is_some() => 4,
            // Losses, and what the tool costs, are beside the tool's own numbers.
            _ if name == "lost" => 2,
            _ => 1,
        };
        Self {
            name: name.to_owned(),
            heading: heading(name),
            kind: declared.map(|field| field.kind.clone()),
            unit: declared.map(|field| field.unit).unwrap_or_default(),
            text: declared.is_some_and(|field| field.text),
            rank: if declared.is_some() { column.rank } else { Some(UNDECLARED) },
            cut: column.cut.unwrap_or(Cut::End),
            place,
            alarm: column.alarm,
            raised: false,
            usual: column.width.map_or(0, usize::from),
        }
    }

    /// What it asks for, if its widest value has this width.
    pub fn want(&self, widest: usize) -> Want {
        let heading = self.heading.iter().map(|line| text::width(line)).max().unwrap_or(0);
        let whole = widest.max(heading).max(self.usual);
        match self.text {
            true => {
                let least = if self.place > 2 { OF_LONG_TEXT } else { OF_TEXT };
                let least = widest.min(least).max(heading);
                Want { rank: self.rank, least, tight: least.min(TIGHT), whole }
            }
            false => {
                let least = widest.max(heading);
                Want { rank: self.rank, least, tight: least, whole: whole.max(OF_NUMBER) }
            }
        }
    }
}

/// A column's heading, in two lines of which the longer is as short as it can be: `thread_exits` stands as `thread` over
/// `exits`, `queue_p99_us` as `queue` over `p99 us`.
pub fn heading(name: &str) -> [String; 2] {
    let name = text::shown(if name == TIME { "time" } else { name });
    let ends = name.match_indices('_').filter(|(at, _)| *at > 0 && at + 1 < name.len());
    let parted = ends.map(|(at, _)| [name[..at].replace('_', " "), name[at + 1..].replace('_', " ")]);
    let longest = |lines: &[String; 2]| lines.iter().map(|line| text::width(line)).max();
    // Of equal ones the last: the unit stands alone.
    parted.rev_min(longest).unwrap_or_else(|| [String::new(), name.clone()])
}

/// The least of what an iterator yields; of equal ones the last.
trait RevMin: Iterator + Sized {
    fn rev_min<K: Ord>(self, key: impl Fn(&Self::Item) -> K) -> Option<Self::Item> {
        self.fold(None, |least, next| match least {
            Some(least) if key(&least) < key(&next) => Some(least),
            _ => Some(next),
        })
    }
}

impl<I: Iterator> RevMin for I {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_narrow() {
        for (name, upper, lower) in [
            ("ts", "", "time"),
            ("count", "", "count"),
            ("p99_us", "p99", "us"),
            ("queue_p99_us", "queue", "p99 us"),
            ("thread_exits", "thread", "exits"),
            ("rss_anon_bytes", "rss anon", "bytes"),
            ("_odd_", "", "_odd_"),
            ("a\u{1b}b", "", "a\\x1bb"),
        ] {
            assert_eq!(heading(name), [upper, lower], "{name}");
        }
    }
}
