//! `--trigger`: decides which records are recorded: those of a while before and after one that meets a condition.

use std::time::Duration;

use cli::exit::{Exit, Failure, Result};
use cli::shortage;

use super::before::Before;
use super::options::Options;
use crate::filter::condition::Condition;
use crate::filter::resolve::Resolver;
use crate::note::note;
use crate::record::Fields;
use crate::record::timestamp::{self, Nanos};
use crate::sink::recorder::Recorder;

/// The triggers of a recording.
pub struct Trigger {
    /// Any of them will do.
    conditions: Vec<Condition>,
    before: Before,
    /// See [`Options`].
    spans: (Duration, Duration),
    /// The first and the last time that is recorded, of the newest trouble.
    recorded: Option<(Nanos, Nanos)>,
    /// How many records came, and how many of them were recorded.
    counts: (u64, u64),
    /// How often recording began.
    times: u64,
    quiet: bool,
}

impl Trigger {
    /// What the options ask for; `None` if there is no trigger.
    ///
    /// # Errors
    /// If an expression is wrong, or there is too little memory.
    pub fn of(options: &Options, quiet: bool) -> Result<Option<Self>> {
        if options.trigger.is_empty() {
            return Ok(None);
        }
        let conditions = options.trigger.iter().map(|text| Condition::new("--trigger", text));
        let before = Before::new(nanos(options.before), options.before_memory << 20).map_err(scarce)?;
        Ok(Some(Self {
            conditions: conditions.collect::<Result<_>>()?,
            before,
            spans: (options.before, options.after),
            recorded: None,
            counts: (0, 0),
            times: 0,
            quiet,
        }))
    }

    /// Records a record, or keeps it until it is known whether it is to be recorded.
    ///
    /// # Errors
    /// If a name is misspelt, or a condition cannot be evaluated; if there is too little memory.
    pub fn take(&mut self, time: Nanos, fields: &Fields<'_>, line: &[u8], recorder: &Recorder) -> Result<()> {
        self.counts.0 += 1;
        if let Some(why) = self.met(fields)? {
            let until = time.saturating_add(nanos(self.spans.1));
            match &mut self.recorded {
                Some((from, to)) if *from <= time && time <= *to => *to = until.max(*to),
                _ => self.begin(time, until, &why, recorder)?,
            }
        }
        match self.recorded {
            Some((from, to)) if from <= time && time <= to => {
                recorder.push(line);
                self.counts.1 += 1;
                Ok(())
            }
            _ => self.before.take(time, line).map_err(scarce),
        }
    }

    /// Why a record meets a condition, if it does.
    fn met(&mut self, fields: &Fields<'_>) -> Result<Option<String>> {
        let record = Resolver::new(fields);
        for condition in &mut self.conditions {
            if let Some(why) = condition.met(&record)? {
                return Ok(Some(why));
            }
        }
        Ok(None)
    }

    fn begin(&mut self, time: Nanos, until: Nanos, why: &str, recorder: &Recorder) -> Result<()> {
        let (before, after) = self.spans;
        let mut kept = 0;
        let lost = self.before.hand_over(time, until, |line| {
            recorder.push(line);
            kept += 1;
        });
        let lost = lost.map_err(scarce)?;
        self.counts.1 += kept;
        self.times += 1;
        let from = time.saturating_sub(nanos(before));
        // What is late is recorded too, of two that overlap from the first on.
        let from =
            self.recorded.filter(|(_, to)| (from..=time).contains(to)).map_or(from, |(first, _)| first);
        self.recorded = Some((from, until));
        if !self.quiet {
            let (before, after) = (before.as_secs_f64(), after.as_secs_f64());
            note(&format!("{why}; recorded is from {before} s before that to {after} s after"));
        }
        if let Some(lost) = lost {
            let (lost, memory) = (timestamp::format(lost), "--before-memory");
            note(&format!(
                "--trigger: records up to {lost} are missing before that: they did not fit in {memory}"
            ));
        }
        Ok(())
    }

    /// At the end: says what was recorded.
    ///
    /// # Errors
    /// If a name was in no record, that is, misspelt.
    pub fn finish(&self) -> Result<()> {
        let (all, kept) = self.counts;
        if !self.quiet {
            match self.times {
                0 => note(&format!("--trigger: none of {all} records met it; nothing was recorded")),
                times => {
                    let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
                    note(&format!("--trigger: recorded {times}, {kept} of {all} records"));
                }
            }
        }
        self.conditions.iter().try_for_each(Condition::finish)
    }
}

fn nanos(length: Duration) -> Nanos {
    Nanos::try_from(length.as_nanos()).unwrap_or(Nanos::MAX)
}

fn scarce(error: std::io::Error) -> Failure {
    shortage::failure(Exit::Failed, "--trigger: cannot keep what came before", &error)
}
