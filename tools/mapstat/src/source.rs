//! A metric at work: where its values are read from, what came since, and the records of that.

use std::cell::Cell;
use std::rc::Rc;

use cli::exit::{Failure, Result};
use cli::stderr::note;
use common::measure::top;
use libbpf_rs::{Map, MapCore};

use crate::config::{Metric, shown};
use crate::decode;
use crate::maps::{self, Kind};
use crate::object::Loaded;
use crate::row::{OTHER, Series, Shape};
use crate::samples::Samples;
use crate::state::{Interval, Keys, Labels, State, Values};
use crate::system::System;

/// How many label sets of a metric are printed without `--top`: what is more has a mistake in its labels.
const SERIES_AT_MOST: u32 = 1 << 20;

/// A metric at work.
pub struct Source<'a> {
    config: &'a str,
    /// The config's file.
    file: &'a str,
    metric: &'a Metric,
    from: From<'a>,
    state: State,
    /// Whether a record has said what it means.
    explained: Cell<bool>,
    /// Whether a problem with its keys was reported, and that its map is full.
    told: Cell<bool>,
    told_full: Cell<bool>,
}

enum From<'a> {
    Map(&'a Map<'a>, Kind),
    Samples(Samples<'a>),
}

/// The maps of a config's metrics.
///
/// # Errors
/// A mistake in the tool itself: there is no such map.
pub fn maps_of(loaded: &Loaded) -> Result<Vec<Map<'_>>> {
    loaded
        .config
        .metrics
        .iter()
        .map(|metric| common::bpf::globals::map(&loaded.object, &metric.name))
        .collect()
}

/// The metrics of a config, each with its map.
///
/// # Errors
/// When buffers of samples cannot be mapped.
pub fn sources_of<'a>(loaded: &'a Loaded, maps: &'a [Map<'a>]) -> Result<Vec<Source<'a>>> {
    let metrics = loaded.config.metrics.iter().zip(&loaded.kinds).zip(maps);
    let source = |((metric, kind), map): ((&'a Metric, &Option<Kind>), &'a Map<'a>)| {
        let (from, keys) = match kind {
            Some(kind) => (From::Map(map, *kind), kind.keys),
            None => (From::Samples(Samples::of(map, decode::size(&metric.labels))?), Keys::Coming),
        };
        let no = || Cell::new(false);
        Ok(Source {
            config: &loaded.config.name,
            file: &loaded.config.file,
            metric,
            from,
            state: State::new(keys),
            explained: no(),
            told: no(),
            told_full: no(),
        })
    };
    metrics.map(source).collect()
}

impl<'a> Source<'a> {
    /// The name of its config.
    pub fn config(&self) -> &'a str {
        self.config
    }

    /// Its buffers, if it is of samples.
    pub fn samples(&self) -> Option<&Samples<'a>> {
        match &self.from {
            From::Samples(samples) => Some(samples),
            From::Map(..) => None,
        }
    }

    /// What came since the last time.
    ///
    /// # Errors
    /// When its map cannot be read.
    pub fn read(&mut self, idle: bool, system: &mut System) -> Result<Interval> {
        let Self { metric, from, state, .. } = self;
        match from {
            From::Map(map, kind) => {
                let read =
                    maps::read(map, *kind, metric, |key, value| state.take(metric, key, value, idle, system));
                read.map_err(|error| Failure::failed(format!("cannot read map {}: {error}", metric.name)))?;
                Ok(state.end())
            }
            From::Samples(samples) => {
                let (counts, lost) = samples.take();
                counts.iter().for_each(|(key, count)| state.take_samples(metric, key, *count, system));
                let mut interval = state.end();
                interval.lost += lost;
                Ok(interval)
            }
        }
    }

    /// Says once that keys cannot be decoded, and that the map is full.
    pub fn report(&self, interval: &Interval, quiet: bool) {
        if quiet {
            return;
        }
        if let Some(why) = interval.why.as_ref().filter(|_| !self.told.replace(true)) {
            note(&format!(
                "{}: {}: a key is left out: {why}; such counts are in lost",
                shown(self.file, self.metric.at),
                self.metric.name
            ));
        }
        let From::Map(map, Kind { keys: Keys::Coming, drops: false, .. }) = &self.from else { return };
        // With one for the processor, a key of the map is several here.
        let by_processor = self.metric.labels.last().is_some_and(|last| last.is_processor);
        let is_full = !by_processor && self.state.keys() >= map.max_entries() as usize;
        if is_full && !self.told_full.replace(true) {
            note(&format!(
                "{}: map {} is full ({} keys): its programs may drop what is new",
                self.config,
                self.metric.name,
                map.max_entries()
            ));
        }
    }

    /// Its map, if it has one: for a look whether it may still be read.
    pub fn may_be_read(&self) -> Option<bool> {
        match &self.from {
            From::Map(map, kind) => Some(maps::read(map, *kind, self.metric, |_, _| ()).is_ok()),
            From::Samples(_) => None,
        }
    }

    /// The records of an interval.
    pub fn rows(&self, interval: Interval, shape: &Shape, top: Option<u32>) -> Vec<Series> {
        let mut all: Vec<(Labels, Values)> = interval.values.into_iter().collect();
        // In the order of their labels if all are printed.
        if let Some(top) = top.or((all.len() > SERIES_AT_MOST as usize).then_some(SERIES_AT_MOST)) {
            let together = |others: Vec<(Labels, Values)>| {
                let mut others = others.into_iter();
                let (labels, mut sum) = others.next().unwrap_or_else(|| (Rc::new([]), Values::Counted(0)));
                others.for_each(|(_, values)| sum.add(&values));
                (labels.iter().map(|_| OTHER.to_owned()).collect(), sum)
            };
            top::keep_largest(&mut all, Some(top), |(_, values)| values.size(), together);
        }
        let series = |(labels, values): &(Labels, Values)| {
            shape.series(self.config, self.metric, labels, values, !self.explained.replace(true))
        };
        all.iter().map(series).collect()
    }
}
