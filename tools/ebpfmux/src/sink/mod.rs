//! Destinations of the merge's records: stdout unchanged, or windows, joins, filters, conversions.

pub mod csv;
pub mod end;
pub mod recorder;
pub mod recording;
pub mod tables;
pub mod totals;
pub mod wide_csv;

use std::os::fd::BorrowedFd;
use std::time::Instant;

use cli::exit::Result;
use cli::signals::Stop;

use crate::join::Join;
use crate::record::Fields;
use crate::record::timestamp::Nanos;
use crate::source::csv::Row;
use crate::source::lines::Format;
use crate::window::{Complete, Windows};
use end::End;
use recording::Recording;
use totals::Totals;

/// The destination of the merge.
pub struct Sink {
    /// Records the input.
    recording: Option<Recording>,
    /// Sums the input, for --serve and --otlp.
    totals: Option<Totals>,
    /// Combine records.
    pub stages: Stages,
    /// Writes them.
    pub end: End,
    row: Row,
}

/// What a line turned out to be.
pub enum Converted {
    /// A record, which was written or passed to a stage.
    Record,
    /// Not a record, for this reason.
    Malformed(String),
}

/// The stages that combine records.
#[derive(Default)]
pub struct Stages {
    /// Combines records into longer intervals.
    pub window: Option<Windows>,
    /// Joins records into wide ones.
    pub join: Option<Join>,
}

impl Sink {
    /// A sink to stdout.
    pub fn new(recording: Option<Recording>, totals: Option<Totals>, stages: Stages, end: End) -> Self {
        Self { recording, totals, stages, end, row: Row::default() }
    }

    /// Passes on lines unchanged: complete JSON records, or rows of the CSV output.
    pub fn push(&mut self, lines: &[u8]) -> Result<()> {
        if let Some(recording) = &self.recording {
            recording.push(lines);
        }
        self.end.out.push(lines)
    }

    /// Writes the buffered output; see [`cli::stdout::Output::flush`].
    pub fn flush(&mut self) -> Result<()> {
        self.end.flush()
    }

    /// Writes the buffered output after the merge has failed.
    pub fn abandon(&mut self) -> Result<()> {
        self.end.abandon()
    }

    /// See [`cli::stdout::Output::heed`].
    pub fn heed(&mut self, stop: Stop, deadline: Option<Instant>) {
        self.end.out.heed(stop, deadline);
    }

    /// See [`cli::stdout::Output::asked`].
    pub fn asked(&self) -> bool {
        self.end.out.asked()
    }

    /// Ends the recording, if there is one.
    ///
    /// # Errors
    /// If it cannot be written to the end, or records are missing in it.
    pub fn end_recording(&mut self) -> Result<()> {
        self.recording.take().map_or(Ok(()), Recording::end)
    }

    /// The descriptor to poll for the exit of stdout's reader.
    pub fn out_fd(&self) -> BorrowedFd<'_> {
        self.end.out.as_fd()
    }

    /// Whether the lines of a stream of this format can be written unchanged and unparsed.
    pub fn takes(&mut self, format: &Format) -> Result<bool> {
        // A recording is JSON.
        let is_recorded = |recording: &Recording| recording.is_of_all() && matches!(format, Format::Json);
        let records = self.recording.as_ref().is_none_or(is_recorded);
        let records = records && self.totals.is_none();
        Ok(records && self.stages.is_empty() && self.end.filter.is_empty() && self.end.takes(format)?)
    }

    /// Handles a record that must be parsed. Fails if it cannot be written.
    pub fn convert(&mut self, time: Nanos, line: &[u8], format: &Format) -> Result<Converted> {
        let Self { recording, totals, stages, end, row } = self;
        let unseen = stages.is_empty() && totals.is_none();
        let unseen = unseen && recording.as_ref().is_none_or(Recording::is_of_all);
        if unseen && end.without_parsing(line, format)? {
            recording.iter().for_each(|recording| recording.push(line));
            return Ok(Converted::Record);
        }
        let fields = match format.record(line, row) {
            Ok(fields) => fields,
            Err(why) => return Ok(Converted::Malformed(why)),
        };
        if let Some(totals) = totals {
            totals.take(time, &fields);
        }
        if let Some(recording) = recording {
            let json = matches!(format, Format::Json);
            recording.take(time, &fields, if json { line } else { end.json(&fields) })?;
        }
        if stages.is_empty() {
            let raw = end.takes(format)?.then_some(line);
            end.write(&fields, raw)?;
        } else {
            stages.add(time, &fields, end)?;
            if let Some(totals) = totals {
                totals.left_out(stages.left_out());
            }
        }
        Ok(Converted::Record)
    }

    /// When the open window is closed by the clock if no more records come.
    pub fn closes(&self) -> Option<Instant> {
        let Stages { window, join } = &self.stages;
        let window = window.as_ref().and_then(Windows::closes);
        window.or_else(|| join.as_ref().and_then(Join::closes))
    }

    /// Prints the open window.
    pub fn close_window(&mut self) -> Result<()> {
        self.stages.close(&mut self.end)
    }

    /// Prints what is still held. Fails if a name was misspelt.
    pub fn finish(&mut self) -> Result<()> {
        self.close_window()?;
        self.stages.join.iter().for_each(|join| join.left_out.report());
        self.end.finish()?;
        self.stages.window.iter().try_for_each(Windows::finish)
    }
}

impl Stages {
    /// What was left out of full windows, and of full joined records.
    fn left_out(&self) -> (u64, u64) {
        let window = self.window.as_ref().map_or(0, |window| window.left_out.count);
        (window, self.join.as_ref().map_or(0, |join| join.left_out.count))
    }

    fn is_empty(&self) -> bool {
        self.window.is_none() && self.join.is_none()
    }

    fn add(&mut self, time: Nanos, fields: &Fields<'_>, end: &mut End) -> Result<()> {
        match &mut self.window {
            Some(window) => {
                let complete = window.add(time, fields)?;
                self.pass_on(&complete, end)
            }
            None => self.join(time, fields, end),
        }
    }

    /// Passes the records of complete windows to the next stage: a join makes one record of each window.
    fn pass_on(&mut self, complete: &Complete, end: &mut End) -> Result<()> {
        for (time, records) in complete {
            if self.join.is_none() {
                records.iter().try_for_each(|record| end.write(record, None))?;
                continue;
            }
            records.iter().try_for_each(|record| self.join(*time, record, end))?;
            self.close_join(end)?;
        }
        Ok(())
    }

    fn join(&mut self, time: Nanos, fields: &Fields<'_>, end: &mut End) -> Result<()> {
        let wide = self.join.as_mut().map(|join| join.add(time, fields)).unwrap_or_default();
        wide.iter().try_for_each(|wide| end.write(wide, None))
    }

    fn close_join(&mut self, end: &mut End) -> Result<()> {
        let wide = self.join.as_mut().map(Join::close).unwrap_or_default();
        wide.iter().try_for_each(|wide| end.write(wide, None))
    }

    fn close(&mut self, end: &mut End) -> Result<()> {
        if let Some(window) = &mut self.window {
            let complete = window.close();
            return self.pass_on(&complete, end);
        }
        self.close_join(end)
    }
}
