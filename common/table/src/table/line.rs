//! What a table is given: records, and which of their fields it shows.

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// There is none.
    Null,
    /// A text.
    Text(&'a str),
    /// A number, or what else stands without quotes in JSON.
    Number(&'a str),
    /// A list or an object, which tables do not show.
    Nested,
}

/// A distribution to draw below a line: a title, and pairs of an upper bound in microseconds and a count.
pub type Drawn = (String, Vec<(f64, u64)>);

/// A record, to become a line.
#[derive(Debug, Default)]
pub struct Line<'a> {
    /// Its fields, in their order.
    pub fields: Vec<(&'a str, Cell<'a>)>,
    /// The small picture beside it: counts per factor of four from 1 µs up.
    pub sketch: Option<Vec<u64>>,
    /// What is drawn below it.
    pub drawn: Vec<Drawn>,
}

/// Which columns a table has, beside what their schema says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    /// All of them, whole: `-o wide`.
    pub all: bool,
    /// Fields that come first, and all keys with them: the user has chosen these.
    pub first: &'static [&'static str],
    /// In the order of the record: the user has chosen all.
    pub in_order: bool,
    /// Whether the first line's day is said, as it may be any.
    pub dated: bool,
}
