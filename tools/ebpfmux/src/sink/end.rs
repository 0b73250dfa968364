//! The last stage, after windows and joins: filters records, selects fields, and writes them.

use std::borrow::Cow;

use cli::exit::{Exit, Failure, Result};
use cli::stdout::Output;

use super::csv::CsvOut;
use super::tables::Tables;
use super::wide_csv::WideCsv;
use crate::filter::select::Select;
use crate::filter::{Filter, Verdict};
use crate::measure::Totals;
use crate::record::{self, Fields, Value};
use crate::source::lines::Format;

/// The output format.
pub enum Form {
    /// One JSON object per line.
    Json,
    /// One table.
    Csv(CsvOut),
    /// One table of joined records.
    WideCsv(WideCsv),
    /// Tables for people.
    Tables(Tables),
    /// Nothing is written: the records are kept.
    Kept(Totals),
}

/// The last stage, which writes a record or drops it.
pub struct End {
    /// The filter and the assertions.
    pub filter: Filter,
    /// The selected fields.
    pub select: Option<Select>,
    /// The output format.
    pub form: Form,
    /// The destination.
    pub out: Output,
    line: Vec<u8>,
}

impl End {
    /// Creates one that writes to stdout.
    pub fn new(filter: Filter, select: Option<Select>, form: Form) -> Self {
        let out = Output::stdout();
        out.widen();
        Self { filter, select, form, out, line: Vec::new() }
    }

    /// Whether the lines of a stream of this format can be written unchanged.
    pub fn takes(&mut self, format: &Format) -> Result<bool> {
        match (&mut self.form, format) {
            _ if self.select.is_some() => Ok(false),
            (Form::Json, Format::Json) => Ok(true),
            (Form::Csv(csv), Format::Csv(table)) => csv.takes(&table.header, &table.names, &mut self.out),
            _ => Ok(false),
        }
    }

    /// Handles a line that need not be parsed; returns whether it was one.
    pub fn without_parsing(&mut self, line: &[u8], format: &Format) -> Result<bool> {
        if self.select.is_some() || !matches!((&self.form, format), (Form::Json, Format::Json)) {
            return Ok(false);
        }
        match self.filter.without_parsing(line) {
            Some(Verdict::Pass) => self.out.push(line).map(|()| true),
            Some(_) => Ok(true),
            None => Ok(false),
        }
    }

    /// Filters a record and writes it, as the line `raw` if it is unchanged.
    pub fn write(&mut self, fields: &Fields<'_>, raw: Option<&[u8]>) -> Result<()> {
        let verdict = self.filter.judge(fields)?;
        if matches!(verdict, Verdict::Drop) {
            self.select.iter_mut().for_each(|select| select.held_back(fields));
            return Ok(());
        }
        let selected = match &mut self.select {
            Some(select) => select.apply(fields)?,
            None => None,
        };
        match (raw, selected) {
            (Some(line), _) => self.out.push(line)?,
            (None, Some(selected)) => self.print(&selected)?,
            (None, None) if self.select.is_none() => self.print(fields)?,
            (None, None) => {}
        }
        match verdict {
            Verdict::Broken(why) => {
                self.finish_form()?;
                Err(Failure::new(Exit::CheckFailed, why))
            }
            _ => Ok(()),
        }
    }

    /// A record as a line of JSON.
    pub fn json(&mut self, fields: &Fields<'_>) -> &[u8] {
        self.line.clear();
        record::to_json(fields, &mut self.line);
        &self.line
    }

    fn print(&mut self, fields: &Fields<'_>) -> Result<()> {
        match &mut self.form {
            Form::Json => {
                self.line.clear();
                record::to_json(fields, &mut self.line);
                self.out.push(&self.line)
            }
            Form::Csv(csv) => csv.write(fields, &mut self.out),
            Form::WideCsv(csv) => csv.write(fields, &mut self.out),
            Form::Tables(tables) => self.out.push(tables.write(fields).as_bytes()),
            Form::Kept(totals) => {
                let owned = |(name, value): &(Cow<'_, str>, Value<'_>)| {
                    (name.clone().into_owned().into(), value.clone().into_owned())
                };
                totals.borrow_mut().push(fields.iter().map(owned).collect());
                Ok(())
            }
        }
    }

    /// Writes what is buffered, of tables also what waits for more lines; see [`Output::flush`].
    pub fn flush(&mut self) -> Result<()> {
        self.lay_out()?;
        self.out.flush()
    }

    /// Writes all that is buffered, after a failure.
    pub fn abandon(&mut self) -> Result<()> {
        self.lay_out()?;
        self.out.finish()
    }

    fn lay_out(&mut self) -> Result<()> {
        match &mut self.form {
            Form::Tables(tables) => self.out.push(tables.flush().as_bytes()),
            _ => Ok(()),
        }
    }

    fn finish_form(&mut self) -> Result<()> {
        self.lay_out()?;
        if let Form::WideCsv(csv) = &mut self.form {
            csv.finish(&mut self.out)?;
        }
        self.out.finish()
    }

    /// Ends the output; fails if a name was in no record.
    pub fn finish(&mut self) -> Result<()> {
        self.finish_form()?;
        self.filter.finish()?;
        self.select.iter().try_for_each(Select::finish)
    }
}
