//! Where the merge's records go: to stdout as they are, or re-windowed, joined, judged, converted.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use cli::exit::{Exit, Failure, Result};
use cli::signals::Stop;

use crate::csv_out::CsvOut;
use crate::join::Join;
use crate::judge::{Judge, Verdict};
use crate::lines::Format;
use crate::output::Output;
use crate::record::{self, Fields};
use crate::recorder::Recorder;
use crate::rewindow::{Records, Rewindow};
use crate::select::Select;
use crate::table::Row;
use crate::totals::Totals;
use crate::ts::Nanos;
use crate::wide_csv::WideCsv;

/// The form of what goes out.
pub enum Form {
    /// One JSON object per line.
    Json,
    /// One table.
    Csv(CsvOut),
    /// One table of joined records.
    WideCsv(WideCsv),
}

/// The end of the merge.
pub struct Sink {
    /// Keeps what comes, before anything is made of it.
    recorder: Option<Recorder>,
    /// Adds up what comes, for --serve and --otlp.
    totals: Option<Totals>,
    stages: Stages,
    end: End,
    row: Row,
}

/// What is made of several records.
#[derive(Default)]
pub struct Stages {
    /// Makes records of longer intervals of those that come.
    pub window: Option<Rewindow>,
    /// Makes wide records of those.
    pub join: Option<Join>,
}

/// What comes after windows: each record goes out or does not.
pub struct End {
    /// Which records go out, and what they must be like.
    pub judge: Judge,
    /// Which of their fields.
    pub select: Option<Select>,
    /// How they are written.
    pub form: Form,
    /// Where to.
    pub out: Output,
    line: Vec<u8>,
}

impl Sink {
    /// A sink to stdout.
    pub fn new(recorder: Option<Recorder>, totals: Option<Totals>, stages: Stages, end: End) -> Self {
        Self { recorder, totals, stages, end, row: Row::default() }
    }

    /// Passes on lines that go out as they are: whole records in JSON, or rows of the CSV that goes out.
    pub fn push(&mut self, lines: &[u8]) -> Result<()> {
        if let Some(recorder) = &mut self.recorder {
            recorder.push(lines)?;
        }
        self.end.out.push(lines)
    }

    /// Writes what is gathered; see [`Output::flush`].
    pub fn flush(&mut self) -> Result<()> {
        self.recorder.as_mut().map_or(Ok(()), Recorder::flush)?;
        self.end.out.flush()
    }

    /// Writes what is gathered, when the merge has failed.
    pub fn abandon(&mut self) -> Result<()> {
        self.end.out.finish()
    }

    /// See [`Output::heed`].
    pub fn heed(&mut self, stop: Stop, deadline: Option<Instant>) {
        self.end.out.heed(stop, deadline);
    }

    /// See [`Output::asked`].
    pub fn asked(&self) -> bool {
        self.end.out.asked()
    }

    /// When [`Sink::flush`] has something to do although nothing has come.
    pub fn due(&self) -> Option<Instant> {
        self.recorder.as_ref().and_then(Recorder::due)
    }

    /// To be waited on for the end of stdout's reader.
    pub fn out_fd(&self) -> BorrowedFd<'_> {
        self.end.out.as_fd()
    }

    /// Whether the lines of a stream of this format can go out as they are, without a look.
    pub fn takes(&mut self, format: &Format) -> Result<bool> {
        // What is recorded is JSON.
        let records = self.recorder.is_none() || matches!(format, Format::Json);
        let records = records && self.totals.is_none();
        Ok(records && self.stages.is_empty() && self.end.judge.is_empty() && self.end.takes(format)?)
    }

    /// Takes a record that cannot go out without a look. The inner error says why the line is no record after all.
    pub fn convert(
        &mut self,
        time: Nanos,
        line: &[u8],
        format: &Format,
    ) -> Result<std::result::Result<(), String>> {
        let Self { recorder, totals, stages, end, row } = self;
        if stages.is_empty() && totals.is_none() && end.unread(line, format)? {
            return recorder.as_mut().map_or(Ok(()), |recorder| recorder.push(line)).map(Ok);
        }
        let fields = match format {
            Format::Csv(table) => table.fields(line, row),
            _ => record::from_json(line),
        };
        let fields = match fields {
            Ok(fields) => fields,
            Err(why) => return Ok(Err(why)),
        };
        if let Some(totals) = totals {
            totals.take(time, &fields);
        }
        if let Some(recorder) = recorder {
            recorder.push(if matches!(format, Format::Json) { line } else { end.json(&fields) })?;
        }
        if stages.is_empty() {
            let raw = end.takes(format)?.then_some(line);
            end.write(&fields, raw)?;
        } else {
            stages.add(time, &fields, end)?;
        }
        Ok(Ok(()))
    }

    /// When the open window, should nothing more come, is over by the clock.
    pub fn closes(&self) -> Option<Instant> {
        let Stages { window, join } = &self.stages;
        let window = window.as_ref().and_then(Rewindow::closes);
        window.or_else(|| join.as_ref().and_then(Join::closes))
    }

    /// Prints the open window.
    pub fn close_window(&mut self) -> Result<()> {
        self.stages.close(&mut self.end)
    }

    /// Prints what is still held. Fails where the end shows that something was misspelt.
    pub fn finish(&mut self) -> Result<()> {
        self.close_window()?;
        self.end.finish()?;
        self.stages.window.iter().try_for_each(Rewindow::finish)
    }
}

