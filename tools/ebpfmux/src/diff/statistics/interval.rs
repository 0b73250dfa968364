//! Whether two figures are apart, and how far: an interval for the ratio of the second to the first.
//!
//! The interval is the widest of three, at a confidence that holds for all figures of the comparison together (Bonferroni).
//! One comes from the standard error of the logarithm of the ratio, as what comes in waves varies by factors, with Student's t
//! and Welch's degrees of freedom (1947, Biometrika 34). One is Fieller's, of differences (1954, "Some Problems in Interval
//! Estimation", J. R. Stat. Soc. B 16). One is the span of all ratios of drawn pairs. The latter two are wider where a figure
//! hangs on a few intervals, as a p99 that one burst has made.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The confidence that no interval of a whole comparison misses what it is for.
const CONFIDENCE: f64 = 0.99;

/// So many degrees of freedom that the distribution is the normal one.
const MANY: f64 = 1e6;

/// The least degrees of freedom: with fewer, Student's t says nothing of any change. What they stand for, a dependence over
/// most of the recording, is in the standard error already.
const FREEDOM: f64 = 3.0;

/// What ratios of bounds may be off.
const ROUNDING: f64 = 1e-9;

/// A draw may have no value: a ratio of nothing. With more of them than this share nothing is said.
const WITHOUT: f64 = 0.05;

/// How sure is meant, for each of so many figures.
#[derive(Clone, Copy)]
pub struct Level {
    /// The probability on one side that an interval misses.
    tail: f64,
}

impl Level {
    /// For so many figures, compared at once.
    pub fn of(figures: usize) -> Self {
        Self { tail: (1.0 - CONFIDENCE) / (2 * figures.max(1)) as f64 }
    }
}

impl Level {
    /// Student's quantile for so many degrees of freedom.
    fn quantile(self, freedom: f64) -> f64 {
        // From the other tail, where digits are not lost.
        StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |of| -of.inverse_cdf(self.tail))
    }
}

/// A figure of one recording, with what its draws say.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The figure.
    pub value: f64,
    /// The lowest and the highest that it can be: of a percentile the bounds of its bucket.
    pub bounds: [f64; 2],
    /// The figure of each draw; not a number where it has none.
    pub draws: Vec<f64>,
    /// In how many intervals, or stretches of some, it has a value.
    pub there: usize,
    /// As how many intervals the recording counts, as each that depends on others counts for less.
    pub blocks: f64,
    /// By how much the variance is greater than that of the draws.
    pub missing: f64,
    /// The least standard error that it has, whatever the draws say: an event more or less at an end.
    pub least_error: f64,
}

impl Drawn {
    /// The standard error, and its degrees of freedom; `None` if too many draws have no value.
    fn error(&self) -> Option<(f64, f64)> {
        let there = self.draws.iter().copied().filter(|value| !value.is_nan());
        let n = there.clone().count() as f64;
        if n < (1.0 - WITHOUT) * self.draws.len() as f64 || n < 2.0 {
            return None;
        }
        let mean = there.clone().sum::<f64>() / n;
        let variance = there.map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let freedom = (self.blocks - 1.0).max(FREEDOM);
        // Draws are about their own mean, which takes one of them.
        let variance = variance * self.missing * (freedom + 1.0) / freedom;
        Some((variance.sqrt().max(self.least_error), freedom))
    }
}

/// The same figure of two recordings.
pub struct Pair {
    before: [f64; 3],
    after: [f64; 3],
    errors: [f64; 2],
    freedom: f64,
    /// The least and the greatest difference and ratio of two draws.
    differences: [f64; 2],
    ratios: [f64; 2],
}

/// How far apart two figures are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Apart {
    /// The interval of the ratio; none where one of the figures is 0.
    pub ratios: [Option<f64>; 2],
    /// Whether they differ by more than noise.
    pub told: bool,
    /// Whether they also differ by more than the bounds and the least change that counts.
    pub counts: bool,
}

