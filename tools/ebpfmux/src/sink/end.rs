//! What comes after windows and joins: records are judged, cut to the fields asked for, and written in their form.

use cli::exit::{Exit, Failure, Result};

use super::csv::CsvOut;
use super::stdout::Output;
use super::wide_csv::WideCsv;
use crate::filter::select::Select;
use crate::filter::{Filter, Verdict};
use crate::record::{self, Fields};
use crate::source::lines::Format;

/// The form of what goes out.
pub enum Form {
    /// One JSON object per line.
    Json,
    /// One table.
    Csv(CsvOut),
    /// One table of joined records.
    WideCsv(WideCsv),
}

/// What comes after windows: each record goes out or does not.
pub struct End {
    /// Which records go out, and what they must be like.
    pub filter: Filter,
    /// Which of their fields.
    pub select: Option<Select>,
    /// How they are written.
    pub form: Form,
    /// Where to.
    pub out: Output,
    line: Vec<u8>,
}

impl End {
    /// An end at stdout.
    pub fn new(filter: Filter, select: Option<Select>, form: Form) -> Self {
        Self { filter, select, form, out: Output::stdout(), line: Vec::new() }
    }

    /// Whether the lines of a stream of this format can be written as they are.
    pub fn takes(&mut self, format: &Format) -> Result<bool> {
        match (&mut self.form, format) {
            _ if self.select.is_some() => Ok(false),
            (Form::Json, Format::Json) => Ok(true),
            (Form::Csv(csv), Format::Csv(table)) => csv.takes(&table.header, &table.names, &mut self.out),
            _ => Ok(false),
        }
    }

    /// Takes a line that need not be taken apart; says whether it was one.
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

    /// Judges a record and writes it, as the line `raw` where it can go out as it came.
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
        }
    }

    fn finish_form(&mut self) -> Result<()> {
        if let Form::WideCsv(csv) = &mut self.form {
            csv.finish(&mut self.out)?;
        }
        self.out.finish()
    }

    /// Ends the output; fails where what it should have seen never came.
    pub fn finish(&mut self) -> Result<()> {
        self.finish_form()?;
        self.filter.finish()?;
        self.select.iter().try_for_each(Select::finish)
    }
}
