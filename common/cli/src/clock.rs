//! Times: the wall clock as text, and the kernel's monotonic clock as wall clock.

use jiff::fmt::temporal::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// Six decimals, always: fixed width, so that times sort as text.
static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// The same with nine.
static NANOSECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(9));

/// RFC 3339 in UTC with microseconds: `2026-11-21T06:26:35.123456Z`.
pub fn rfc3339(at: Timestamp) -> String {
    PRINTER.timestamp_to_string(&at)
}

/// The same with nanoseconds: `2026-11-21T06:26:35.123456789Z`.
pub fn rfc3339_ns(at: Timestamp) -> String {
    NANOSECONDS.timestamp_to_string(&at)
}

/// How often the clocks are read for one comparison.
const READINGS: usize = 3;
/// What the wall clock was set by at least, in seconds, to be a step; and how much of the time that passed it may be
/// corrected by without one (NTP's limit is 0.05 %).
const STEP: (f64, f64) = (1.0, 0.001);

/// Translates the clock of `bpf_ktime_get_ns` (CLOCK_MONOTONIC) to the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    at: Timestamp,
    monotonic_ns: u64,
    /// CLOCK_BOOTTIME, which goes on while the machine sleeps as the wall clock does.
    boottime_ns: u64,
}

impl WallClock {
    /// As the two clocks are now. To be renewed now and then: the wall clock may be corrected.
    pub fn now() -> Self {
        let read = || {
            let before = monotonic_ns();
            let (at, boottime_ns) = (Timestamp::now(), nanoseconds(ClockId::Boottime));
            let took = monotonic_ns().saturating_sub(before);
            (took, Self { at, monotonic_ns: before + took / 2, boottime_ns })
        };
        // The reading with the least delay between the clocks.
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

    /// The wall clock when this was taken.
    pub fn wall(self) -> Timestamp {
        self.at
    }

    /// By how many seconds the wall clock was set forward since then (back: negative), if it was set at all: the passing
    /// of time, sleep of the machine and slow corrections are no step.
    pub fn step_since(self, earlier: Self) -> Option<f64> {
        let passed = self.boottime_ns.saturating_sub(earlier.boottime_ns) as f64 / 1e9;
        let step = self.at.duration_since(earlier.at).as_secs_f64() - passed;
        (step.abs() > STEP.0.max(passed * STEP.1)).then_some(step)
    }
}

/// CLOCK_MONOTONIC, in nanoseconds.
pub fn monotonic_ns() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
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
        let at = Timestamp::from_nanosecond(1_700_000_000_000_000_900).unwrap();
        assert_eq!(rfc3339_ns(at), "2023-11-14T22:13:20.000000900Z");
    }

    fn clock(wall: i64, boottime: u64) -> WallClock {
        let at = Timestamp::from_second(wall).unwrap();
        WallClock { at, monotonic_ns: 5_000_000_000, boottime_ns: boottime * 1_000_000_000 }
    }

    #[test]
    fn a_step_is_what_no_passing_of_time_explains() {
        let before = clock(1_000_000, 50);
        assert_eq!(clock(1_000_010, 60).step_since(before), None);
        // A night's sleep, and a correction by half a second in ten, by 3 in 3 600.
        assert_eq!(clock(1_030_000, 30_050).step_since(before), None);
        assert_eq!(clock(1_003_603, 3_650).step_since(before), None);
        assert_eq!(clock(1_003_610, 60).step_since(before), Some(3_600.0));
        assert_eq!(clock(1_000_006, 60).step_since(before), Some(-4.0));
    }

    #[test]
    fn the_past_and_the_future_translate_alike() {
        let clock = clock(1_000, 5);
        assert_eq!(clock.at(4_000_000_000), Timestamp::from_second(999).unwrap());
        assert_eq!(clock.at(6_500_000_000), Timestamp::from_millisecond(1_001_500).unwrap());
    }
}
