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
            self.base = parse(std::str::from_utf8(&whole).ok()?).ok()?;
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

    /// The time of a stamp in any RFC 3339 form. Digits after those of nanoseconds are cut off.
    ///
    /// # Errors
    /// Why it has none.
    pub fn any(&mut self, text: &[u8]) -> Result<Nanos, NoTime> {
        let fixed = <&[u8; FIXED_LEN]>::try_from(text).ok().and_then(|text| self.fixed(text));
        match fixed {
            Some(time) => Ok(time),
            None => std::str::from_utf8(text).map_err(|_| NoTime::Form).and_then(parse),
        }
    }
}

/// Why a text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTime {
    /// It is not in the form of RFC 3339.
    Form,
    /// It is before 1678 or after 2262.
    Range,
}

fn parse(text: &str) -> Result<Nanos, NoTime> {
    let parsed = text.parse::<Timestamp>().ok().or_else(|| shorter(text)?.parse().ok());
    Nanos::try_from(parsed.ok_or(NoTime::Form)?.as_nanosecond()).map_err(|_| NoTime::Range)
}

/// A stamp with more than nine digits of a fraction, with nine of them.
fn shorter(text: &str) -> Option<String> {
    let fraction = text.find('.')? + 1;
    let digits = text[fraction..].bytes().take_while(u8::is_ascii_digit).count();
    (digits > 9).then(|| format!("{}{}", &text[..fraction + 9], &text[fraction + digits..]))
}

/// The time by the system's clock, in the fixed form.
pub fn now() -> String {
    format!("{:.6}", Timestamp::now())
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
            assert_eq!(clock.any(text.as_bytes()), Ok(noon), "{text}");
        }
        assert_eq!(clock.any(b"2026-11-21T12:00:00.000000001Z"), Ok(noon + 1));
        let many = format!("2026-11-21T13:30:00.000000001{}+01:30", "9".repeat(100));
        assert_eq!(clock.any(many.as_bytes()), Ok(noon + 1));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let mut clock = Clock::default();
        for text in [
            "",
            "2026-11-21",
            "2026-13-21T06:26:35.123456Z",
            "2026-11-21T06:26:35.12345xZ",
            "2026-11-21T06:26:35.1234567890xZ",
        ] {
            assert_eq!(clock.any(text.as_bytes()), Err(NoTime::Form), "{text}");
        }
        for text in ["9999-11-21T06:26:35.123456Z", "2300-01-01T00:00:00Z", "1600-01-01T00:00:00.000000Z"] {
            assert_eq!(clock.any(text.as_bytes()), Err(NoTime::Range), "{text}");
        }
        // A rejected minute is not cached as valid.
        assert_eq!(clock.any(b"2026-13-21T06:26:35.123456Z"), Err(NoTime::Form));
    }
}
