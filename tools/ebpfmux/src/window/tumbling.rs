//! Tumbling windows on a fixed grid of time; one is open at a time.

use std::time::{Duration, Instant};

use crate::record::timestamp::Nanos;

/// The windows of a stream.
pub struct Tumbling<W> {
    length: Nanos,
    open: Option<(Nanos, W)>,
    /// When the last record was added to the open window.
    touched: Instant,
}

impl<W: Default> Tumbling<W> {
    /// Windows of this length.
    pub fn new(length: Duration) -> Self {
        let length = Nanos::try_from(length.as_nanos()).unwrap_or(Nanos::MAX);
        Self { length, open: None, touched: Instant::now() }
    }

    /// The length of a window, in seconds.
    pub fn seconds(&self) -> f64 {
        self.length as f64 / 1e9
    }

    /// Adds to the window whose end is the next point of the grid at or after this time. Returns
    /// the window that this closes, and its end. A late record gets a window of its own, so that it
    /// is not lost.
    pub fn put(&mut self, time: Nanos, put: impl FnOnce(&mut W)) -> Option<(Nanos, W)> {
        let end = window_end(time, self.length);
        self.touched = Instant::now();
        let before = match &mut self.open {
            Some((open, window)) if *open == end => {
                put(window);
                return None;
            }
            Some((open, _)) if end < *open => None,
            _ => Some(self.open.take()),
        };
        let mut window = W::default();
        put(&mut window);
        match before {
            Some(before) => {
                self.open = Some((end, window));
                before
            }
            None => Some((end, window)),
        }
    }

    /// Closes the open window.
    pub fn close(&mut self) -> Option<(Nanos, W)> {
        self.open.take()
    }

    /// When the open window is closed by the clock if no more records come.
    pub fn closes(&self) -> Option<Instant> {
        let length = Duration::from_nanos(self.length.unsigned_abs());
        self.open.is_some().then(|| self.touched + length)
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

    #[test]
    fn a_late_one_gets_a_window_of_its_own() {
        let mut windows: Tumbling<Vec<Nanos>> = Tumbling::new(Duration::from_nanos(10));
        let mut put = |time| windows.put(time, |window| window.push(time));
        assert_eq!([put(1), put(10), put(25)], [None, None, Some((10, vec![1, 10]))]);
        assert_eq!([put(9), put(26)], [Some((10, vec![9])), None]);
        assert_eq!(windows.close(), Some((30, vec![25, 26])));
    }
}
