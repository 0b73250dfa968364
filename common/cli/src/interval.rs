//! Intervals: when a record is due, and how long the interval really was.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::clock::WallClock;
use crate::exit::Result;
use crate::signals::{Stop, Woken};

/// The end of an interval.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// The clocks at the end of the interval.
    pub at: WallClock,
    /// Its measured length, in seconds.
    pub interval_s: f64,
}

/// The run statistics of the tool's own programs in an interval.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgDelta {
    /// Events that the kernel did not let a program see.
    pub missed: u64,
    /// With `--overhead`: nanoseconds and runs of the tool's programs.
    pub cost: Option<(u64, u64)>,
}

/// What the tool's own programs and maps occupy in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes of its programs and maps; `None` if the kernel's account is not readable.
    pub bytes: Option<u64>,
    /// How many maps it has.
    pub maps: u64,
    /// How many entries its hash maps hold; `None` if the kernel refuses to tell.
    pub keys: Option<u64>,
}

/// The ends of intervals, on a grid that does not drift.
pub struct Ticks {
    period: Duration,
    left: Option<u64>,
    end: Option<Instant>,
    last: Instant,
    next: Instant,
    over: bool,
}

impl Ticks {
    /// Intervals of this period from now on, limited in number and in total time; without either
    /// limit, endless.
    pub fn new(period: Duration, count: Option<u64>, duration: Option<Duration>) -> Self {
        let now = Instant::now();
        let end = duration.and_then(|duration| now.checked_add(duration));
        Self { period, left: count, end, last: now, next: now + period, over: false }
    }

    /// Whether the interval that `next` returned last is the final one.
    pub fn is_over(&self) -> bool {
        self.over || self.left == Some(0)
    }

    /// Sleeps to the end of the interval. If the process is asked to end, or the duration is over,
    /// the current interval is cut short and still reported; after it there is none.
    pub fn next(&mut self, stop: &Stop) -> Option<Tick> {
        let due = self.due()?;
        self.woken(stop.until(due), due)
    }

    /// The same for one that has something to do meanwhile: `sleep` returns when this moment has come, or why it did not
    /// wait for it. A descriptor that is ready is a reader that has closed the pipe.
    ///
    /// # Errors
    /// Those of `sleep`.
    pub fn next_after(&mut self, sleep: impl FnOnce(Instant) -> Result<Woken>) -> Result<Option<Tick>> {
        let Some(due) = self.due() else { return Ok(None) };
        Ok(self.woken(sleep(due)?, due))
    }

    /// The same; until then `serve` is called whenever one of these descriptors is readable.
    pub fn next_serving(
        &mut self,
        stop: &Stop,
        fds: &[BorrowedFd<'_>],
        mut serve: impl FnMut(),
    ) -> Option<Tick> {
        let due = self.due()?;
        let stdout = std::io::stdout();
        let mut watched = vec![(stdout.as_fd(), PollFlags::empty())];
        watched.extend(fds.iter().map(|fd| (*fd, PollFlags::IN)));
        let woken = loop {
            match stop.wait(Some(due), &watched) {
                // What comes faster than it is served must not put off the interval's end.
                Woken::Ready(1..) if Instant::now() >= due => break Woken::Deadline,
                Woken::Ready(1..) => serve(),
                woken => break woken,
            }
        };
        self.woken(woken, due)
    }

    /// When the interval ends; none if there is none.
    fn due(&self) -> Option<Instant> {
        let next = self.end.map_or(self.next, |end| end.min(self.next));
        (!self.is_over()).then_some(next)
    }

    fn woken(&mut self, woken: Woken, due: Instant) -> Option<Tick> {
        match woken {
            Woken::Stop => self.over = true,
            Woken::Ready(_) => return None,
            Woken::Deadline => self.over = self.end.is_some_and(|end| due >= end),
        }
        let now = Instant::now();
        let tick = Tick { at: WallClock::now(), interval_s: (now - self.last).as_secs_f64() };
        self.last = now;
        self.left = self.left.map(|left| left - 1);
        // Intervals that passed while the machine slept or the reader stalled become one long
        // interval.
        self.next = next_after(self.next, self.period, now);
        Some(tick)
    }
}

/// The first moment of the grid with this period on which `moment` is that is `moment` or later, and later than `now`.
fn next_after(moment: Instant, period: Duration, now: Instant) -> Instant {
    let Some(behind) = now.checked_duration_since(moment) else { return moment };
    let into = behind.as_nanos() % period.as_nanos().max(1);
    now + period.saturating_sub(Duration::from_nanos(u64::try_from(into).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_passed_is_passed_over_at_once() {
        let start = Instant::now();
        let [day, ns] = [Duration::from_secs(86_400), Duration::from_nanos(1)];
        assert_eq!(next_after(start + day, day, start), start + day);
        assert_eq!(next_after(start, day, start), start + day);
        assert_eq!(next_after(start, day, start + 7 * day + ns), start + 8 * day);
        // One by one it would take minutes.
        assert_eq!(next_after(start, ns, start + 7 * day), start + 7 * day + ns);
        assert_eq!(next_after(start, 7 * ns, start + 50 * ns), start + 56 * ns);
    }

    #[test]
    fn intervals_keep_to_the_grid_and_end() {
        let stop = Stop::for_tests();
        let start = Instant::now();
        let mut ticks = Ticks::new(Duration::from_millis(20), Some(3), None);
        let lengths: Vec<f64> =
            std::iter::from_fn(|| ticks.next(&stop)).map(|tick| tick.interval_s).collect();
        assert_eq!(lengths.len(), 3);
        let total: f64 = lengths.iter().sum();
        assert!(total >= 0.06 && total <= start.elapsed().as_secs_f64());
    }

    #[test]
    fn a_duration_cuts_the_last_interval() {
        let mut ticks = Ticks::new(Duration::from_millis(40), None, Some(Duration::from_millis(50)));
        let stop = Stop::for_tests();
        let first = ticks.next(&stop).unwrap().interval_s;
        let last = ticks.next(&stop).unwrap().interval_s;
        // On a busy machine the first may be late, and the last shorter by as much.
        assert!(first >= 0.04 && first + last >= 0.05, "{first} {last}");
        assert!(ticks.next(&stop).is_none());
    }

    #[test]
    fn a_request_to_end_still_gives_the_interval_under_way() {
        let stop = Stop::for_tests();
        stop.request();
        let mut ticks = Ticks::new(Duration::from_secs(3600), None, None);
        assert!(ticks.next(&stop).unwrap().interval_s < 1.0);
        assert!(ticks.next(&stop).is_none());
    }
}
