//! A tab: the rows of one tool.

mod taking;

use std::collections::VecDeque;
use std::rc::Rc;

use indexmap::IndexMap;
use record::fields::Kind;
use table::column::HOST;

use super::column::{Column, Role};
use super::numbers::Numbers;
use super::order::{Order, by_number, by_text};
use super::row::{Row, Sample};
use super::template::Template;
use super::times::{Frame, Times};

/// After so many forgotten intervals, rows that were in no other are looked for.
const FORGOTTEN: u64 = 16;

/// A tab.
pub struct Tab {
    /// The tool's name.
    pub tool: String,
    /// Whether its records are of events, each of which is a row.
    pub events: bool,
    /// In the order of a record.
    pub columns: Vec<Column>,
    /// Its intervals.
    pub times: Times,
    /// The numbers of its rows in them.
    pub numbers: Numbers,
    /// By their keys.
    rows: IndexMap<Box<[u8]>, Row>,
    next: u64,
    /// The numbers that are kept.
    pub cells: usize,
    /// The newest interval, and how many of its rows were left out.
    left_out: (u64, u64),
    /// What each interval counts towards the bound.
    of_frames: VecDeque<usize>,
    /// How many intervals were forgotten.
    pub forgotten: u64,
    /// The key and the numbers of the record that is taken.
    key: Vec<u8>,
    row: Vec<f64>,
    /// The names of a record's fields, and their columns: nearly all records of a tool have the same.
    shape: Vec<(Box<str>, Option<usize>)>,
    /// How many histograms a record has that are kept.
    histograms: usize,
    /// The form of their lines, once that is known.
    template: Option<Rc<Template>>,
    /// The row of the last record: the next one is mostly of the one behind it.
    last: usize,
    /// The hosts that were seen: whether they differ.
    hosts: Vec<Box<str>>,
}

/// A row of a table: what it was in the interval that is shown.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    /// The row.
    pub row: &'a Row,
    /// What it was.
    pub sample: Sample,
}

impl Tab {
    /// Without records yet.
    pub fn new(tool: &str, events: bool) -> Self {
        Self {
            tool: tool.to_owned(),
            events,
            columns: Vec::new(),
            times: Times::default(),
            numbers: Numbers::default(),
            rows: IndexMap::new(),
            next: 0,
            cells: 0,
            left_out: (0, 0),
            of_frames: VecDeque::new(),
            forgotten: 0,
            key: Vec::new(),
            row: Vec::new(),
            shape: Vec::new(),
            histograms: 0,
            template: None,
            last: 0,
            hosts: Vec::new(),
        }
    }

    /// Whether it is that of these records.
    pub fn is_of(&self, tool: &str, events: bool) -> bool {
        self.events == events && self.tool == tool
    }

    /// The host, if all records are of one.
    pub fn host(&self) -> Option<&str> {
        match self.hosts.as_slice() {
            [host] => Some(host),
            _ => None,
        }
    }

    /// The places of the columns that a table has, in its order: all but histograms, and the host only where there are
    /// several.
    pub fn shown(&self) -> Vec<usize> {
        let several = self.hosts.len() > 1;
        let is = |column: &Column| column.role != Role::Buckets && (several || column.name() != HOST);
        let mut shown: Vec<_> = (0..self.columns.len()).filter(|at| is(&self.columns[*at])).collect();
        shown.sort_by_key(|at| self.columns[*at].look.place);
        shown
    }

    /// The column that the records are about: the first of the most important counts, else the first number.
    pub fn main_column(&self) -> Option<usize> {
        let numbers = || self.shown().into_iter().filter(|at| self.columns[*at].role == Role::Number);
        // Losses and errors stand first in a table, and are mostly 0.
        let is_count = |look: &table::column::Column| look.kind == Some(Kind::Counter) && !look.alarm;
        let counts = numbers().filter(|at| is_count(&self.columns[*at].look));
        counts.min_by_key(|at| self.columns[*at].rank()).or_else(|| numbers().next())
    }

    /// The rows of an interval that `kept` keeps, in an order; of events all up to then.
    pub fn lines<'a>(&'a self, frame: Frame, order: Order, kept: impl Fn(&Row) -> bool) -> Vec<Line<'a>> {
        let first = self.times.ends().map_or(0, |(first, _)| first.number);
        let sample = |row: &'a Row| match self.events {
            // Each is in one interval.
            true => row.between(first, frame.number).next(),
            false => row.at(frame.number),
        };
        let line = |row: &'a Row| Some(Line { row, sample: sample(row)? });
        let mut lines: Vec<_> = self.rows.values().filter_map(line).filter(|line| kept(line.row)).collect();
        match order.column.and_then(|at| self.columns.get(at)) {
            Some(column) if column.role == Role::Text => {
                lines.sort_by(|a, b| {
                    by_text(order, a.row.text(column.slot), b.row.text(column.slot), a.row.id, b.row.id)
                });
            }
            Some(column) => {
                let number = |line: Line<'a>| (self.numbers.number(line.sample, column.slot), line);
                let mut sorted: Vec<_> = lines.into_iter().map(number).collect();
                sorted.sort_unstable_by(|(a, first), (b, second)| {
                    by_number(order, *a, *b, first.row.id, second.row.id)
                });
                return sorted.into_iter().map(|(_, line)| line).collect();
            }
            // Events by their time.
            None => lines.sort_unstable_by_key(|line| std::cmp::Reverse(line.row.id)),
        }
        lines
    }

    /// All rows that are kept.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// How many rows an interval has in all.
    pub fn count_of(&self, frame: Frame) -> usize {
        self.rows.values().filter(|row| row.at(frame.number).is_some()).count()
    }

    /// How many rows were left out of an interval, as far as that is known.
    pub fn left_out_of(&self, frame: Frame) -> u64 {
        if self.left_out.0 == frame.number { self.left_out.1 } else { 0 }
    }

    /// The place of a column, by its name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name() == name)
    }

    /// Whether it has more than the interval that comes in, and one before it.
    pub fn can_forget(&self) -> bool {
        self.times.len() > 2
    }

    /// Forgets the oldest interval.
    pub fn forget(&mut self) {
        let Some(frame) = self.times.forget() else { return };
        self.numbers.forget();
        self.cells = self.cells.saturating_sub(self.of_frames.pop_front().unwrap_or(0));
        self.forgotten += 1;
        // Looking at all rows each time would cost more than all else.
        if self.forgotten.is_multiple_of(FORGOTTEN) || self.events {
            self.rows.retain(|_, row| row.newest() > frame);
        }
    }

    /// Forgets all records.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.times.clear();
        self.numbers.clear();
        self.of_frames.clear();
        self.cells = 0;
    }
}
