//! Lines that are laid out together.

use record::fields::Kind;

use super::{Cell, Drawn, Usual};
use crate::column::Column;
use crate::numbers::number;
use crate::style::Tone;
use crate::text;
use crate::zone::Local;

/// Shown if there is no value.
const NOTHING: &str = "-";

/// Lines in their order.
#[derive(Default)]
pub struct Batch {
    pub rows: Vec<Row>,
    /// The bytes of their texts.
    pub bytes: usize,
}

/// A line.
#[derive(Default)]
pub struct Row {
    /// Its time as written, and on the reader's clock.
    pub ts: String,
    pub time: String,
    pub date: String,
    pub zone: String,
    /// Whether it is of an interval, not an event.
    pub of_interval: bool,
    pub drawn: Vec<Drawn>,
    /// By column; those behind the last one have no value.
    cells: Vec<Option<(String, Tone)>>,
    bytes: usize,
}

impl Batch {
    /// Adds a line.
    pub fn push(&mut self, row: Row) {
        self.bytes += row.bytes;
        self.rows.push(row);
    }

    /// The widest value of each of so many columns.
    pub fn widest(&self, columns: usize) -> Vec<usize> {
        let mut widest = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widest.iter_mut().zip(&row.cells) {
                *width = (*width).max(cell.as_ref().map_or(0, |(text, _)| text::width(text)));
            }
        }
        widest
    }

    /// How many lines from this one on are of the same interval.
    pub fn of_interval(&self, index: usize) -> usize {
        let same = |row: &&Row| row.ts == self.rows[index].ts;
        self.rows[index..].iter().take_while(same).count()
    }
}

impl Row {
    /// Sets its time.
    pub fn at(&mut self, ts: &str, local: Option<Local>) {
        self.ts = ts.to_owned();
        match local {
            Some(local) => (self.time, self.date, self.zone) = (local.time, local.date, local.zone),
            None => self.time = text::shown(ts),
        }
    }

    /// Sets the value of a column as it is shown.
    pub fn cell(&mut self, at: usize, column: &Column, cell: &Cell<'_>, usual: &mut Usual, exact: bool) {
        self.of_interval |= column.kind == Some(Kind::Interval);
        let (text, tone) = match cell {
            Cell::Null | Cell::Nested => (NOTHING.to_owned(), Tone::Nothing),
            Cell::Text(text) => (text::shown(text), if column.alarm { Tone::Alarm } else { Tone::Plain }),
            Cell::Number(digits) => {
                let shown = number(digits, column.kind.as_ref(), column.unit, exact);
                (text::shown(&shown), tone(column, digits, usual))
            }
        };
        self.set(at, text, tone);
    }

    /// Sets the text of a column.
    pub fn set(&mut self, at: usize, text: String, tone: Tone) {
        if self.cells.len() <= at {
            self.cells.resize(at + 1, None);
        }
        self.bytes += text.len();
        self.cells[at] = Some((text, tone));
    }

    /// The text of a column.
    pub fn of(&self, at: usize) -> (&str, Tone) {
        match self.cells.get(at) {
            Some(Some((text, tone))) => (text, *tone),
            _ => (NOTHING, Tone::Nothing),
        }
    }
}

fn tone(column: &Column, digits: &str, usual: &mut Usual) -> Tone {
    let Ok(value) = digits.parse::<f64>() else { return Tone::Plain };
    let is_time = matches!(column.kind, Some(Kind::Percentile(_) | Kind::Maximum | Kind::Mean(_)));
    match column.kind {
        Some(Kind::Key) => Tone::Plain,
        _ if value == 0.0 => Tone::Nothing,
        _ if column.alarm => {
            usual.alarmed = true;
            Tone::Alarm
        }
        _ if is_time && usual.stands_out(value) => Tone::Outlier,
        _ => Tone::Plain,
    }
}
