//! Passes records on, the earliest first.

use std::time::Instant;

use cli::exit::Result;

use super::super::Merge;
use super::Run;
use crate::record::timestamp::Nanos;
use crate::sink::Converted;
use crate::source::Source;

/// The number of runs of records passed on between two checks of signals and live sources.
const RUNS: usize = 1024;

impl Run<'_> {
    /// Passes on records until none may be passed on, or for a limited number of runs; returns
    /// whether there was one.
    pub(super) fn pass_on(&mut self) -> Result<bool> {
        self.due = None;
        // No source becomes live here, and with files only the limits need not be computed.
        let live = self.merge.sources.iter().any(Source::is_live);
        for runs in 0..RUNS {
            let Some(at) = self.tree.first() else { return Ok(runs > 0) };
            let Some(time) = self.merge.sources[at].time() else { return Ok(runs > 0) };
            let sources = self.merge.sources.iter().take_while(|_| live);
            let limit = sources.filter_map(Source::frontier).min().unwrap_or(Nanos::MAX);
            if time > limit && self.held(at, time) {
                return Ok(runs > 0);
            }
            self.send(at, time, limit)?;
            // Commands are stopped before waiting for the reader any longer.
            if self.merge.sink.asked() && self.ending.is_none() {
                return Ok(true);
            }
            if self.merge.sources[at].was_live() && self.merge.sources[at].time().is_none() {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// Whether this head must wait for a live source that may still have an earlier record.
    fn held(&mut self, at: usize, time: Nanos) -> bool {
        let hold = self.merge.hold;
        let source = &mut self.merge.sources[at];
        let due = match source.arrival().filter(|_| !source.crowded()) {
            Some(arrival) => arrival + hold,
            // A file, or a source with full read-ahead: the deadline counts from the last input of
            // the others.
            None => {
                let silent = self
                    .merge
                    .sources
                    .iter()
                    .filter(|other| other.frontier().is_some_and(|limit| limit < time));
                silent.map(|other| other.active + hold).max().unwrap_or_else(Instant::now)
            }
        };
        self.due = (due > Instant::now()).then_some(due);
        self.due.is_some()
    }

    /// Passes on the head of a source and the records after it up to `limit`, as long as they are
    /// the earliest.
    fn send(&mut self, at: usize, mut time: Nanos, limit: Nanos) -> Result<()> {
        let Self { merge: Merge { sources, sink, .. }, tree, last, line, .. } = self;
        let source = &mut sources[at];
        let raw = match source.raw {
            Some(raw) => raw,
            None => *source.raw.insert(sink.takes(source.format())?),
        };
        let Some(from) = source.position().filter(|_| raw) else {
            let (number, time) = source.take_line(line);
            in_order(source, time, last);
            let converted = if raw {
                sink.push(line)?;
                Converted::Record
            } else {
                sink.convert(time, line, source.format())?
            };
            match converted {
                Converted::Record => source.problems.records += 1,
                Converted::Malformed(why) => source.problems.bad(number, &why)?,
            }
            return self.advance(at);
        };
        let (to, found) = loop {
            in_order(source, time, last);
            source.take();
            source.problems.records += 1;
            let to = source.position().unwrap_or(from);
            let found = source.find();
            let Some(next) = source.time() else { break (to, found) };
            time = next;
            tree.set(at, Some(time));
            if time > limit || source.position() != Some(to) || tree.first() != Some(at) {
                break (to, found);
            }
        };
        sink.push(source.between(from, to))?;
        if found? { Ok(()) } else { self.advance(at) }
    }
}

/// Counts a record that is late. Where its own source had a later one before, what is late from now on is measured by this
/// one: the source's clock was set back, or the one before was ahead of its time.
fn in_order(source: &mut Source, time: Nanos, last: &mut Nanos) {
    let late = time < *last;
    if late {
        source.problems.late(last.saturating_sub(time));
    }
    if !late || time < source.previous {
        *last = time;
    }
    source.previous = time;
}
