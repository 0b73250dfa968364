//! Times: the wall clock as text, and the kernel's monotonic clock as wall clock.

use jiff::fmt::temporal::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// Six decimals, always: fixed width, so that times sort as text.
static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// RFC 3339 in UTC with microseconds: `2026-11-21T06:26:35.123456Z`.
pub fn rfc3339(at: Timestamp) -> String {
    PRINTER.timestamp_to_string(&at)
}

/// How often both clocks are read for one comparison.
const READINGS: usize = 3;

/// Translates the clock of `bpf_ktime_get_ns` (CLOCK_MONOTONIC) to the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    at: Timestamp,
    monotonic_ns: u64,
}

impl WallClock {
    /// As the two clocks are now. To be renewed now and then: the wall clock may be corrected.
    pub fn now() -> Self {
        let read = || {
            let before = monotonic_ns();
            let at = Timestamp::now();
            let took = monotonic_ns().saturating_sub(before);
            (took, Self { at, monotonic_ns: before + took / 2 })
        };
        // The reading with the least delay between the two clocks.
        let (_, clock) = (1..READINGS)
            .map(|_| read())
            .fold(read(), |best, next| if next.0 < best.0 { next } else { best });
        clock
    }

    /// The wall clock at this moment of the monotonic clock, in nanoseconds.
    pub fn at(self, monotonic_ns: u64) -> Timestamp {
        let distance = monotonic_ns.wrapping_sub(self.monotonic_ns) as i64;
        self.at.saturating_add(SignedDuration::from_nanos(distance)).unwrap_or(self.at)
    }
}

/// CLOCK_MONOTONIC, in nanoseconds.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_fixed_width() {
        for (ns, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_700_000_000_120_000_000, "2023-11-14T22:13:20.120000Z"),
            (1_700_000_000_123_456_999, "2023-11-14T22:13:20.123456Z"),
        ] {
            assert_eq!(rfc3339(Timestamp::from_nanosecond(ns).unwrap()), text);
        }
    }

    #[test]
    fn the_past_and_the_future_translate_alike() {
        let clock = WallClock { at: Timestamp::from_second(1_000).unwrap(), monotonic_ns: 5_000_000_000 };
        assert_eq!(clock.at(4_000_000_000), Timestamp::from_second(999).unwrap());
        assert_eq!(clock.at(6_500_000_000), Timestamp::from_millisecond(1_001_500).unwrap());
    }
}
