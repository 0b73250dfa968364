//! `--from` and `--to`: a span of time, both ends included.

use cli::exit::{Failure, Result};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::moment;
use super::timestamp::Nanos;

/// A day, for times of the day that are still to come.
const DAY: Nanos = 86_400_000_000_000;

/// How far behind its end a file is read on: a record may be late, as where several hosts' streams were merged.
const LATE: Nanos = 60_000_000_000;

/// A span of time; without an end it has none there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Its begin.
    pub from: Option<Nanos>,
    /// Its end.
    pub to: Option<Nanos>,
}

impl Span {
    /// From what --from and --to say. A time of the day is the last one that has passed.
    ///
    /// # Errors
    /// When one says no time, or the end is before the begin.
    pub fn of(from: Option<&str>, to: Option<&str>, utc: bool) -> Result<Self> {
        let zone = if utc { TimeZone::UTC } else { TimeZone::try_system().unwrap_or(TimeZone::UTC) };
        Self::seen(from, to, Timestamp::now().as_nanosecond() as Nanos, &zone)
    }

    fn seen(from: Option<&str>, to: Option<&str>, now: Nanos, zone: &TimeZone) -> Result<Self> {
        let read = |option: &str, text: &str| {
            let moment =
                moment::parse(text, now, zone).map_err(|why| Failure::usage(format!("{option}: {why}")))?;
            let is_of_day = text.trim().parse::<Time>().is_ok();
            Ok(if is_of_day && moment > now { moment - DAY } else { moment })
        };
        let from = from.map(|text| read("--from", text)).transpose()?;
        let to = to.map(|text| read("--to", text)).transpose()?;
        match (from, to) {
            (Some(from), Some(to)) if to < from => {
                Err(Failure::usage("--to is before --from: say the day as well, as in 2026-11-21 06:26"))
            }
            _ => Ok(Self { from, to }),
        }
    }

    /// Whether a time is in it.
    pub fn has(&self, time: Nanos) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time <= to)
    }

    /// Whether all that follows a record of this time is behind its end, in a file whose records are in order.
    pub fn is_over(&self, time: Nanos) -> bool {
        self.to.is_some_and(|to| time > to.saturating_add(LATE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_day_are_the_last_that_have_passed() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_nanosecond() as Nanos;
        let now = at("2026-11-30T09:00:00Z");
        let span = |from, to| Span::seen(from, to, now, &TimeZone::UTC);
        assert_eq!(
            span(Some("23:50"), Some("00:10")).unwrap(),
            Span { from: Some(at("2026-11-29T23:50:00Z")), to: Some(at("2026-11-30T00:10:00Z")) }
        );
        assert_eq!(span(Some("-15m"), None).unwrap().from, Some(at("2026-11-30T08:45:00Z")));
        assert!(span(Some("08:00"), Some("07:00")).unwrap_err().message.contains("before --from"));
        assert!(span(Some("soon"), None).unwrap_err().message.starts_with("--from: 'soon' is no time"));
    }

    #[test]
    fn both_ends_are_in_it() {
        let span = Span { from: Some(5), to: Some(9) };
        assert_eq!([4, 5, 9, 10].map(|time| span.has(time)), [false, true, true, false]);
        assert!(!span.is_over(9 + LATE) && span.is_over(10 + LATE));
        assert!(Span::default().has(0) && !Span::default().is_over(Nanos::MAX));
    }
}
