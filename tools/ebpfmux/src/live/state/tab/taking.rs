//! Takes records into a tab.

use std::borrow::Cow;
use std::rc::Rc;

use table::column::HOST;

use super::super::column::{Column, Role, number_of};
use super::super::row::Row;
use super::super::template::{Read, Template};
use super::Tab;
use crate::record::declared::Declared;
use crate::record::timestamp::Nanos;
use crate::record::{Fields, Value, find};

/// The most columns of a tool, and numbers of an interval (each row counts some more): rows beyond that are left out, and counted.
const COLUMNS: usize = 128;
const OF_FRAME: usize = 1 << 19;
/// The most histograms of a record.
const HISTOGRAMS: usize = 8;
/// The most of a text that is kept, in bytes.
const TEXT: usize = 1024;
/// The most intervals that are kept, however small.
const FRAMES: usize = 7200;

/// What a record has.
enum Has<'a> {
    /// These numbers and histograms.
    Values(&'a [f64], &'a [&'a str]),
    /// What stands in a line of this form, and the number that rows are mostly sorted by.
    Line(&'a Rc<Template>, &'a [u8], f64),
}

/// The row that a record is of.
enum Of<'a> {
    /// The one at this place.
    Known(usize),
    /// One that has no record yet: its key and its texts.
    New(&'a [u8], Vec<Box<str>>),
}

impl Tab {
    /// Takes a record.
    pub fn take(&mut self, time: Nanos, fields: &Fields<'_>) {
        let is_known =
            |((name, _), (known, _)): (&(Cow<'_, str>, Value<'_>), &(Box<str>, _))| *name == **known;
        if fields.len() != self.shape.len() || !fields.iter().zip(&self.shape).all(is_known) {
            self.learn(fields);
        }
        let (mut key, mut numbers) = (std::mem::take(&mut self.key), std::mem::take(&mut self.row));
        key.clear();
        numbers.clear();
        numbers.resize(self.count(Role::Number), f64::NAN);
        if self.events {
            key.extend_from_slice(&self.next.to_ne_bytes());
        }
        let mut buckets = [""; HISTOGRAMS];
        let mut host = None;
        for (column, value) in self.each(fields) {
            match column.role {
                Role::Number => numbers[column.slot] = number_of(value),
                Role::Buckets if column.slot < HISTOGRAMS => buckets[column.slot] = value.text(),
                Role::Text if column.key && !self.events => {
                    key.extend_from_slice(value.text().as_bytes());
                    key.push(0);
                }
                Role::Buckets | Role::Text => {}
            }
            host = host.or((column.name() == HOST).then_some(value));
        }
        let host = host.map_or("", Value::text);
        if self.hosts.len() < 2 && !self.hosts.iter().any(|known| **known == *host) {
            self.hosts.push(host.into());
        }
        let histograms = self.count(Role::Buckets).min(HISTOGRAMS);
        let length = find(fields, "interval_s").map_or(0.0, number_of);
        let known = self.rows.get_index_of(key.as_slice());
        let row = known.map_or_else(|| Of::New(&key, self.texts(fields)), Of::Known);
        self.put(time, length, row, &Has::Values(&numbers, &buckets[..histograms]));
        (self.key, self.row) = (key, numbers);
    }

    /// Takes a line if it is of the known form, and of a row that is known.
    pub fn take_known(&mut self, time: Nanos, line: &[u8]) -> bool {
        let Some(template) = self.template.clone() else { return false };
        let (mut key, mut numbers) = (std::mem::take(&mut self.key), std::mem::take(&mut self.row));
        let taken = self.take_at_a_glance(time, line, &template, &mut key)
            || self.take_in_whole(time, line, &template, &mut key, &mut numbers);
        (self.key, self.row) = (key, numbers);
        taken
    }

    /// Takes a line that looks like those before.
    fn take_at_a_glance(
        &mut self,
        time: Nanos,
        line: &[u8],
        template: &Rc<Template>,
        key: &mut Vec<u8>,
    ) -> bool {
        key.clear();
        let line = line.trim_ascii_end();
        let glance = template.glance(line, key).filter(|_| self.numbers.take_lines(template));
        let Some(((length, main), at)) = glance.and_then(|found| Some((found, self.index_of(key)?))) else {
            return false;
        };
        self.put(time, length, Of::Known(at), &Has::Line(template, line, main));
        true
    }

    /// Takes a line of which all values are read now.
    fn take_in_whole(
        &mut self,
        time: Nanos,
        line: &[u8],
        template: &Template,
        key: &mut Vec<u8>,
        numbers: &mut [f64],
    ) -> bool {
        key.clear();
        numbers.fill(f64::NAN);
        let text = std::str::from_utf8(line).ok();
        let read: Option<Read<'_, HISTOGRAMS>> = text.and_then(|text| template.read(text, numbers, key));
        let Some((read, at)) = read.and_then(|read| Some((read, self.index_of(key)?))) else { return false };
        self.put(time, read.length, Of::Known(at), &Has::Values(numbers, &read.buckets[..self.histograms]));
        true
    }

    /// The place of a row. An interval's rows mostly come in the order of the one before.
    fn index_of(&mut self, key: &[u8]) -> Option<usize> {
        let next = self.last + 1;
        let at = match self.rows.get_index(next) {
            Some((known, _)) if **known == *key => next,
            _ => self.rows.get_index_of(key)?,
        };
        self.last = at;
        Some(at)
    }

    fn put(&mut self, time: Nanos, length: f64, row: Of<'_>, has: &Has<'_>) {
        let known = if let Of::Known(at) = row { Some(at) } else { None };
        let last = known.map(|at| self.rows[at].newest());
        let before = self.times.at(None).map(|frame| frame.number);
        let frame = self.times.of(time, length, self.events, |frame| last == Some(frame));
        if before != Some(frame) {
            self.left_out = (frame, 0);
            self.numbers.begin(frame, self.count(Role::Number), self.histograms);
            self.of_frames.push_back(0);
        }
        let full = self.of_frames.back().is_some_and(|cells| *cells > OF_FRAME);
        let pushed = match has {
            _ if full => None,
            Has::Values(numbers, buckets) => self.numbers.push(numbers, buckets),
            Has::Line(template, line, main) => self.numbers.push_line(template, line, *main),
        };
        let Some((sample, cells)) = pushed else {
            self.left_out.1 += 1;
            return;
        };
        let first = self.times.ends().map_or(frame, |(first, _)| first.number);
        let cells = match row {
            Of::Known(at) => {
                self.rows[at].push(sample, first);
                cells
            }
            Of::New(key, texts) => {
                self.next += 1;
                let row = Row::new(self.next, texts, sample);
                let cells = cells + row.cells();
                self.rows.insert(key.into(), row);
                cells
            }
        };
        self.cells += cells;
        if let Some(of_frame) = self.of_frames.back_mut() {
            *of_frame += cells;
        }
        if self.times.len() > FRAMES {
            self.forget();
        }
    }

    fn count(&self, role: Role) -> usize {
        self.columns.iter().filter(|column| column.role == role).count()
    }

    fn texts(&self, fields: &Fields<'_>) -> Vec<Box<str>> {
        let mut texts = vec![Box::from(""); self.count(Role::Text)];
        for (column, value) in self.each(fields) {
            if column.role == Role::Text && *value != Value::Null {
                let text = value.text();
                texts[column.slot] = text[..text.floor_char_boundary(TEXT)].into();
            }
        }
        texts
    }

    /// The fields that have a column, of a record of the present shape.
    fn each<'s, 'a, 'v>(
        &'s self,
        fields: &'a Fields<'v>,
    ) -> impl Iterator<Item = (&'s Column, &'a Value<'v>)> {
        let fields = fields.iter().zip(&self.shape);
        fields.filter_map(|((_, value), (_, at))| Some((&self.columns[(*at)?], value)))
    }

    /// Learns the shape of a record, and adds the columns that are new where they stand in it.
    fn learn(&mut self, fields: &Fields<'_>) {
        let mut next = 0;
        for (name, value) in fields {
            if let Some(at) = self.column(name) {
                next = at + 1;
            } else if self.columns.len() < COLUMNS
                && let Some(column) = Column::of(Declared::of(fields), name, value, |role| self.count(role))
            {
                self.columns.insert(next, column);
                next += 1;
            }
        }
        self.shape = fields.iter().map(|(name, _)| (name.as_ref().into(), self.column(name))).collect();
        self.template = None;
        self.histograms = self.count(Role::Buckets).min(HISTOGRAMS);
        // Which column it is may be told by a value that comes later: until then each record is looked at again.
        let untold =
            |(name, value): &(Cow<'_, str>, Value<'_>)| *value == Value::Null && self.column(name).is_none();
        if self.columns.len() < COLUMNS && fields.iter().any(untold) {
            self.shape.iter_mut().take(1).for_each(|(name, _)| *name = "".into());
        } else if !self.events {
            let column = |at: &Option<usize>| at.map(|at| &self.columns[at]);
            let form = self.shape.iter().map(|(name, at)| (&**name, column(at)));
            let main = self.main_column().map(|at| self.columns[at].slot);
            self.template = Some(Rc::new(Template::new(&self.tool, form, self.histograms, main)));
        }
    }
}
