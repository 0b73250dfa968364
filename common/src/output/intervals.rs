//! The loop of every tool that measures intervals.

use cli::exit::Result;
use cli::interval::{Account, Ticks};
use cli::signals::Stop;

use super::{Row, Writer};
use crate::options::Common;

/// Writes the records of each interval, until there were as many as asked for, the time is over, or the process is to end.
/// `collect` returns the records and how many events were lost, and is told whether it is the last time; `account` returns
/// what the tool's own programs cost and missed.
///
/// # Errors
/// Those of `collect`; when stdout cannot be written to.
pub fn intervals<R: Row>(
    tool: &'static str,
    common: &Common,
    stop: &Stop,
    mut account: impl FnMut() -> Account,
    mut collect: impl FnMut(bool) -> Result<(Vec<R>, u64)>,
) -> Result<()> {
    let mut writer = Writer::new(tool, common);
    let mut ticks = Ticks::new(common.interval, common.count, common.duration);
    while let Some(tick) = ticks.next(stop) {
        let (rows, lost) = collect(ticks.is_over())?;
        writer.interval(&tick, &rows, lost, account())?;
    }
    Ok(())
}
