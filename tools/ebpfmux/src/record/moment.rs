//! The time that a person types: `06:26`, `06:26:35`, `2026-11-21 06:26`, `2026-11-21T06:26:35Z`, `+90`, `-5m`,
//! `+1h30m`.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::timestamp::Nanos;

/// The time that a text says, seen from `now`; times of the day are those of the reader's clock.
///
/// # Errors
/// What can be typed.
pub fn parse(text: &str, now: Nanos, zone: &TimeZone) -> Result<Nanos, String> {
    let help = || format!("'{text}' is no time: type 06:26, 06:26:35, 2026-11-21 06:26, +90 or -5m");
    let text = text.trim();
    let here = Timestamp::from_nanosecond(now.into()).map_err(|_| help())?;
    let there = if text.starts_with(['+', '-']) {
        let (sign, rest) = text.split_at(1);
        let span: Span = match rest.parse::<f64>() {
            Ok(seconds) if !seconds.is_finite() => return Err(help()),
            Ok(seconds) => Span::new().try_milliseconds((seconds * 1e3) as i64).map_err(|_| help())?,
            Err(_) => rest.parse().map_err(|_| help())?,
        };
        let span = if sign == "-" { span.negate() } else { span };
        here.to_zoned(zone.clone()).checked_add(span).map_err(|_| help())?.timestamp()
    } else if let Ok(time) = text.parse::<Timestamp>() {
        time
    } else {
        let local = text.parse::<DateTime>().ok().filter(|_| text.contains('-'));
        let of_day = || Some(here.to_zoned(zone.clone()).date().to_datetime(text.parse::<Time>().ok()?));
        local.or_else(of_day).ok_or_else(help)?.to_zoned(zone.clone()).map_err(|_| help())?.timestamp()
    };
    Nanos::try_from(there.as_nanosecond()).map_err(|_| help())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_said() {
        let now: Timestamp = "2026-11-21T06:26:35.5Z".parse().unwrap();
        let at = |text: &str, zone: &str| {
            let nanos = parse(text, now.as_nanosecond() as Nanos, &TimeZone::get(zone).unwrap());
            nanos.map(|nanos| Timestamp::from_nanosecond(nanos.into()).unwrap().to_string())
        };
        for (text, expected) in [
            ("07", "2026-11-21T07:00:00Z"),
            ("07:10", "2026-11-21T07:10:00Z"),
            ("07:10:05", "2026-11-21T07:10:05Z"),
            ("2026-11-20 23:00", "2026-11-20T23:00:00Z"),
            ("2026-11-20T23:00:00Z", "2026-11-20T23:00:00Z"),
            ("+90", "2026-11-21T06:28:05.5Z"),
            ("-5m", "2026-11-21T06:21:35.5Z"),
            ("+1h30m", "2026-11-21T07:56:35.5Z"),
            ("+0.5", "2026-11-21T06:26:36Z"),
        ] {
            assert_eq!(at(text, "UTC").as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(at("01:30", "America/New_York").as_deref(), Ok("2026-11-21T06:30:00Z"));
        for bad in ["", "x", "25:00", "+", "+x", "-99999999999y", "+1e300", "+NaN"] {
            assert!(at(bad, "UTC").is_err(), "{bad}");
        }
    }
}
