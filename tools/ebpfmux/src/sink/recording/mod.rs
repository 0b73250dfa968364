//! What of the input is recorded: all of it, or what is around the records that meet a trigger.

pub mod before;
pub mod options;
pub mod trigger;

use cli::exit::Result;

use super::recorder::Recorder;
use crate::record::Fields;
use crate::record::timestamp::Nanos;
use trigger::Trigger;

/// The recording of the input.
pub struct Recording {
    recorder: Recorder,
    /// `None` if all is recorded.
    trigger: Option<Trigger>,
}

impl Recording {
    /// Records all, or what is around a trigger.
    pub fn new(recorder: Recorder, trigger: Option<Trigger>) -> Self {
        Self { recorder, trigger }
    }

    /// Whether lines are recorded without a look at them.
    pub fn is_of_all(&self) -> bool {
        self.trigger.is_none()
    }

    /// Records complete records, as lines, if it is of all.
    pub fn push(&self, lines: &[u8]) {
        debug_assert!(self.is_of_all(), "a trigger must see each record");
        self.recorder.push(lines);
    }

    /// Records a record of this time, as this line, if it is to be recorded.
    ///
    /// # Errors
    /// If a trigger has a name that is misspelt, or cannot be evaluated.
    pub fn take(&mut self, time: Nanos, fields: &Fields<'_>, line: &[u8]) -> Result<()> {
        match &mut self.trigger {
            Some(trigger) => trigger.take(time, fields, line, &self.recorder),
            None => {
                self.recorder.push(line);
                Ok(())
            }
        }
    }

    /// Ends the recording and syncs it to disk.
    ///
    /// # Errors
    /// If that fails, records are missing, or a name of a trigger was in no record.
    pub fn end(self) -> Result<()> {
        let told = self.trigger.as_ref().map_or(Ok(()), Trigger::finish);
        self.recorder.end().and(told)
    }
}