impl Stages {
    fn is_empty(&self) -> bool {
        self.window.is_none() && self.join.is_none()
    }

    fn add(&mut self, time: Nanos, fields: &Fields<'_>, end: &mut End) -> Result<()> {
        match &mut self.window {
            Some(window) => {
                let (time, records) = window.add(time, fields)?;
                self.pass_on(time, &records, end)
            }
            None => self.join(time, fields, end),
        }
    }

    /// Takes a window's records further: joined, they are one record at once.
    fn pass_on(&mut self, time: Nanos, records: &Records, end: &mut End) -> Result<()> {
        if self.join.is_none() {
            return records.iter().try_for_each(|record| end.write(record, None));
        }
        records.iter().try_for_each(|record| self.join(time, record, end))?;
        self.close_join(end)
    }

    fn join(&mut self, time: Nanos, fields: &Fields<'_>, end: &mut End) -> Result<()> {
        let wide = self.join.as_mut().and_then(|join| join.add(time, fields));
        wide.map_or(Ok(()), |wide| end.write(&wide, None))
    }

    fn close_join(&mut self, end: &mut End) -> Result<()> {
        let wide = self.join.as_mut().and_then(Join::close);
        wide.map_or(Ok(()), |wide| end.write(&wide, None))
    }

    fn close(&mut self, end: &mut End) -> Result<()> {
        if let Some(window) = &mut self.window {
            let (time, records) = window.close();
            return self.pass_on(time, &records, end);
        }
        self.close_join(end)
    }
}

impl End {
    /// An end at stdout.
    pub fn new(judge: Judge, select: Option<Select>, form: Form) -> Self {
        Self { judge, select, form, out: Output::stdout(), line: Vec::new() }
    }

    /// Whether the lines of a stream of this format can be written as they are.
    fn takes(&mut self, format: &Format) -> Result<bool> {
        match (&mut self.form, format) {
            _ if self.select.is_some() => Ok(false),
            (Form::Json, Format::Json) => Ok(true),
            (Form::Csv(csv), Format::Csv(table)) => csv.takes(&table.header, &table.names, &mut self.out),
            _ => Ok(false),
        }
    }

    /// Takes a line that need not be taken apart; says whether it was one.
    fn unread(&mut self, line: &[u8], format: &Format) -> Result<bool> {
        if self.select.is_some() || !matches!((&self.form, format), (Form::Json, Format::Json)) {
            return Ok(false);
        }
        match self.judge.unread(line) {
            Some(Verdict::Pass) => self.out.push(line).map(|()| true),
            Some(_) => Ok(true),
            None => Ok(false),
        }
    }

    /// Judges a record and writes it, as the line `raw` where it can go out as it came.
    fn write(&mut self, fields: &Fields<'_>, raw: Option<&[u8]>) -> Result<()> {
        let verdict = self.judge.judge(fields)?;
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

    fn json(&mut self, fields: &Fields<'_>) -> &[u8] {
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

    fn finish(&mut self) -> Result<()> {
        self.finish_form()?;
        self.judge.finish()?;
        self.select.iter().try_for_each(Select::finish)
    }
}
