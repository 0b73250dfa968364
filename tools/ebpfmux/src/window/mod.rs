//! `--window`: combines records into longer intervals.

mod aggregate;
mod groups;
pub mod room;
pub mod tumbling;

use std::time::{Duration, Instant};

use cli::exit::{Failure, Result};

use crate::note::note;
use crate::record::declared::Declared;
use crate::record::keys::is_key;
use crate::record::timestamp::Nanos;
use crate::record::{Fields, find};
use groups::Groups;
use room::{LeftOut, Room};
use tumbling::Tumbling;

/// The records of complete windows, with the time of each window's end.
pub type Complete = Vec<(Nanos, Vec<Fields<'static>>)>;

/// The tumbling windows of one stream.
pub struct Windows {
    windows: Tumbling<Groups>,
    /// The keys to keep, if not all, and whether each was in a record.
    by: Option<Vec<String>>,
    seen: Vec<bool>,
    records: u64,
    room: Room,
    /// Records and values for which there was no room.
    pub left_out: LeftOut,
    /// Whether not to report missing percentiles; set after the first report.
    quiet: bool,
    /// There is one window for all records, which ends with the last: its time so far.
    whole: Option<Nanos>,
}

/// The room of names and values per key, in bytes.
const BYTES: usize = 8 << 10;

impl Windows {
    /// Windows of this length, each for at most so many keys; `by` names the keys to keep, separated
    /// by commas.
    pub fn new(length: Duration, keys: usize, by: Option<&str>, quiet: bool) -> Result<Self> {
        let by: Option<Vec<String>> =
            by.map(|names| names.split(',').map(|name| name.trim().to_owned()).collect());
        let names = by.iter().flatten();
        if names.clone().any(String::is_empty) {
            return Err(Failure::usage("--by: a name is empty; see --help"));
        }
        // Every record has a tool, and records of different tools are never combined.
        let seen = names.map(|name| name == "tool").collect();
        let room = Room { items: keys, bytes: keys.saturating_mul(BYTES) };
        let left_out = LeftOut::new("--window-keys", quiet);
        let windows = Tumbling::new(length);
        Ok(Self { windows, by, seen, records: 0, room, left_out, quiet, whole: None })
    }

    /// One window for all records of intervals, by these keys as far as records have them. Events are left out.
    pub fn whole(keys: usize, by: &str, quiet: bool) -> Result<Self> {
        let mut windows = Self::new(Duration::MAX, keys, Some(by), quiet)?;
        windows.seen.fill(true);
        Ok(Self { whole: Some(Nanos::MIN), ..windows })
    }

    /// When the open window is closed by the clock if no more records come.
    pub fn closes(&self) -> Option<Instant> {
        self.windows.closes().filter(|_| self.whole.is_none())
    }

    /// Adds a record to its window; returns the records of the windows that this completes. Fails if a record is not of
    /// an interval, or if --by names a field that is not a key.
    pub fn add(&mut self, time: Nanos, fields: &Fields<'_>) -> Result<Complete> {
        self.records += 1;
        if let Some(last) = &mut self.whole {
            *last = time.max(*last);
            if find(fields, "interval_s").is_none() {
                return Ok(Complete::new());
            }
        }
        for (name, seen) in self.by.iter().flatten().zip(&mut self.seen) {
            if let Some(value) = find(fields, name).filter(|_| !*seen) {
                if !is_key(Declared::of(fields), name, value) && !matches!(name.as_str(), "host" | "tool") {
                    return Err(Failure::usage(format!(
                        "--by: `{name}` is a value; records can be grouped by keys only"
                    )));
                }
                *seen = true;
            }
        }
        let (mut added, room) = (Ok(0), self.room);
        let closed = self.windows.put(time, |groups| added = groups.add(time, fields, room));
        let left_out =
            added.map_err(|why| Failure::usage(format!("--window: {why}; leave it out of the input")))?;
        self.left_out.add(left_out);
        Ok(self.records_of(closed))
    }

    /// Closes the open windows.
    pub fn close(&mut self) -> Complete {
        let closed = self.windows.close();
        self.records_of(closed)
    }

    /// At the end: fails if --by names a field that no record had.
    pub fn finish(&self) -> Result<()> {
        self.left_out.report();
        match self.by.iter().flatten().zip(&self.seen).find(|(_, seen)| !**seen) {
            Some((name, _)) if self.records > 0 => {
                Err(Failure::usage(format!("--by: no record had a `{name}`")))
            }
            _ => Ok(()),
        }
    }

    fn records_of(&mut self, closed: Vec<(Nanos, Groups)>) -> Complete {
        let mut complete = Vec::with_capacity(closed.len());
        for (end, groups) in closed {
            let end = self.whole.unwrap_or(end);
            let (records, lacking) = groups.records(end, self.by.as_deref());
            if lacking && !self.quiet {
                self.quiet = true;
                note("--window: percentiles of several records are null: run the tools with --buckets");
            }
            complete.push((end, records));
        }
        complete
    }
}
