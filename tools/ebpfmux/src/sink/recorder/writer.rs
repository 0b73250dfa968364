//! Writes records to files. What cannot be written is counted and reported, and writing is retried.

use std::io;
use std::time::{Duration, Instant};

use cli::exit::{Failure, Result};

use super::Rotation;
use super::folder::Folder;
use super::part::{Part, records};
use crate::note::note;
use crate::record::timestamp;

/// The time between two attempts to write after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// The writer of a recording.
pub struct Writer {
    folder: Folder,
    rotation: Rotation,
    part: Option<Part>,
    gap: Option<Gap>,
    /// The number of records missing in the recording, except those of the current gap.
    missing: u64,
    /// The last failure.
    failure: Option<String>,
}

/// A time during which nothing can be written.
struct Gap {
    /// When it began, in the form of `ts`.
    since: String,
    missing: u64,
    /// When to try again.
    again: Instant,
}

impl Writer {
    /// Creates the first file.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn new(folder: Folder, rotation: Rotation) -> io::Result<Self> {
        let mut writer = Self { folder, rotation, part: None, gap: None, missing: 0, failure: None };
        writer.begin()?;
        Ok(writer)
    }

    fn begin(&mut self) -> io::Result<()> {
        let (file, path) = self.folder.begin()?;
        self.part = Some(Part::new(file, path)?);
        Ok(())
    }

    /// When [`Writer::flush`] is due.
    pub fn due(&self) -> Option<Instant> {
        self.part.as_ref().and_then(|part| part.due)
    }

    /// Adds complete records, as lines.
    pub fn push(&mut self, lines: &[u8]) {
        let now = Instant::now();
        let Rotation { bytes, age, .. } = self.rotation;
        if self.part.as_ref().is_some_and(|part| part.bytes() >= bytes || part.since + age <= now) {
            match self.part.as_mut().map_or(Ok(()), Part::finish) {
                Ok(()) => self.part = None,
                Err(error) => self.give_up(&error),
            }
        }
        if let Some(gap) = self.gap.as_mut().filter(|gap| gap.again > now) {
            gap.missing += records(lines);
            return;
        }
        if self.part.is_none()
            && let Err(error) = self.begin()
        {
            let what = format!("cannot write to {}: {error}", self.folder.path().display());
            return self.failed(what, records(lines));
        }
        let Some(part) = &mut self.part else { return };
        let pushed = part.push(lines, now);
        // A gap ends only when records can be read back.
        let written = if self.gap.is_some() { pushed.and_then(|()| part.flush(now)) } else { pushed };
        match written {
            Ok(()) => self.end_gap(),
            Err(error) => self.give_up(&error),
        }
    }

    /// Flushes if it is due.
    pub fn flush(&mut self) {
        let now = Instant::now();
        if let Some(part) = self.part.as_mut().filter(|part| part.due.is_some_and(|due| due <= now))
            && let Err(error) = part.flush(now)
        {
            self.give_up(&error);
        }
    }

    /// Leaves a file that cannot be written to, and begins a gap.
    fn give_up(&mut self, error: &io::Error) {
        if let Some((what, lost)) = self.leave(error) {
            self.failed(what, lost);
        }
    }

    /// Leaves the file after an error. Returns the error message, and the number of its records that
    /// are missing.
    fn leave(&mut self, error: &io::Error) -> Option<(String, u64)> {
        let part = self.part.take()?;
        let (path, lost) = (part.path.clone(), part.unflushed);
        if !part.give_up() {
            self.folder.take_back(&path);
        }
        Some((format!("cannot write to {}: {error}", path.display()), lost))
    }

    fn failed(&mut self, what: String, lost: u64) {
        let again = Instant::now() + PAUSE;
        match &mut self.gap {
            Some(gap) => (gap.missing, gap.again) = (gap.missing + lost, again),
            None => {
                note(&format!("--record: {what}; records are missing from now on, tried again every second"));
                self.gap = Some(Gap { since: timestamp::now(), missing: lost, again });
            }
        }
        self.failure = Some(what);
    }

    fn end_gap(&mut self) {
        if let (Some(gap), Some(part)) = (self.gap.take(), &self.part) {
            self.missing += gap.missing;
            let (missing, since, path) = (counted(gap.missing), gap.since, part.path.display());
            note(&format!("--record: goes on in {path}; {missing} missing since {since}"));
        }
    }

    /// Ends the recording and syncs it to disk.
    ///
    /// # Errors
    /// Status 1 if that fails, or records are missing.
    pub fn finish(mut self) -> Result<()> {
        let ended = self.part.as_mut().map_or(Ok(()), Part::finish);
        if let Err(error) = ended.and_then(|()| self.folder.sync())
            && let Some((what, lost)) = self.leave(&error)
        {
            self.missing += lost;
            self.failure = Some(what);
        }
        let missing = self.missing + self.gap.map_or(0, |gap| gap.missing);
        match (self.failure, missing) {
            (None, _) => Ok(()),
            (Some(what), 0) => Err(Failure::failed(format!("--record: {what}"))),
            (Some(what), _) => {
                Err(Failure::failed(format!("--record: {} missing: {what}", counted(missing))))
            }
        }
    }
}

fn counted(records: u64) -> String {
    if records == 1 { "1 record is".to_owned() } else { format!("{records} records are") }
}
