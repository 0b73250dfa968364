//! Reads a file or a recording from its beginning to its end.

use std::path::Path;

use cli::exit::{Exit, Result};
use cli::{poll, shortage};
use rustix::event::PollFlags;

use crate::filter::condition::Condition;
use crate::filter::expression::Outcome;
use crate::filter::resolve::Resolver;
use crate::record::Fields;
use crate::record::timestamp::Nanos;
use crate::source::Source;
use crate::source::csv::Row;
use crate::source::rules::Rules;

/// Which records are taken.
pub struct Selection {
    /// How it is read, and of which span.
    pub rules: Rules,
    /// The expression of --where.
    pub keep: Option<Condition>,
}

/// Passes on each record of a file, a recording or stdin (`-`), with its time; returns whether all of it could be read.
/// What could not has been reported.
///
/// # Errors
/// If it cannot be opened; what `take` returns; where --where does not fit the records.
pub fn read(
    name: &Path,
    selection: &mut Selection,
    mut take: impl FnMut(Nanos, &Fields<'_>) -> Result<()>,
) -> Result<bool> {
    let mut source = Source::named(name, selection.rules).map_err(|error| {
        shortage::failure(Exit::Usage, format_args!("cannot read {}", name.display()), &error)
    })?;
    let (mut line, mut row) = (Vec::new(), Row::default());
    loop {
        source.advance()?;
        if source.time().is_none() {
            if source.drained() {
                break;
            }
            // A pipe: more may come.
            if let Some(fd) = source.readable() {
                poll::ready(&[(fd, PollFlags::IN)], None);
            }
            source.read();
            continue;
        }
        let (number, time) = source.take_line(&mut line);
        let malformed = match source.format().record(&line, &mut row) {
            Ok(fields) => {
                let outcome = match &mut selection.keep {
                    Some(keep) => keep.judge(&Resolver::new(&fields), Outcome::True)?.0,
                    None => Outcome::True,
                };
                if outcome == Outcome::True {
                    take(time, &fields)?;
                }
                None
            }
            Err(why) => Some(why),
        };
        match malformed {
            None => source.problems.records += 1,
            Some(why) => source.problems.bad(number, &why)?,
        }
    }
    source.problems.report(selection.rules.verbose);
    Ok(!source.failed && !source.problems.is_of_no_records())
}
