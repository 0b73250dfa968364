//! A figure of a recording, computed from all of its intervals or from some of them, drawn.

use record::histogram::{Hist, bounds_ns, bucket_of, micros};

use crate::over_time::Series;
use crate::record::bounds::Bounded;
use crate::record::buckets::Buckets;

/// How often each stretch counts, by host.
pub type Weights<'a> = &'a [Vec<u16>];

/// A bucket: its lower bound, what stands for it, its upper bound.
pub type Bin = [f64; 3];

/// How a figure is computed, with its values by host, then by stretch.
pub enum Estimate {
    /// Amounts per second; those of several hosts add up.
    Rate(Vec<Vec<f64>>),
    /// The sum of the first divided by that of the second, over all hosts: means, ratios.
    Share(Vec<Vec<[f64; 2]>>),
    /// The mean of levels: sums and how many; those of several hosts add up.
    Level(Vec<Vec<[f64; 2]>>),
    /// The values that these shares of all do not exceed.
    Quantiles(Vec<f64>, Histogram),
}

/// Counts by bucket and stretch.
pub struct Histogram {
    bins: Vec<Bin>,
    /// By host and stretch: the bin, and how many.
    counts: Vec<Vec<Vec<(usize, f64)>>>,
    /// The least and the greatest value, where they are known, for each quantile.
    within: Vec<Option<[f64; 2]>>,
}

impl Estimate {
    /// The figure, or the figures of several quantiles; not a number where there is none. `seconds` are the lengths of the
    /// stretches; without weights each counts once.
    pub fn values(&self, seconds: &[Vec<f64>], weights: Option<Weights<'_>>) -> Vec<f64> {
        let weight = |host: usize, at: usize| match weights {
            Some(weights) => f64::from(weights[host].get(at).copied().unwrap_or(0)),
            None => 1.0,
        };
        let sum = |host: usize, values: &mut dyn Iterator<Item = f64>| -> f64 {
            values.enumerate().map(|(at, value)| weight(host, at) * value).sum()
        };
        match self {
            Self::Rate(amounts) => {
                let rate = |(host, amounts): (usize, &Vec<f64>)| {
                    let time = sum(host, &mut seconds[host].iter().copied());
                    if time > 0.0 { sum(host, &mut amounts.iter().copied()) / time } else { 0.0 }
                };
                vec![amounts.iter().enumerate().map(rate).sum()]
            }
            Self::Share(all) => {
                let part = |of: usize| -> f64 {
                    let of_host = |(host, all): (usize, &Vec<[f64; 2]>)| {
                        sum(host, &mut all.iter().map(|pair| pair[of]))
                    };
                    all.iter().enumerate().map(of_host).sum()
                };
                vec![divided(part(0), part(1))]
            }
            Self::Level(all) => {
                let mean = |(host, all): (usize, &Vec<[f64; 2]>)| {
                    let part = |of: usize, sum: &dyn Fn(usize, &mut dyn Iterator<Item = f64>) -> f64| {
                        sum(host, &mut all.iter().map(|pair| pair[of]))
                    };
                    divided(part(0, &sum), part(1, &sum))
                };
                let means = all.iter().enumerate().filter(|(_, all)| all.iter().any(|pair| pair[1] > 0.0));
                let means: Vec<f64> = means.map(mean).collect();
                vec![if means.is_empty() { f64::NAN } else { means.iter().sum() }]
            }
            Self::Quantiles(shares, histogram) => {
                histogram.quantiles(shares, weight).map(|[_, value, _]| value).collect()
            }
        }
    }

    /// The lowest and the highest that each figure can be, for what the buckets do not say.
    pub fn bounds(&self, values: &[f64]) -> Vec<[f64; 2]> {
        match self {
            Self::Quantiles(shares, histogram) => {
                histogram.quantiles(shares, |_, _| 1.0).map(|[low, _, high]| [low, high]).collect()
            }
            _ => values.iter().map(|value| [*value; 2]).collect(),
        }
    }

