//! Writes CSV: one header, then rows in its columns.

use std::borrow::Cow;

use cli::exit::{Failure, Result};
use cli::stdout::Output;
use record::fields::CLOCK_STEP;

use crate::record::{Fields, Value};

/// The CSV on stdout.
#[derive(Default)]
pub struct CsvOut {
    columns: Option<Vec<String>>,
    line: Vec<u8>,
}

impl CsvOut {
    /// Whether rows of these columns can be written unchanged; prints the header if there is none
    /// yet.
    pub fn takes(&mut self, header: &[u8], names: &[String], out: &mut Output) -> Result<bool> {
        if self.columns.is_none() {
            out.push(header)?;
            self.columns = Some(names.to_vec());
        }
        Ok(self.columns.as_deref() == Some(names))
    }

    /// Prints a record as a row; the first record sets the columns. A value without a column is a
    /// usage error.
    pub fn write(&mut self, fields: &Fields<'_>, out: &mut Output) -> Result<()> {
        refuse_nested(fields)?;
        self.line.clear();
        let columns = match &self.columns {
            Some(columns) => columns,
            None => {
                // A field that few records have is no column.
                let names =
                    || fields.iter().map(|(name, _)| name.as_ref()).filter(|name| *name != CLOCK_STEP);
                row(names(), &mut self.line);
                self.columns.insert(names().map(str::to_owned).collect())
            }
        };
        let mut placed = 0;
        let cells = columns.iter().enumerate().map(|(i, column)| {
            // Fields nearly always have the order of the columns.
            let named = |field: &&(Cow<'_, str>, Value<'_>)| field.0 == column.as_str();
            let field = fields.get(i).filter(named).or_else(|| fields.iter().find(named));
            placed += usize::from(field.is_some());
            field.map_or("", |(_, value)| cell(value))
        });
        row(cells, &mut self.line);
        let unplaced = || {
            let mut fields = fields.iter().filter(|(name, _)| name != CLOCK_STEP);
            fields.find(|(name, _)| !columns.iter().any(|column| column == name))
        };
        if let Some((name, _)) = (placed < fields.len()).then(unplaced).flatten() {
            let remedy = "add --join, merge one tool at a time, or use -o json";
            return Err(Failure::usage(format!(
                "CSV has one header, and a record has `{name}`, which is not in it; {remedy}"
            )));
        }
        out.push(&self.line)
    }
}

/// The error for a record with an array or an object, which has no CSV form: a usage error.
pub fn refuse_nested(fields: &Fields<'_>) -> Result<()> {
    match fields.iter().find(|(_, value)| matches!(value, Value::Nested(_))) {
        Some((name, _)) => {
            let remedy = "leave it out of the tools' output (--buckets), or use -o json";
            Err(Failure::usage(format!("`{name}` has no CSV form; {remedy}")))
        }
        None => Ok(()),
    }
}

/// A value as a cell; null is empty.
pub fn cell<'a>(value: &'a Value<'_>) -> &'a str {
    if *value == Value::Null { "" } else { value.text() }
}

/// Appends one row, quoted as in RFC 4180, with a line feed at its end.
pub fn row<'a>(cells: impl Iterator<Item = &'a str>, line: &mut Vec<u8>) {
    for (i, cell) in cells.enumerate() {
        if i > 0 {
            line.push(b',');
        }
        if cell.contains(['"', ',', '\n', '\r']) {
            line.push(b'"');
            line.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
            line.push(b'"');
        } else {
            line.extend_from_slice(cell.as_bytes());
        }
    }
    line.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back_as_they_were() {
        let cells = ["a", "", "b,c", "d\"e", "f\ng", "h\r", " i "];
        let mut line = Vec::new();
        row(cells.into_iter(), &mut line);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_slice());
        let read: Vec<_> = reader.records().map(|row| row.unwrap()).collect();
        assert_eq!(read, [csv::StringRecord::from(cells.to_vec())]);
    }
}
