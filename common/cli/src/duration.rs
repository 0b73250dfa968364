//! Lengths of time as people write them: `1s`, `5m`, `1h30m`, `500ms`; a number alone is of seconds.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::fmt::friendly::SpanParser;

/// Reads a length of time.
///
/// # Errors
/// What is wrong with it, for a person.
pub fn parse(text: &str) -> Result<Duration, String> {
    let seconds = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => {
            let unsigned = |length: SignedDuration| Duration::try_from(length).ok();
            SpanParser::new().parse_duration(text).ok().and_then(unsigned)
        }
    };
    seconds.ok_or_else(|| {
        "not a length of time: write seconds (10, 0.5) or with a unit (500ms, 5m, 1h)".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_units_or_are_seconds() {
        for (text, ms) in [
            ("1", 1_000),
            ("0.5", 500),
            ("1s", 1_000),
            ("0.25s", 250),
            ("500ms", 500),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("1h30m", 5_400_000),
            ("1e1", 10_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in
            ["", "x", "-1", "-1s", "inf", "nan", "1e300", "1 x", "sda", "0x10", "\u{661}", "5M5", "2d"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
