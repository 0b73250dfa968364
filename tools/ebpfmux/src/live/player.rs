//! Which time of a recording is shown: playing, standing, on the way to another time.

use std::time::{Duration, Instant};

use crate::record::timestamp::Nanos;

/// The slowest and the fastest, as powers of two.
const SPEEDS: (i32, i32) = (-3, 10);

/// Where the recording is to be read to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// As far as has been read.
    Here,
    /// Until the tab that is shown has an interval after this time.
    After(Nanos),
    /// Until this time has gone by.
    Time(Nanos),
    /// The end.
    End,
}

/// The state of playing.
pub struct Player {
    /// Since when it plays, and the time that was shown then.
    since: Option<(Instant, Nanos)>,
    speed: i32,
    /// Where it is to be read to.
    pub aim: Aim,
}

impl Player {
    /// Standing before the first interval, which is to be read.
    pub fn new() -> Self {
        Self { since: None, speed: 0, aim: Aim::After(Nanos::MIN) }
    }

    /// Whether it plays.
    pub fn plays(&self) -> bool {
        self.since.is_some()
    }

    /// Plays on from this time.
    pub fn play(&mut self, at: Nanos) {
        self.since = Some((Instant::now(), at));
    }

    /// Stands.
    pub fn stop(&mut self) {
        self.since = None;
    }

    /// Twice as fast, or half.
    pub fn faster(&mut self, by: i32) {
        let at = self.time(Instant::now());
        self.speed = (self.speed + by).clamp(SPEEDS.0, SPEEDS.1);
        if let Some(at) = at {
            self.play(at);
        }
    }

    /// How fast: ×1, ×8, ×1/4.
    pub fn speed(&self) -> String {
        match self.speed {
            slow if slow < 0 => format!("×1/{}", 1 << -slow),
            fast => format!("×{}", 1 << fast),
        }
    }

    /// The time that is shown at this moment, while it plays.
    pub fn time(&self, now: Instant) -> Option<Nanos> {
        let (since, from) = self.since?;
        let gone = (now - since).as_nanos() as f64 * 2f64.powi(self.speed);
        Some(from.saturating_add(gone as Nanos))
    }

    /// When this time will be shown.
    pub fn due(&self, time: Nanos) -> Option<Instant> {
        let (since, from) = self.since?;
        let wait = time.saturating_sub(from).max(0) as f64 / 2f64.powi(self.speed);
        Some(since + Duration::from_nanos(wait as u64).min(Duration::from_secs(3600)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_by_as_fast_as_was_asked_for() {
        let mut player = Player::new();
        assert!(!player.plays() && player.time(Instant::now()).is_none());
        player.play(1_000);
        let (since, _) = player.since.unwrap();
        let after = |player: &Player, seconds| player.time(since + Duration::from_secs(seconds)).unwrap();
        assert_eq!(after(&player, 2), 2_000_001_000);
        player.speed = 3;
        assert_eq!((after(&player, 2), player.speed()), (16_000_001_000, "×8".to_owned()));
        assert_eq!(player.due(8_000_001_000), Some(since + Duration::from_secs(1)));
        player.speed = -2;
        assert_eq!((after(&player, 2), player.speed()), (500_001_000, "×1/4".to_owned()));
        (0..99).for_each(|_| player.faster(1));
        assert_eq!(player.speed(), "×1024");
        (0..99).for_each(|_| player.faster(-1));
        assert_eq!(player.speed(), "×1/8");
    }
}
