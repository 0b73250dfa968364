//! Which figures a key has, and how each is computed from what was recorded of it.

use indexmap::IndexMap;
use record::fields::{Field, Kind, Percentile, Term};

use super::estimate::{Estimate, Histogram};
use crate::over_time::{Group, Level, Series};

/// A figure, or several that come from the same histogram.
pub struct Figures {
    /// Their names, with what they are.
    pub names: Vec<(String, &'static Field)>,
    /// How they are computed.
    pub estimate: Estimate,
}

/// The figures of a key, in the order of its records; `stretches` are how many each host has.
pub fn of(group: &Group, stretches: &[usize]) -> Vec<Figures> {
    let fields = group.fields();
    let shape = Shaped { group, stretches };
    let mut all: Vec<Figures> = Vec::new();
    let mut histograms: IndexMap<String, Vec<(String, &'static Field)>> = IndexMap::new();
    for (name, (field, before)) in &fields {
        let beside = |of: &str| format!("{}{of}", &name[..*before]);
        let estimate = match &field.kind {
            Kind::Counter => Some(Estimate::Rate(shape.sums(name))),
            Kind::Difference(terms) => Some(Estimate::Rate(shape.terms(terms, &beside))),
            Kind::Gauge => Some(Estimate::Level(shape.pairs(name))),
            Kind::Mean(_) => Some(Estimate::Share(shape.pairs(name))),
            Kind::Ratio(terms, whole, _) => {
                let whole = [Term { of: whole.clone(), less: None }];
                let (part, whole) = (shape.terms(terms, &beside), shape.terms(&whole, &beside));
                let paired = part.into_iter().zip(whole);
                let pair = |(part, whole): (Vec<f64>, Vec<f64>)| {
                    part.into_iter().zip(whole).map(|(part, whole)| [part, whole]).collect()
                };
                Some(Estimate::Share(paired.map(pair).collect()))
            }
            Kind::Percentile(percentile) => {
                histograms.entry(beside(&percentile.of)).or_default().push(((*name).to_owned(), field));
                None
            }
            _ => None,
        };
        all.extend(estimate.map(|estimate| Figures { names: vec![((*name).to_owned(), field)], estimate }));
    }
    for (of, names) in histograms {
        let quantile = |field: &'static Field| match &field.kind {
            Kind::Percentile(percentile) => Some(percentile),
            _ => None,
        };
        let within = names.iter().map(|(name, field)| {
            let before = fields.get(name.as_str()).map_or(0, |(_, before)| *before);
            shape.range(quantile(field)?, &name[..before])
        });
        let histogram = Histogram::of(group.series(&of), within.collect());
        if !histogram.is_empty() {
            let shares = names.iter().filter_map(|(_, field)| quantile(field)).map(|of| of.quantile);
            let estimate = Estimate::Quantiles(shares.collect(), histogram);
            all.push(Figures { names, estimate });
        }
    }
    all
}

/// Whether percentiles cannot be computed, as there are no buckets.
pub fn lacks_buckets(group: &Group) -> bool {
    group.fields().iter().any(|(name, (field, before))| match &field.kind {
        Kind::Percentile(percentile) => {
            let of = format!("{}{}", &name[..*before], percentile.of);
            group.series(&of).flatten().next().is_none()
        }
        _ => false,
    })
}

struct Shaped<'a> {
    group: &'a Group,
    stretches: &'a [usize],
}

impl Shaped<'_> {
    /// The values of a field by host and stretch, as many as there are stretches.
    fn values<T: Clone + Default>(&self, name: &str, of: impl Fn(&Series) -> Vec<T>) -> Vec<Vec<T>> {
        let mut hosts: Vec<_> =
            self.group.series(name).map(|series| series.map_or_else(Vec::new, &of)).collect();
        hosts.resize(self.stretches.len(), Vec::new());
        hosts.iter_mut().zip(self.stretches).for_each(|(values, n)| values.resize(*n, T::default()));
        hosts
    }

    fn sums(&self, name: &str) -> Vec<Vec<f64>> {
        self.values(name, |series| match series {
            Series::Sum(sums) => sums.clone(),
            _ => Vec::new(),
        })
    }

    fn pairs(&self, name: &str) -> Vec<Vec<[f64; 2]>> {
        let level = |level: &Level| [level.sum, level.times];
        self.values(name, |series| match series {
            Series::Mean(means) => means.clone(),
            Series::Level(levels) => levels.iter().map(level).collect(),
            _ => Vec::new(),
        })
    }

    /// The sum of terms.
    fn terms(&self, terms: &[Term], beside: &dyn Fn(&str) -> String) -> Vec<Vec<f64>> {
        let mut all: Vec<Vec<f64>> = self.stretches.iter().map(|n| vec![0.0; *n]).collect();
        let mut add = |name: &str, sign: f64| {
            let name = beside(name);
            let field = self.group.fields().get(name.as_str()).map(|(field, _)| *field);
            let of = match field.map(|field| &field.kind) {
                Some(Kind::Difference(terms)) => self.terms(terms, beside),
                _ => self.sums(&name),
            };
            let sums = all.iter_mut().flatten().zip(of.into_iter().flatten());
            sums.for_each(|(sum, more)| *sum += sign * more);
        };
        for term in terms {
            add(&term.of, 1.0);
            term.less.iter().for_each(|less| add(less, -1.0));
        }
        all
    }

    /// The least and the greatest value, of all hosts.
    fn range(&self, percentile: &Percentile, before: &str) -> Option<[f64; 2]> {
        let names = percentile.within.as_ref()?;
        let extremes = |name: &str, better: fn(f64, f64) -> f64| {
            let name = format!("{before}{name}");
            let known = self.group.series(&name).flatten().filter_map(|series| match series {
                Series::Extreme(value) => *value,
                _ => None,
            });
            known.reduce(better)
        };
        Some([extremes(&names[0], f64::min)?, extremes(&names[1], f64::max)?])
    }
}
