//! Time stamps, read for comparison only: the output has the text of the input.

use jiff::Timestamp;

/// Nanoseconds since 1970-01-01T00:00:00Z; covers the years 1678 to 2262.
pub type Nanos = i64;

/// The length of the form that every tool prints: `2026-11-21T06:26:35.123456Z`.
pub const FIXED_LEN: usize = 27;

/// `2026-11-21T06:26:`, the part that needs calendar arithmetic.
const MINUTE_LEN: usize = 17;

/// Reads timestamps of the fixed form; calendar arithmetic is done once per minute of data rather
/// than per record.
#[derive(Default)]
pub struct Clock {
    minute: [u8; MINUTE_LEN],
    base: Nanos,
}

impl Clock {
    /// The time of a stamp of the fixed form; `None` for any other text, which may still be a valid stamp.
    pub fn fixed(&mut self, text: &[u8; FIXED_LEN]) -> Option<Nanos> {
        if text[..MINUTE_LEN] != self.minute {
            let mut whole = [0; MINUTE_LEN + 3];
            whole[..MINUTE_LEN].copy_from_slice(&text[..MINUTE_LEN]);
            whole[MINUTE_LEN..].copy_from_slice(b"00Z");
            self.base = parse(std::str::from_utf8(&whole).ok()?)?;
            self.minute.copy_from_slice(&text[..MINUTE_LEN]);
        }
        if text[19] != b'.' || text[26] != b'Z' {
            return None;
        }
        let mut worst = 0;
        let mut digits = |from: usize, to: usize| {
            text[from..to].iter().fold(0i64, |sum, byte| {
                let digit = byte.wrapping_sub(b'0');
                worst = worst.max(digit);
                sum * 10 + i64::from(digit)
            })
        };
        let (seconds, micros) = (digits(17, 19), digits(20, 26));
        if worst > 9 || seconds > 59 {
            return None;
        }
        self.base.checked_add(seconds * 1_000_000_000 + micros * 1_000)
    }

    /// The time of a stamp in any RFC 3339 form.
    pub fn any(&mut self, text: &[u8]) -> Option<Nanos> {
        let fixed = <&[u8; FIXED_LEN]>::try_from(text).ok().and_then(|text| self.fixed(text));
        fixed.or_else(|| parse(std::str::from_utf8(text).ok()?))
    }
}

fn parse(text: &str) -> Option<Nanos> {
    Nanos::try_from(text.parse::<Timestamp>().ok()?.as_nanosecond()).ok()
}

/// Writes a time in the fixed form.
pub fn format(nanos: Nanos) -> String {
    // Every i64 of nanoseconds is a valid `Timestamp`; the fallback is never taken.
    Timestamp::from_nanosecond(nanos.into()).map(|ts| format!("{ts:.6}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_form_agrees_with_the_calendar() {
        let mut clock = Clock::default();
        for text in
            ["2026-11-21T06:26:35.123456Z", "2026-11-21T06:26:59.999999Z", "2024-02-29T23:59:00.000000Z"]
        {
            let read = clock.any(text.as_bytes()).unwrap();
            assert_eq!(read, parse(text).unwrap());
            assert_eq!(format(read), text);
        }
    }

    #[test]
    fn other_forms_are_the_same_instant() {
        let mut clock = Clock::default();
        let noon = clock.any(b"2026-11-21T12:00:00.000000Z").unwrap();
        for text in ["2026-11-21T12:00:00Z", "2026-11-21T13:30:00.0+01:30", "2026-11-21T12:00:00.000000000Z"]
        {
            assert_eq!(clock.any(text.as_bytes()), Some(noon), "{text}");
        }
        assert_eq!(clock.any(b"2026-11-21T12:00:00.000000001Z"), Some(noon + 1));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let mut clock = Clock::default();
        for text in [
            "",
            "2026-11-21",
            "2026-13-21T06:26:35.123456Z",
            "2026-11-21T06:26:35.12345xZ",
            "9999-11-21T06:26:35.123456Z",
        ] {
            assert_eq!(clock.any(text.as_bytes()), None, "{text}");
        }
        // A rejected minute is not cached as valid.
        assert_eq!(clock.any(b"2026-13-21T06:26:35.123456Z"), None);
    }
}
