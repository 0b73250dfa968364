//! The values of one field of one key, in the stretches of its tool's time line.

use record::fields::Kind;

use crate::record::Value;
use crate::record::bounds::Bounded;
use crate::record::buckets::Buckets;
use crate::record::timestamp::Nanos;

/// The values, by stretch; those at the end may be missing, as nothing came there.
#[derive(Clone, Debug)]
pub enum Series {
    /// Amounts, which add up.
    Sum(Vec<f64>),
    /// Sums of values, and how many.
    Mean(Vec<[f64; 2]>),
    /// Levels.
    Level(Vec<Level>),
    /// Latencies.
    Buckets(Vec<Buckets>),
    /// Values of any unit.
    Bounds(Vec<Bounded>),
    /// The least or the greatest of all.
    Extreme(Option<f64>),
    /// It is computed from others, or nothing is known of it.
    None,
}

/// A level over several intervals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// The sum over the intervals.
    pub sum: f64,
    /// In how many intervals it was told.
    pub times: f64,
    /// The last of them.
    last: Option<Nanos>,
}

/// Two stretches become one.
fn halve<T: Default>(values: &mut Vec<T>, add: impl Fn(&mut T, T)) {
    let mut all = std::mem::take(values).into_iter();
    while let Some(mut first) = all.next() {
        if let Some(second) = all.next() {
            add(&mut first, second);
        }
        values.push(first);
    }
}

/// The value of a stretch.
fn at<T: Default>(values: &mut Vec<T>, at: usize) -> &mut T {
    if values.len() <= at {
        values.resize_with(at + 1, T::default);
    }
    &mut values[at]
}

impl Series {
    /// Without a value, for a field of this kind.
    pub fn of(kind: Option<&Kind>) -> Self {
        match kind {
            Some(Kind::Counter) => Self::Sum(Vec::new()),
            Some(Kind::Mean(_)) => Self::Mean(Vec::new()),
            Some(Kind::Gauge) => Self::Level(Vec::new()),
            Some(Kind::Buckets) => Self::Buckets(Vec::new()),
            Some(Kind::Bounds) => Self::Bounds(Vec::new()),
            Some(Kind::Minimum | Kind::Maximum) => Self::Extreme(None),
            _ => Self::None,
        }
    }

    /// Adds the value of a record of this time to a stretch; `count` returns the number of another field of the record.
    pub fn add(
        &mut self,
        stretch: usize,
        time: Nanos,
        kind: Option<&Kind>,
        value: &Value<'_>,
        count: impl Fn(&str) -> Option<f64>,
    ) {
        let number = || match value {
            Value::Plain(digits) => digits.parse::<f64>().ok().filter(|number| number.is_finite()),
            _ => None,
        };
        match (self, value) {
            (Self::Sum(sums), _) => {
                if let Some(number) = number() {
                    *at(sums, stretch) += number;
                }
            }
            (Self::Mean(means), _) => {
                if let (Some(mean), Some(Kind::Mean(of))) = (number(), kind) {
                    let many = count(of).unwrap_or(1.0);
                    let [sum, all] = at(means, stretch);
                    (*sum, *all) = (*sum + mean * many, *all + many);
                }
            }
            (Self::Level(levels), _) => {
                if let Some(number) = number() {
                    let level = at(levels, stretch);
                    level.sum += number;
                    // Those of several keys in an interval add up.
                    if level.last.replace(time) != Some(time) {
                        level.times += 1.0;
                    }
                }
            }
            (Self::Buckets(all), Value::Nested(raw)) => {
                if let Some(buckets) = Buckets::parse(raw) {
                    at(all, stretch).extend(&buckets);
                }
            }
            (Self::Bounds(all), Value::Nested(raw)) => {
                if let Some(buckets) = Bounded::parse(raw) {
                    at(all, stretch).extend(&buckets);
                }
            }
            (Self::Extreme(known), _) => {
                if let Some(number) = number() {
                    let least = kind == Some(&Kind::Minimum);
                    let better = |known: f64| if least { known.min(number) } else { known.max(number) };
                    *known = Some(known.map_or(number, better));
                }
            }
            (Self::Buckets(_) | Self::Bounds(_) | Self::None, _) => {}
        }
    }

    /// Makes one of each two stretches.
    pub fn halve(&mut self) {
        match self {
            Self::Sum(sums) => halve(sums, |sum, more| *sum += more),
            Self::Mean(means) => {
                halve(means, |[sum, all], more| (*sum, *all) = (*sum + more[0], *all + more[1]))
            }
            Self::Level(levels) => halve(levels, |level, more| {
                let last = more.last.or(level.last);
                *level = Level { sum: level.sum + more.sum, times: level.times + more.times, last };
            }),
            Self::Buckets(all) => halve(all, |one, more| one.extend(&more)),
            Self::Bounds(all) => halve(all, |one, more| one.extend(&more)),
            Self::Extreme(_) | Self::None => {}
        }
    }

    /// The sum of all amounts, if they are amounts.
    pub fn total(&self) -> f64 {
        match self {
            Self::Sum(sums) => sums.iter().sum(),
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(number: &str) -> Value<'_> {
        Value::Plain(number.into())
    }

    #[test]
    fn two_stretches_become_one_without_loss() {
        let mut sum = Series::of(Some(&Kind::Counter));
        let mut level = Series::of(Some(&Kind::Gauge));
        let mut mean = Series::of(Some(&Kind::Mean("n".into())));
        for stretch in 0..3 {
            for (series, kind) in
                [(&mut sum, Kind::Counter), (&mut level, Kind::Gauge), (&mut mean, Kind::Mean("n".into()))]
            {
                series.add(stretch, stretch as Nanos, Some(&kind), &plain("2"), |_| Some(5.0));
                series.add(stretch, stretch as Nanos, Some(&kind), &plain("4"), |_| Some(5.0));
                series.add(stretch, stretch as Nanos, Some(&kind), &Value::Null, |_| Some(5.0));
            }
        }
        [&mut sum, &mut level, &mut mean].into_iter().for_each(Series::halve);
        let Series::Sum(sums) = &sum else { panic!("{sum:?}") };
        assert_eq!(sums[..], [12.0, 6.0]);
        let Series::Level(levels) = &level else { panic!("{level:?}") };
        let of: Vec<_> = levels.iter().map(|level| (level.sum, level.times)).collect();
        assert_eq!(of, [(12.0, 2.0), (6.0, 1.0)]);
        let Series::Mean(means) = &mean else { panic!("{mean:?}") };
        assert_eq!(means[..], [[60.0, 20.0], [30.0, 10.0]]);
    }

    #[test]
    fn buckets_are_merged() {
        let mut buckets = Series::of(Some(&Kind::Buckets));
        for (stretch, raw) in [(0, "[[1,2]]"), (1, "[[1,3],[2,1]]")] {
            buckets.add(stretch, 0, Some(&Kind::Buckets), &Value::Nested(raw.into()), |_| None);
        }
        buckets.halve();
        let Series::Buckets(all) = &buckets else { panic!("{buckets:?}") };
        assert_eq!(all[0].iter().collect::<Vec<_>>(), [(1000, 5), (2000, 1)]);
    }
}
