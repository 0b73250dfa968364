//! The loop of every tool that measures intervals.

use cli::exit::Result;
use cli::interval::{ProgDelta, Ticks};
use cli::signals::Stop;

use super::{Row, Writer};
use crate::options::Common;

/// Writes the records of each interval, until the count is reached, the time is over, or the
/// process is asked to end. `collect` returns the records and how many events were lost; its
/// argument is whether it is the last time. `prog_stats` returns what the tool's own programs cost
/// and missed.
///
/// # Errors
/// Those of `collect`; when stdout cannot be written to.
pub fn intervals<R: Row>(
    tool: &'static str,
    common: &Common,
    stop: &Stop,
    mut prog_stats: impl FnMut() -> ProgDelta,
    mut collect: impl FnMut(bool) -> Result<(Vec<R>, u64)>,
) -> Result<()> {
    let mut writer = Writer::new(tool, common, stop);
    let mut ticks = Ticks::new(common.interval, common.count, common.duration);
    while let Some(tick) = ticks.next(stop) {
        let (rows, lost) = collect(ticks.is_over())?;
        writer.interval(&tick, &rows, lost, prog_stats())?;
    }
    Ok(())
}
