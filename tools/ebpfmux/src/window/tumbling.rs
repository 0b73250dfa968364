//! Tumbling windows on a fixed grid of time.
//!
//! Usually one window is open, and the next one closes it. A record that is earlier, or far ahead, opens a second window
//! and leaves the first open. So a clock that is set back or forward is followed at once, hosts whose clocks differ do not
//! close each other's windows, and a single absurd timestamp costs one odd window.

use std::time::{Duration, Instant};

use crate::record::timestamp::Nanos;

/// The maximum number of open windows; beyond it, the least recently used one is closed.
const OPEN: usize = 8;
/// The maximum distance at which a window closes the one before it: in window lengths and in time, whichever is longer. A
/// record further ahead may come from a wrong clock.
const AHEAD: (Nanos, Nanos) = (10, 60_000_000_000);

/// The windows of a stream.
pub struct Tumbling<W> {
    length: Nanos,
    open: Vec<Open<W>>,
    /// The number of records so far.
    count: u64,
    /// When the last one was added.
    touched: Instant,
}

/// An open window.
struct Open<W> {
    end: Nanos,
    window: W,
    /// The numbers of its first and of its last record.
    opened: u64,
    touched: u64,
}

impl<W: Default> Tumbling<W> {
    /// Windows of this length.
    pub fn new(length: Duration) -> Self {
        let length = Nanos::try_from(length.as_nanos()).unwrap_or(Nanos::MAX);
        Self { length, open: Vec::new(), count: 0, touched: Instant::now() }
    }

    /// The length of a window, in seconds.
    pub fn seconds(&self) -> f64 {
        self.length as f64 / 1e9
    }

    /// Adds to the window whose end is the next point of the grid at or after this time. Returns the windows that this
    /// closes, each with its end, the earliest first: the window before a new one, and those that got no record since that
    /// one was opened.
    pub fn put(&mut self, time: Nanos, put: impl FnOnce(&mut W)) -> Vec<(Nanos, W)> {
        let end = window_end(time, self.length);
        self.touched = Instant::now();
        self.count += 1;
        if let Some(open) = self.open.iter_mut().find(|open| open.end == end) {
            open.touched = self.count;
            put(&mut open.window);
            return Vec::new();
        }
        let before = self.open.iter().filter(|open| open.end < end).max_by_key(|open| open.end);
        let before = before.filter(|open| end.saturating_sub(open.end) <= self.ahead());
        let closed = match before.map(|open| (open.end, open.opened)) {
            Some((before, opened)) => self.take(|open| open.end == before || open.touched < opened),
            None if self.open.len() == OPEN => {
                let oldest = self.open.iter().map(|open| open.touched).min();
                self.take(|open| Some(open.touched) == oldest)
            }
            None => Vec::new(),
        };
        let mut window = W::default();
        put(&mut window);
        self.open.push(Open { end, window, opened: self.count, touched: self.count });
        closed
    }

    /// Closes all windows, the earliest first.
    pub fn close(&mut self) -> Vec<(Nanos, W)> {
        self.take(|_| true)
    }

    fn take(&mut self, which: impl Fn(&Open<W>) -> bool) -> Vec<(Nanos, W)> {
        let mut taken: Vec<_> =
            self.open.extract_if(.., |open| which(open)).map(|open| (open.end, open.window)).collect();
        taken.sort_by_key(|(end, _)| *end);
        taken
    }

    fn ahead(&self) -> Nanos {
        let (lengths, least) = AHEAD;
        self.length.saturating_mul(lengths).max(least)
    }

    /// When the open windows are closed by the clock if no more records come.
    pub fn closes(&self) -> Option<Instant> {
        let length = Duration::from_nanos(self.length.unsigned_abs());
        (!self.open.is_empty()).then(|| self.touched + length)
    }
}

/// The first point of the grid at or after a time.
pub fn window_end(time: Nanos, length: Nanos) -> Nanos {
    let past = time.rem_euclid(length);
    if past == 0 { time } else { time.saturating_add(length - past) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_at_the_grid_and_contains_its_end() {
        assert_eq!(window_end(1, 10), 10);
        assert_eq!(window_end(10, 10), 10);
        assert_eq!(window_end(11, 10), 20);
        assert_eq!(window_end(-1, 10), 0);
    }

    type Closed = Vec<(Nanos, Vec<Nanos>)>;

    /// Windows of 10 s: what each of these times closes, and what the end does. Times in seconds.
    fn windows(times: &[Nanos]) -> (Vec<Closed>, Closed) {
        let second = 1_000_000_000;
        let mut windows: Tumbling<Vec<Nanos>> = Tumbling::new(Duration::from_secs(10));
        let in_seconds =
            |closed: Closed| closed.into_iter().map(|(end, times)| (end / second, times)).collect();
        let closed = times.iter().map(|time| in_seconds(windows.put(time * second, |all| all.push(*time))));
        let closed = closed.collect();
        (closed, in_seconds(windows.close()))
    }

    #[test]
    fn a_late_record_has_a_window_of_its_own_and_closes_none() {
        let (closed, last) = windows(&[1, 10, 25, 9, 26]);
        assert_eq!(closed, [vec![], vec![], vec![(10, vec![1, 10])], vec![], vec![]]);
        assert_eq!(last, [(10, vec![9]), (30, vec![25, 26])]);
    }

    #[test]
    fn a_clock_set_back_is_followed_at_once() {
        let (closed, last) = windows(&[7001, 7002, 3403, 3404, 3411, 3412, 3421]);
        let back = vec![(3410, vec![3403, 3404]), (7010, vec![7001, 7002])];
        assert_eq!(closed[..4], [vec![], vec![], vec![], vec![]]);
        assert_eq!(closed[4..], [back, vec![], vec![(3420, vec![3411, 3412])]]);
        assert_eq!(last, [(3430, vec![3421])]);
    }

    #[test]
    fn one_absurd_time_is_one_odd_window() {
        let far = 7_000_000_000;
        let (closed, last) = windows(&[1, far, 2, 3, 11, 12, 21]);
        assert_eq!(closed[..4], [vec![], vec![], vec![], vec![]]);
        assert_eq!(closed[4], [(10, vec![1, 2, 3])]);
        assert_eq!(closed[5..], [vec![], vec![(20, vec![11, 12]), (far, vec![far])]]);
        assert_eq!(last, [(30, vec![21])]);
    }

    #[test]
    fn hosts_whose_clocks_differ_keep_their_windows() {
        let (closed, last) = windows(&[101, 3001, 105, 3005, 111, 3011]);
        assert_eq!(closed[..4], [vec![], vec![], vec![], vec![]]);
        assert_eq!(closed[4..], [[(110, vec![101, 105])], [(3010, vec![3001, 3005])]]);
        assert_eq!(last, [(120, vec![111]), (3020, vec![3011])]);
    }

    #[test]
    fn no_more_windows_are_open_than_there_is_room_for() {
        let times: Vec<Nanos> = (0..100).map(|time| time * 10_000 + 1).rev().collect();
        let (closed, last) = windows(&times);
        let count = |windows: &Closed| windows.len();
        assert_eq!((closed.iter().map(count).sum::<usize>(), last.len()), (92, OPEN));
    }
}