    /// How each figure went on over time, to see how it depends on what was before: by figure, then by host.
    pub fn courses(&self, seconds: &[Vec<f64>]) -> Vec<Vec<Vec<f64>>> {
        let known = |values: &mut dyn Iterator<Item = f64>| -> Vec<f64> {
            // Where there is none, nothing is known of it.
            values.filter(|value| !value.is_nan()).collect()
        };
        match self {
            Self::Rate(amounts) => {
                let of_host = |(amounts, seconds): (&Vec<f64>, &Vec<f64>)| {
                    known(
                        &mut amounts.iter().zip(seconds).map(|(amount, seconds)| divided(*amount, *seconds)),
                    )
                };
                vec![amounts.iter().zip(seconds).map(of_host).collect()]
            }
            Self::Share(all) | Self::Level(all) => {
                let of_host =
                    |all: &Vec<[f64; 2]>| known(&mut all.iter().map(|[part, whole]| divided(*part, *whole)));
                vec![all.iter().map(of_host).collect()]
            }
            Self::Quantiles(shares, histogram) => {
                let mut courses = vec![vec![Vec::new(); seconds.len()]; shares.len()];
                for (host, stretches) in seconds.iter().enumerate() {
                    for stretch in 0..stretches.len() {
                        let alone = |of: usize, at: usize| f64::from(u8::from((of, at) == (host, stretch)));
                        let values = histogram.quantiles(shares, alone).map(|[_, value, _]| value);
                        let there = courses.iter_mut().zip(values).filter(|(_, value)| !value.is_nan());
                        there.for_each(|(course, value)| course[host].push(value));
                    }
                }
                courses
            }
        }
    }
}

fn divided(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { f64::NAN }
}

impl Histogram {
    /// Of the tools' own buckets, or of others with bounds in any unit; `within` is the range of all values, by quantile.
    pub fn of<'a>(hosts: impl Iterator<Item = Option<&'a Series>>, within: Vec<Option<[f64; 2]>>) -> Self {
        let hosts: Vec<_> = hosts.collect();
        let mut uppers: Vec<f64> = hosts.iter().flatten().flat_map(|series| uppers(series)).collect();
        uppers.sort_by(f64::total_cmp);
        uppers.dedup();
        let of_tools = !hosts.iter().flatten().any(|series| matches!(series, Series::Bounds(_)));
        let bin = |at: usize| match of_tools {
            true => {
                let bucket = bucket_of(((uppers[at] * 1e3).round() as u64).saturating_sub(1));
                let (low, high) = bounds_ns(bucket);
                [micros(low), middle(uppers[at]), micros(high)]
            }
            // Between its bounds anything is possible.
            false => {
                let low = at.checked_sub(1).map_or(uppers[at].min(0.0), |below| uppers[below]);
                [low, uppers[at], uppers[at]]
            }
        };
        let bins = (0..uppers.len()).map(bin).collect();
        let place = |upper: f64| uppers.binary_search_by(|known| known.total_cmp(&upper)).unwrap_or(0);
        let counts = hosts.iter().map(|series| series.map_or_else(Vec::new, |series| counts(series, &place)));
        Self { bins, counts: counts.collect(), within }
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }

    /// By quantile: its bucket, within the range of all values.
    fn quantiles(&self, shares: &[f64], weight: impl Fn(usize, usize) -> f64) -> impl Iterator<Item = Bin> {
        let mut sums = vec![0.0; self.bins.len()];
        for (host, stretches) in self.counts.iter().enumerate() {
            for (at, counts) in stretches.iter().enumerate() {
                let times = weight(host, at);
                if times > 0.0 {
                    counts.iter().for_each(|(bin, count)| sums[*bin] += times * count);
                }
            }
        }
        let all: f64 = sums.iter().sum();
        let find = |share: f64| {
            // The first value has rank 1.
            let rank = (share * all).ceil().max(1.0);
            let mut below = 0.0;
            let found = sums.iter().position(|count| {
                below += count;
                below >= rank
            });
            found.filter(|_| all > 0.0).map(|at| self.bins[at])
        };
        let bins: Vec<Bin> = shares
            .iter()
            .zip(&self.within)
            .map(|(share, within)| {
                let bin = find(*share).unwrap_or([f64::NAN; 3]);
                match within {
                    Some([least, most]) if least <= most => bin.map(|value| value.clamp(*least, *most)),
                    _ => bin,
                }
            })
            .collect();
        bins.into_iter()
    }
}

