//! `--window`: the records of shorter intervals as those of a longer one.

mod aggregate;
mod groups;
pub mod tumbling;

use std::time::{Duration, Instant};

use cli::exit::{Failure, Result};

use crate::note::note;
use crate::record::declared::Declared;
use crate::record::keys::is_key;
use crate::record::timestamp::Nanos;
use crate::record::{Fields, find};
use groups::Groups;
use tumbling::Tumbling;

/// The records of a window that is complete.
pub type Records = Vec<Fields<'static>>;

/// The re-windowing of records.
pub struct Rewindow {
    windows: Tumbling<Groups>,
    /// The keys to keep, if not all, and whether each was in a record.
    by: Option<Vec<String>>,
    seen: Vec<bool>,
    records: u64,
    /// Whether to say nothing of percentiles that are left out; set once that has been said.
    quiet: bool,
}

impl Rewindow {
    /// Windows of this length; `by` names the keys to keep, parted by commas.
    pub fn new(length: Duration, by: Option<&str>, quiet: bool) -> Result<Self> {
        let by: Option<Vec<String>> =
            by.map(|names| names.split(',').map(|name| name.trim().to_owned()).collect());
        let names = by.iter().flatten();
        if names.clone().any(String::is_empty) {
            return Err(Failure::usage("--by: a name is empty; see --help"));
        }
        // Every record has its tool, and those of two are never one.
        let seen = names.map(|name| name == "tool").collect();
        Ok(Self { windows: Tumbling::new(length), by, seen, records: 0, quiet })
    }

    /// When the open window, should nothing more come, is over by the clock.
    pub fn closes(&self) -> Option<Instant> {
        self.windows.closes()
    }

    /// Puts a record into its window; the records of the window that this completes, with the time of its end. Fails
    /// where a record is of no interval, or --by names what is no key.
    pub fn add(&mut self, time: Nanos, fields: &Fields<'_>) -> Result<(Nanos, Records)> {
        self.records += 1;
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
        let mut added = Ok(());
        let closed = self.windows.put(time, |groups| added = groups.add(time, fields));
        added.map_err(|why| Failure::usage(format!("--window: {why}; leave it out of the input")))?;
        Ok(self.records_of(closed))
    }

    /// Closes the open window.
    pub fn close(&mut self) -> (Nanos, Records) {
        let closed = self.windows.close();
        self.records_of(closed)
    }

    /// At the end: fails if --by names what no record had.
    pub fn finish(&self) -> Result<()> {
        match self.by.iter().flatten().zip(&self.seen).find(|(_, seen)| !**seen) {
            Some((name, _)) if self.records > 0 => {
                Err(Failure::usage(format!("--by: no record had a `{name}`")))
            }
            _ => Ok(()),
        }
    }

    fn records_of(&mut self, closed: Option<(Nanos, Groups)>) -> (Nanos, Records) {
        let Some((end, groups)) = closed else { return (0, Vec::new()) };
        let (records, lacking) = groups.records(end, self.by.as_deref());
        if lacking && !self.quiet {
            self.quiet = true;
            note("--window: percentiles of several records are null: run the tools with --buckets");
        }
        (end, records)
    }
}