impl Pair {
    /// `None` if nothing can be said.
    pub fn of(before: &Drawn, after: &Drawn) -> Option<Self> {
        let ((first, few), (second, many)) = (before.error()?, after.error()?);
        let [a, b] = [first, second].map(|error| error * error);
        // Welch and Satterthwaite.
        let freedom = match a + b {
            0.0 => few.min(many),
            sum => sum * sum / (a * a / few + b * b / many),
        };
        let pairs = before.draws.iter().zip(&after.draws);
        let pairs = pairs.filter(|(before, after)| !before.is_nan() && !after.is_nan());
        let span = |of: fn(f64, f64) -> f64| {
            pairs.clone().fold([f64::INFINITY, f64::NEG_INFINITY], |[least, most], (before, after)| {
                let value = of(*before, *after);
                [least.min(value), most.max(value)]
            })
        };
        Some(Self {
            before: [before.value, before.bounds[0], before.bounds[1]],
            after: [after.value, after.bounds[0], after.bounds[1]],
            errors: [first, second],
            freedom,
            differences: span(|before, after| after - before),
            ratios: span(|before, after| match (before > 0.0, after > 0.0) {
                (true, _) => after / before,
                (false, true) => f64::INFINITY,
                (false, false) => 1.0,
            }),
        })
    }

    /// How far they are apart; `least` is the least change that counts, as a share of the first.
    pub fn apart(&self, level: Level, least: f64) -> Apart {
        let ([before, before_least, before_most], [after, after_least, after_most]) =
            (self.before, self.after);
        let t = level.quantile(self.freedom.max(1.0));
        if before <= 0.0 || after <= 0.0 {
            return self.without_ratio(t);
        }
        let relative = self.errors[0] / before;
        let reach = (t * relative.hypot(self.errors[1] / after)).exp();
        let ratio = after / before;
        let [least_ratio, most_ratio] = self.fieller(level.quantile(MANY));
        let low = (ratio / reach).min(self.ratios[0]).min(least_ratio);
        let high = (ratio * reach).max(self.ratios[1]).max(most_ratio);
        // What the bounds of both leave between them.
        let down = after_least / after * before / before_most;
        let up = after_most / after * before / before_least;
        let told = low > 1.0 || high < 1.0;
        let bounded = [low * down, if up.is_finite() { high * up } else { f64::INFINITY }];
        let counts = bounded[0] > 1.0 + least + ROUNDING || bounded[1] < 1.0 - least - ROUNDING;
        Apart {
            ratios: bounded.map(|ratio| Some(ratio).filter(|ratio| ratio.is_finite())),
            told,
            counts: told && counts,
        }
    }

    /// The interval by Fieller's theorem, of differences: it holds where a figure hangs on a few great values.
    fn fieller(&self, quantile: f64) -> [f64; 2] {
        let ([before, ..], [after, ..]) = (self.before, self.after);
        let [a, b] = self.errors.map(|error| (quantile * error).powi(2));
        let (lead, middle) = (before * before - a, before * after);
        // middle² - lead (after² - b), without the difference of two great numbers.
        let square = before * before * b + after * after * a - a * b;
        if square < 0.0 || lead == 0.0 {
            return [0.0, f64::INFINITY];
        }
        let [one, other] = [middle - square.sqrt(), middle + square.sqrt()].map(|root| root / lead);
        match lead > 0.0 {
            true => [one.max(0.0), other],
            // The first could be 0: the ratio has no upper bound.
            false if after > before => [one.max(other).max(0.0), f64::INFINITY],
            false => [0.0, f64::INFINITY],
        }
    }