/// What stands for all in the bucket with this upper bound.
fn middle(upper: f64) -> f64 {
    let mut hist = Hist::default();
    hist.add_bucket(upper, 1);
    let [middle] = hist.quantiles([1.0]);
    middle.unwrap_or(upper)
}

fn uppers(series: &Series) -> Vec<f64> {
    match series {
        Series::Buckets(all) => {
            all.iter().flat_map(Buckets::iter).map(|(upper, _)| upper as f64 / 1e3).collect()
        }
        Series::Bounds(all) => all.iter().flat_map(Bounded::iter).map(|(upper, _)| upper).collect(),
        _ => Vec::new(),
    }
}

fn counts(series: &Series, place: &impl Fn(f64) -> usize) -> Vec<Vec<(usize, f64)>> {
    match series {
        Series::Buckets(all) => {
            let of =
                |one: &Buckets| one.iter().map(|(upper, n)| (place(upper as f64 / 1e3), n as f64)).collect();
            all.iter().map(of).collect()
        }
        Series::Bounds(all) => {
            let of = |one: &Bounded| one.iter().map(|(upper, n)| (place(upper), n as f64)).collect();
            all.iter().map(of).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use record::fields::Kind;

    use super::*;
    use crate::record::Value;

    #[test]
    fn rates_of_hosts_add_up_and_shares_are_of_sums() {
        let seconds = [vec![1.0, 1.0], vec![2.0]];
        let rate = Estimate::Rate(vec![vec![10.0, 30.0], vec![10.0]]);
        assert_eq!(rate.values(&seconds, None), [25.0]);
        assert_eq!(rate.values(&seconds, Some(&[vec![2, 0], vec![1]])), [15.0]);
        let share = Estimate::Share(vec![vec![[1.0, 4.0], [3.0, 4.0]], vec![[8.0, 8.0]]]);
        assert_eq!(share.values(&seconds, None), [0.75]);
        let level = Estimate::Level(vec![vec![[4.0, 2.0], [6.0, 1.0]], vec![[1.0, 1.0]]]);
        assert!((level.values(&seconds, None)[0] - (10.0 / 3.0 + 1.0)).abs() < 1e-9);
        assert!(Estimate::Share(vec![vec![]]).values(&seconds, None)[0].is_nan());
    }

    #[test]
    fn quantiles_are_those_of_the_merged_buckets() {
        let mut series = Series::of(Some(&Kind::Buckets));
        for (stretch, raw) in [(0, "[[1.024,90]]"), (1, "[[2.048,10]]")] {
            series.add(stretch, 0, Some(&Kind::Buckets), &Value::Nested(raw.into()), |_| None);
        }
        let histogram = Histogram::of([Some(&series)].into_iter(), vec![None, Some([0.0, 1.99])]);
        let quantiles = Estimate::Quantiles(vec![0.9, 0.91], histogram);
        let values = quantiles.values(&[vec![1.0; 2]], None);
        let near = |value: f64, of: f64| (value / of - 1.0).abs() < 0.04;
        assert!(near(values[0], 1.024) && near(values[1], 1.99), "{values:?}");
        let bounds = quantiles.bounds(&values);
        assert_eq!(bounds[0][1], 1.024);
        assert!(bounds[1][1] == 1.99 && bounds[1][0] < 1.99, "{bounds:?}");
        assert!(quantiles.values(&[vec![1.0; 2]], Some(&[vec![0, 1]]))[0] > 1.9);
    }
}
