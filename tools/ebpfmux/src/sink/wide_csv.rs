//! Joined records as CSV: the columns are those of the first few.

use std::collections::{HashMap, VecDeque};

use cli::exit::Result;
use cli::stdout::Output;

use super::csv::{cell, refuse_nested, row};
use crate::note::note;
use crate::record::{Fields, Value};

/// The number of records examined before the header is fixed: the first may contain only some of
/// the tools.
const HEADER_RECORDS: usize = 3;

/// The CSV of joined records.
pub struct WideCsv {
    quiet: bool,
    waiting: VecDeque<Fields<'static>>,
    columns: HashMap<String, usize>,
    dropped: u64,
    line: Vec<u8>,
}

impl WideCsv {
    /// Creates one. `quiet` suppresses the notes on values left out.
    pub fn new(quiet: bool) -> Self {
        Self { quiet, waiting: VecDeque::new(), columns: HashMap::new(), dropped: 0, line: Vec::new() }
    }

    /// Prints a record, or keeps it until the header is known.
    pub fn write(&mut self, fields: &Fields<'_>, out: &mut Output) -> Result<()> {
        refuse_nested(fields)?;
        if !self.columns.is_empty() {
            return self.print_row(fields, out);
        }
        let own = fields.iter().map(|(name, value)| (name.to_string().into(), value.clone().into_owned()));
        self.waiting.push_back(own.collect());
        if self.waiting.len() == HEADER_RECORDS { self.print_header(out) } else { Ok(()) }
    }

    /// Prints what is left, and reports values without a column.
    pub fn finish(&mut self, out: &mut Output) -> Result<()> {
        if !self.waiting.is_empty() {
            self.print_header(out)?;
        }
        if self.dropped > 0 && !self.quiet {
            let count = self.dropped;
            note(&format!("--join: {count} values left out, for which the CSV header has no column"));
        }
        Ok(())
    }

    /// Prints the pending records, because this is the end.
    fn print_header(&mut self, out: &mut Output) -> Result<()> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.waiting.iter().flatten() {
            if !self.columns.contains_key(name.as_ref()) {
                self.columns.insert(name.to_string(), names.len());
                names.push(name);
            }
        }
        self.line.clear();
        row(names.into_iter(), &mut self.line);
        out.push(&self.line)?;
        while let Some(wide) = self.waiting.pop_front() {
            self.print_row(&wide, out)?;
        }
        Ok(())
    }

    fn print_row(&mut self, wide: &Fields<'_>, out: &mut Output) -> Result<()> {
        let mut cells: Vec<&str> = vec![""; self.columns.len()];
        for (name, value) in wide {
            match self.columns.get(name.as_ref()) {
                Some(at) => cells[*at] = cell(value),
                None if *value == Value::Null => {}
                None => {
                    self.dropped += 1;
                    if self.dropped == 1 && !self.quiet {
                        let remedy = "left out, more such values are only counted; -o json keeps them";
                        note(&format!("--join: `{name}` is new after the CSV header; {remedy}"));
                    }
                }
            }
        }
        self.line.clear();
        row(cells.into_iter(), &mut self.line);
        out.push(&self.line)
    }
}
