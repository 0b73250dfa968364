//! Problems of one source: the first is reported at once, the rest are counted and reported at the
//! end.

use cli::exit::{Failure, Result};

use crate::note::note;
use crate::record::timestamp::Nanos;

/// Counts of one source.
pub struct Problems {
    name: String,
    strict: bool,
    quiet: bool,
    /// Records passed on.
    pub records: u64,
    bad: u64,
    late: u64,
    latest: Nanos,
}

impl Problems {
    /// For the source of this name; `strict` makes a bad line fatal, `quiet` keeps the rest from stderr.
    pub fn new(name: String, strict: bool, quiet: bool) -> Self {
        Self { name, strict, quiet, records: 0, bad: 0, late: 0, latest: 0 }
    }

    /// The source as the user named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// It is another source from now on.
    pub fn rename(&mut self, name: String) {
        self.name = name;
    }

    /// A line was left out. Fails if bad input is to be fatal.
    pub fn bad(&mut self, line: u64, why: &str) -> Result<()> {
        if self.strict {
            return Err(Failure::failed(format!("{}:{line}: {why}", self.name)));
        }
        self.bad += 1;
        if self.bad == 1 {
            self.say(&format!("line {line} {why}; left out, more such lines are only counted"));
        }
        Ok(())
    }

    /// A record was passed on out of order, late by this much.
    pub fn late(&mut self, by: Nanos) {
        self.late += 1;
        self.latest = self.latest.max(by);
    }

    /// Whether there was something in it, but no record: a failure.
    pub fn is_of_no_records(&self) -> bool {
        self.bad > 0 && self.records == 0
    }

    /// Prints the totals, or nothing if there was no problem; with `verbose` in any case.
    pub fn report(&self, verbose: bool) {
        let left_out = format!("{} left out", counted(self.bad, "bad line"));
        if self.is_of_no_records() {
            note(&format!("{}: nothing in it is a record: {left_out}", self.name));
        } else if self.bad > 1 {
            // The first has been reported.
            self.say(&left_out);
        }
        if self.late > 0 {
            let by = self.latest as f64 / 1e9;
            let late = counted(self.late, "late record");
            self.say(&format!("{late} passed on out of order, late by up to {by} s"));
        }
        if verbose {
            self.say(&counted(self.records, "record"));
        }
    }

    fn say(&self, what: &str) {
        if !self.quiet {
            note(&format!("{}: {what}", self.name));
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
