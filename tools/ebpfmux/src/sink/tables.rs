//! Records as tables for people: a block for each tool whose records follow each other.

use record::fields::Kind;
use record::histogram::{bucket_of, coarse};
use table::picture::BARS;
use table::style::Tone;
use table::{Cell, Choice, Line, Options, Screen, Zone, text};

use crate::record::buckets::Buckets;
use crate::record::declared::Declared;
use crate::record::{Fields, Value, find};

/// More kinds of records than there are tools: what else comes shares the last table.
const KINDS: usize = 64;

/// The tables on stdout.
pub struct Tables {
    options: Options,
    choice: Choice,
    zone: Zone,
    /// By the tool's name, and whether the records are of events.
    tables: Vec<(String, bool, table::Table)>,
    /// The one whose block is being written.
    current: Option<usize>,
    /// What is laid out.
    text: String,
}

impl Tables {
    /// None yet. `all`: with all columns; `in_order`: the user has chosen the columns.
    pub fn new(options: Options, all: bool, in_order: bool) -> Self {
        let choice = Choice { all, in_order, dated: true, ..Choice::default() };
        let zone = Zone::new(options.utc);
        Self { options, choice, zone, tables: Vec::new(), current: None, text: String::new() }
    }

    /// Adds a record; returns what is complete.
    pub fn write(&mut self, fields: &Fields<'_>) -> String {
        let at = self.table(fields);
        if self.current != Some(at) {
            self.lay_out();
            if self.current.is_some() {
                self.text.push('\n');
            }
            let colours = Screen::now(self.options.color).colours;
            let tool = text::shown(&self.tables[at].0);
            if !tool.is_empty() {
                self.text += &Tone::Heading.paint(&tool, colours);
                self.text.push('\n');
            }
            self.tables[at].2.interrupted();
            self.current = Some(at);
        }
        let declared = Declared::of(fields);
        let field = |name: &str| declared.field(name).map(|(field, _)| field);
        let cells = fields.iter().map(|(name, value)| (name.as_ref(), cell(value)));
        let line = Line { fields: cells.collect(), sketch: sketch(fields, &declared), drawn: Vec::new() };
        self.tables[at].2.push(line, field);
        if self.tables[at].2.is_full() {
            self.lay_out();
        }
        std::mem::take(&mut self.text)
    }

    /// What has waited for more lines of its block.
    pub fn flush(&mut self) -> String {
        self.lay_out();
        std::mem::take(&mut self.text)
    }

    fn lay_out(&mut self) {
        if let Some(current) = self.current {
            self.tables[current].2.flush(&Screen::now(self.options.color), &mut self.text);
        }
    }

    fn table(&mut self, fields: &Fields<'_>) -> usize {
        let tool = find(fields, "tool").map_or("", Value::text);
        let events = find(fields, "interval_s").is_none();
        let known = self.tables.iter().position(|(of, form, _)| of == tool && *form == events);
        if let Some(known) = known.or((self.tables.len() == KINDS).then_some(KINDS - 1)) {
            return known;
        }
        let table = table::Table::new(self.options, self.choice, self.zone.clone());
        self.tables.push((tool.to_owned(), events, table));
        self.tables.len() - 1
    }
}

fn cell<'a>(value: &'a Value<'_>) -> Cell<'a> {
    match value {
        Value::Null => Cell::Null,
        Value::Text(text) => Cell::Text(text),
        Value::Plain(digits) => Cell::Number(digits),
        Value::Nested(_) => Cell::Nested,
    }
}

/// The small picture of the first histogram that a record has.
fn sketch(fields: &Fields<'_>, declared: &Declared<'_>) -> Option<Vec<u64>> {
    let of_times = |name: &str| declared.kind(name) == Some(&Kind::Buckets);
    let (_, Value::Nested(raw)) = fields.iter().find(|(name, _)| of_times(name))? else { return None };
    let buckets = Buckets::parse(raw)?;
    let counts = buckets.iter().map(|(upper, count)| (bucket_of(upper.saturating_sub(1)), count));
    Some(coarse(counts, BARS))
}
