//! Where the merge's records go: to stdout as they are, or re-windowed, joined, judged, converted.

pub mod csv;
pub mod end;
pub mod recorder;
mod stdout;
pub mod totals;
pub mod wide_csv;

use std::os::fd::BorrowedFd;
use std::time::Instant;

use cli::exit::Result;
use cli::signals::Stop;

use crate::join::Join;
use crate::record::timestamp::Nanos;
use crate::record::{self, Fields};
use crate::source::csv::Row;
use crate::source::lines::Format;
use crate::window::{Records, Rewindow};
use end::End;
use recorder::Recorder;
use totals::Totals;

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

    /// Writes what is gathered; see [`stdout::Output::flush`].
    pub fn flush(&mut self) -> Result<()> {
        self.recorder.as_mut().map_or(Ok(()), Recorder::flush)?;
        self.end.out.flush()
    }

    /// Writes what is gathered, when the merge has failed.
    pub fn abandon(&mut self) -> Result<()> {
        self.end.out.finish()
    }

    /// See [`stdout::Output::heed`].
    pub fn heed(&mut self, stop: Stop, deadline: Option<Instant>) {
        self.end.out.heed(stop, deadline);
    }

    /// See [`stdout::Output::asked`].
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
        Ok(records && self.stages.is_empty() && self.end.filter.is_empty() && self.end.takes(format)?)
    }

    /// Takes a record that cannot go out without a look. The inner error says why the line is no record after all.
    pub fn convert(
        &mut self,
        time: Nanos,
        line: &[u8],
        format: &Format,
    ) -> Result<std::result::Result<(), String>> {
        let Self { recorder, totals, stages, end, row } = self;
        if stages.is_empty() && totals.is_none() && end.without_parsing(line, format)? {
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
