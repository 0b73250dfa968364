//! Intervals drawn anew: how often each of a recording's is in each draw.

use fastrand::Rng;

/// How many times a recording is drawn. The least and the greatest of a thousand hold 99.8 % of what could be.
pub const DRAWS: usize = 1000;

/// The draws of one recording's intervals, by host: the same for all figures of a tool, as they come from the same
/// intervals.
pub struct Draws {
    /// By draw, then by host: how often each interval is in it.
    pub times: Vec<Vec<Vec<u16>>>,
}

impl Draws {
    /// Of so many intervals for each host, in blocks of this mean length. The same seed gives the same draws.
    pub fn new(intervals: &[usize], block: f64, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let draw = |random: &mut Rng| intervals.iter().map(|n| one(*n, block, random)).collect();
        let times = (0..DRAWS).map(|_| draw(&mut random)).collect();
        Self { times }
    }
}

/// As many intervals as there are, in blocks that begin anywhere and go round at the end. Each goes on with the same
/// probability, so that their lengths vary.
fn one(intervals: usize, block: f64, random: &mut Rng) -> Vec<u16> {
    let mut times = vec![0; intervals];
    let (mut at, mut goes_on) = (0, false);
    for _ in 0..intervals {
        at = if goes_on { (at + 1) % intervals } else { random.usize(..intervals) };
        times[at] += 1;
        goes_on = random.f64() >= 1.0 / block;
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_draw_has_as_many_intervals_and_is_the_same_again() {
        let draws = Draws::new(&[30, 10], 2.5, 1);
        for draw in &draws.times {
            let sums: Vec<u32> = draw.iter().map(|host| host.iter().map(|n| u32::from(*n)).sum()).collect();
            assert_eq!(sums, [30, 10]);
        }
        assert_eq!(draws.times.len(), DRAWS);
        assert_eq!(draws.times, Draws::new(&[30, 10], 2.5, 1).times);
        assert_ne!(draws.times, Draws::new(&[30, 10], 2.5, 2).times);
    }
}
