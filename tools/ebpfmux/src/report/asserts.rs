//! Conditions of --assert over a whole recording.

use cli::exit::Result;

use crate::filter::condition::Condition;
use crate::filter::resolve::Resolver;
use crate::record::Fields;
use crate::record::timestamp::Nanos;

/// A condition, and for which records it did not hold.
pub struct Assert {
    condition: Condition,
    /// How many.
    pub broken: u64,
    /// The first one, and why.
    pub first: Option<(Nanos, String)>,
}

impl Assert {
    /// Of an expression.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(text: &str) -> Result<Self> {
        Ok(Self { condition: Condition::new("--assert", text)?, broken: 0, first: None })
    }

    /// Looks at a record.
    ///
    /// # Errors
    /// If it has a name that the record's tool does not have.
    pub fn judge(&mut self, time: Nanos, fields: &Fields<'_>) -> Result<()> {
        if let Some(why) = self.condition.broken(&Resolver::new(fields))? {
            self.broken += 1;
            self.first.get_or_insert((time, why));
        }
        Ok(())
    }

    /// At the end.
    ///
    /// # Errors
    /// If a name was in no record.
    pub fn finish(&self) -> Result<()> {
        self.condition.finish()
    }

    /// As the user wrote it.
    pub fn text(&self) -> &str {
        self.condition.text()
    }

    /// Of how many records it was asked.
    pub fn judged(&self) -> u64 {
        self.condition.judged()
    }
}
