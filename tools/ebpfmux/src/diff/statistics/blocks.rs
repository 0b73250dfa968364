//! How intervals in a row depend on each other.
//!
//! The mean length of blocks of the stationary bootstrap is chosen as by Politis and White (2004, "Automatic Block-Length
//! Selection for the Dependent Bootstrap", Econometric Reviews 23), with the correction of Patton, Politis and White (2009,
//! Econometric Reviews 28). In a short recording that is too short: what is seen of a dependence is less than there is
//! (Marriott and Pope 1954, "Bias in the Estimation of Autocorrelations", Biometrika 41), and blocks tear some of it. What
//! is missing is made up for by a factor, that of a process in which each interval hangs on the one before it.

/// A correlation below this many standard errors is taken for none.
const NEGLIGIBLE: f64 = 2.0;
/// The correlation of neighbours may be greater than is seen by so many standard errors.
const DOUBT: f64 = 1.0;

/// No greater correlation is feared than 1 less so many parts of the series' length: beyond that nothing could be told.
const PARTS: f64 = 4.0;

/// How a series depends on what was before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dependence {
    /// The mean length of a block, in steps of the series: at least 1, at most what leaves eight blocks.
    pub block: f64,
    /// By how much the correlation of neighbours, as seen, and as it may be.
    pub seen: f64,
    /// As it may be.
    pub feared: f64,
}

impl Dependence {
    /// Nothing depends on what was before.
    pub const NONE: Self = Self { block: 1.0, seen: 0.0, feared: 0.0 };

    /// That of a series.
    pub fn of(series: &[f64]) -> Self {
        let n = series.len() as f64;
        let mean = series.iter().sum::<f64>() / n.max(1.0);
        let centred: Vec<f64> = series.iter().map(|value| value - mean).collect();
        let covariance =
            |lag: usize| centred.iter().zip(&centred[lag..]).map(|(a, b)| a * b).sum::<f64>() / n;
        // Too few to see a dependence, or nothing varies.
        if series.len() < 8 || covariance(0) <= f64::EPSILON * mean * mean {
            return Self::NONE;
        }
        let seen = covariance(1) / covariance(0);
        let unbiased = seen + (1.0 + 4.0 * seen) / n;
        let error = ((1.0 - unbiased.min(1.0).powi(2)) / n).max(0.0).sqrt();
        let feared = (unbiased + DOUBT * error).clamp(0.0, 1.0 - PARTS / n);
        Self { block: block(series.len(), covariance), seen: seen.max(0.0), feared }
    }

    /// The stronger of two.
    pub fn max(self, other: Self) -> Self {
        let stronger = if other.feared > self.feared { other } else { self };
        Self { block: self.block.max(other.block), ..stronger }
    }

    /// By how much the variance is greater than what draws in these blocks have.
    pub fn missing(self) -> f64 {
        let whole = |correlation: f64| (1.0 + correlation) / (1.0 - correlation);
        (whole(self.feared) / whole((1.0 - 1.0 / self.block) * self.seen)).max(1.0)
    }

    /// What part of the intervals is left, where each that depends on others counts for less.
    pub fn independent(self) -> f64 {
        ((1.0 - self.feared) / (1.0 + self.feared)).min(1.0 / self.block)
    }
}

fn block(n: usize, covariance: impl Fn(usize) -> f64) -> f64 {
    let longest = (n as f64 / 8.0).max(1.0);
    let variance = covariance(0);
    let digits = (n as f64).log10();
    let run = (digits.sqrt().ceil() as usize).max(5);
    let furthest = ((n as f64).sqrt().ceil() as usize + run).min(n - 1);
    let limit = NEGLIGIBLE * (digits / n as f64).sqrt();
    let negligible: Vec<bool> =
        (1..=furthest).map(|lag| (covariance(lag) / variance).abs() < limit).collect();
    // The first lag behind which a whole run of them is negligible; else the last that is not.
    let first = (0..negligible.len()).find(|from| negligible[*from..].iter().take(run).all(|none| *none));
    let last = || negligible.iter().rposition(|none| !none).map_or(1, |at| at + 1);
    let reach = (2 * first.unwrap_or_else(last)).clamp(1, n - 1);
    // A trapezoid: full weight up to its half, then less and less.
    let weight = |lag: usize| (2.0 * (1.0 - lag as f64 / reach as f64)).clamp(0.0, 1.0);
    let (mut spectrum, mut slope) = (variance, 0.0);
    for lag in 1..=reach {
        let part = 2.0 * weight(lag) * covariance(lag);
        spectrum += part;
        slope += part * lag as f64;
    }
    let length = (slope * slope / (spectrum * spectrum) * n as f64).cbrt();
    if length.is_finite() { length.clamp(1.0, longest) } else { longest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(n: usize, dependence: f64) -> Vec<f64> {
        let mut random = fastrand::Rng::with_seed(7);
        let mut last = 0.0;
        let mut next = || {
            last = dependence * last + random.f64() - 0.5;
            last
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn what_depends_on_what_was_before_has_longer_blocks_and_counts_for_less() {
        let [none, some, much] = [0.0, 0.5, 0.95].map(|dependence| Dependence::of(&series(128, dependence)));
        assert!(none.block < some.block && some.block < much.block, "{none:?} {some:?} {much:?}");
        assert!(much.block <= 16.0 && none.independent() > 0.5 && much.independent() < 0.05, "{much:?}");
        assert!(none.missing() < 1.5 && much.missing() > 2.0, "{none:?} {much:?}");
        assert_eq!(none.max(much), much);
    }

    #[test]
    fn what_does_not_vary_depends_on_nothing() {
        for series in [&[][..], &[3.0], &[5.0; 40]] {
            assert_eq!(Dependence::of(series), Dependence::NONE);
        }
        assert_eq!((Dependence::NONE.missing(), Dependence::NONE.independent()), (1.0, 1.0));
    }
}
