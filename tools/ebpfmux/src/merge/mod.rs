//! The merge: its sources, its destination, and how it ends.

mod run;
mod tournament;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cli::exit::{Exit, Failure, Result};
use cli::signals::Stop;

use crate::config::reload::Reloads;
use crate::measure::Measured;
use crate::note::note;
use crate::sink::Sink;
use crate::source::Source;
use crate::source::rules::Rules;
use crate::supervisor::Children;
use crate::supervisor::control::Control;
use run::Run;

/// The inputs and outputs of a merge.
pub struct Merge {
    /// The sources; equal times are passed on in this order.
    pub sources: Vec<Source>,
    /// The commands that some of the sources are the output of.
    pub children: Children,
    /// The destination of records.
    pub sink: Sink,
    /// Requests the stop.
    pub stop: Stop,
    /// How long a record is held for a silent live source.
    pub hold: Duration,
    /// The deadline of --duration.
    pub deadline: Option<Instant>,
    /// The state shared with --serve, if it is given.
    pub control: Option<Arc<Control>>,
    /// The file of --config, if it is given, which says what else is to run when it is read again.
    pub reloads: Option<Reloads>,
    /// How the output of commands is read.
    pub rules: Rules,
}

impl Merge {
    /// Merges until all sources have ended or a stop is requested; for a measured command, until that has ended.
    ///
    /// Fails if stdout does, if a command of `--run` or a read failed, or, when asked to be strict, at bad input.
    pub fn run(mut self, measured: Option<&mut Measured>) -> Result<()> {
        if measured.is_none() {
            self.sink.heed(self.stop.clone(), self.deadline);
        }
        let mut run = Run::of(self, measured);
        let outcome = run.work();
        let Self { mut sources, mut children, mut sink, rules, .. } = run.merge;
        if outcome.is_err() {
            // Good records are still written. If that fails, it is the error to return.
            let _ = sink.abandon();
            sources.iter_mut().for_each(Source::close);
            children.abandon();
        }
        let recorded = sink.end_recording();
        sources.iter().for_each(|source| source.problems.report(rules.verbose));
        both(outcome, recorded)?;
        let bad = |source: &Source| source.failed || source.problems.is_of_no_records();
        // The details were reported when it happened.
        match (children.failed > 0, sources.iter().any(bad)) {
            (true, _) => Err(Failure::new(children.failure(), "")),
            (false, true) => Err(Failure::new(Exit::Failed, "")),
            (false, false) => Ok(()),
        }
    }
}

/// The outcome of the merge and of its recording: that of the merge if both failed. Then the other
/// one is a note.
fn both(merged: Result<()>, recorded: Result<()>) -> Result<()> {
    match (merged, recorded) {
        (Err(merged), Err(recorded)) if merged.exit != Exit::Done => {
            note(&recorded.message);
            Err(merged)
        }
        (merged, Ok(())) => merged,
        (_, recorded) => recorded,
    }
}