    /// The same where one of them is 0: there is no ratio, only a difference.
    fn without_ratio(&self, t: f64) -> Apart {
        let difference = self.after[0] - self.before[0];
        let reach = t * self.errors[0].hypot(self.errors[1]);
        let told = match difference > 0.0 {
            true => difference > reach && self.differences[0] > 0.0,
            false => -difference > reach && self.differences[1] < 0.0,
        };
        Apart { ratios: [None; 2], told, counts: told }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(value: f64, spread: f64, blocks: f64) -> Drawn {
        let mut random = fastrand::Rng::with_seed(value.to_bits());
        // The sum of twelve is nearly normal, with a deviation of 1.
        let mut normal = || (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        let draws = (0..1000).map(|_| value + spread * normal()).collect();
        Drawn { value, bounds: [value; 2], draws, there: 60, blocks, missing: 1.0, least_error: 0.0 }
    }

    fn apart(before: &Drawn, after: &Drawn, figures: usize) -> Apart {
        Pair::of(before, after).expect("a pair").apart(Level::of(figures), 0.05)
    }

    #[test]
    fn what_noise_explains_is_not_told() {
        let of = apart(&drawn(100.0, 5.0, 60.0), &drawn(112.0, 5.0, 60.0), 1);
        assert!(!of.told && !of.counts, "{of:?}");
        let [Some(low), Some(high)] = of.ratios else { panic!("{of:?}") };
        assert!(low < 1.0 && (1.2..1.5).contains(&high), "{of:?}");
    }

    #[test]
    fn what_noise_does_not_explain_is_told_with_its_interval() {
        let of = apart(&drawn(100.0, 2.0, 60.0), &drawn(300.0, 5.0, 60.0), 100);
        let [Some(low), Some(high)] = of.ratios else { panic!("{of:?}") };
        assert!(of.told && of.counts && (2.5..3.0).contains(&low) && (3.0..3.6).contains(&high), "{of:?}");
        let of = apart(&drawn(300.0, 5.0, 60.0), &drawn(100.0, 2.0, 60.0), 100);
        let [Some(low), Some(high)] = of.ratios else { panic!("{of:?}") };
        assert!(of.counts && low < 0.33 && high > 0.34 && high < 0.4, "{of:?}");
    }

    #[test]
    fn the_more_are_compared_and_the_fewer_blocks_there_are_the_less_is_told() {
        let (before, after) = (drawn(100.0, 3.0, 60.0), drawn(116.0, 3.0, 60.0));
        assert!(apart(&before, &after, 1).told && !apart(&before, &after, 1000).told);
        let (before, after) = (drawn(100.0, 3.0, 3.0), drawn(120.0, 3.0, 3.0));
        assert!(!apart(&before, &after, 10).told);
    }

    #[test]
    fn a_change_within_bounds_does_not_count() {
        let (mut before, mut after) = (drawn(100.0, 0.0, 60.0), drawn(106.0, 0.0, 60.0));
        (before.bounds, after.bounds) = ([97.0, 103.0], [103.0, 109.0]);
        let of = apart(&before, &after, 10);
        assert!(of.told && !of.counts, "{of:?}");
        let of = apart(&drawn(100.0, 0.0, 60.0), &drawn(104.9, 0.0, 60.0), 10);
        assert!(of.told && !of.counts, "below the least that counts: {of:?}");
        (before, after) = (drawn(100.0, 0.0, 60.0), drawn(112.0, 0.0, 60.0));
        (before.bounds, after.bounds) = ([97.0, 103.0], [109.0, 115.0]);
        assert!(apart(&before, &after, 10).counts);
    }

    #[test]
    fn from_nothing_to_something_has_no_ratio() {
        let nothing = Drawn {
            value: 0.0,
            bounds: [0.0; 2],
            draws: vec![0.0; 1000],
            there: 60,
            blocks: 60.0,
            missing: 1.0,
            least_error: 0.0,
        };
        let of = apart(&nothing, &drawn(50.0, 2.0, 60.0), 10);
        assert_eq!((of.ratios, of.told, of.counts), ([None, None], true, true));
        assert!(!apart(&nothing, &nothing, 10).told);
        let none = Drawn { draws: vec![f64::NAN; 1000], ..nothing.clone() };
        assert!(Pair::of(&nothing, &none).is_none());
    }
}
