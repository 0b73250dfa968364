//! What a map's keys held when they were last read, and what came since: the values of an interval, by label set.

#[cfg(test)]
mod tests;
mod values;

use std::collections::HashMap;
use std::rc::Rc;

use crate::config::{Form, Metric};
use crate::decode::{self, Label, Without};
use crate::histogram::{self, Slot};
use crate::system::System;
pub use values::{Interval, Labels, Values};

/// How keys of a map begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// All are there from the beginning, as in arrays: a smaller value is a fall.
    Fixed,
    /// They come and go: a smaller value is that of a key that went and came again.
    Coming,
}

/// The keys of a metric's map.
#[derive(Debug)]
pub struct State {
    keys: Keys,
    known: HashMap<Box<[u8]>, Known>,
    /// Tells the keys that the current read has found.
    read: u64,
    interval: Interval,
}

#[derive(Debug)]
struct Known {
    place: Place,
    value: u64,
    read: u64,
}

/// Where a key's values belong.
#[derive(Clone, Debug)]
enum Place {
    Of(Labels, Option<Slot>),
    LeftOut,
    Undecodable(Rc<str>),
}

impl State {
    /// Nothing was read yet.
    pub fn new(keys: Keys) -> Self {
        Self { keys, known: HashMap::new(), read: 1, interval: Interval::default() }
    }

    /// Takes a key and its value. A key that is passed twice in a read counts once, with its first value. With `idle`, label
    /// sets of which nothing came are in the interval, too.
    pub fn take(&mut self, metric: &Metric, key: &[u8], value: u64, idle: bool, system: &mut System) {
        let Self { keys, known, read, interval } = self;
        let (place, delta) = match known.get_mut(key) {
            Some(known) if known.read == *read => return,
            Some(known) => {
                let fell = value < known.value;
                let delta = match keys {
                    Keys::Coming if fell => i128::from(value),
                    _ => i128::from(value) - i128::from(known.value),
                };
                (known.value, known.read) = (value, *read);
                (&known.place, delta)
            }
            None => {
                let place = place(metric, key, system);
                interval.errors += u64::from(matches!(place, Place::Undecodable(_)));
                let new = Known { place, value, read: *read };
                (&known.entry(key.into()).or_insert(new).place, i128::from(value))
            }
        };
        let level = matches!(metric.form, Form::Gauge).then_some(value);
        add(interval, metric, place, delta, level, idle);
    }

    /// Takes so many samples with these bytes, which are a key.
    pub fn take_samples(&mut self, metric: &Metric, key: &[u8], count: u64, system: &mut System) {
        let place = place(metric, key, system);
        self.interval.errors += u64::from(matches!(place, Place::Undecodable(_)));
        add(&mut self.interval, metric, &place, i128::from(count), None, false);
    }

    /// The map was read to its end: forgets the keys that have gone, and returns what came.
    pub fn end(&mut self) -> Interval {
        let read = self.read;
        self.known.retain(|_, known| known.read == read);
        // After many keys have gone, their room goes, too.
        if self.known.capacity() > 4 * self.known.len() + 1024 {
            self.known.shrink_to_fit();
        }
        self.read += 1;
        std::mem::take(&mut self.interval)
    }

    /// How many keys the map had when it was last read.
    pub fn keys(&self) -> usize {
        self.known.len()
    }
}

/// Adds what came of a key.
fn add(interval: &mut Interval, metric: &Metric, place: &Place, delta: i128, level: Option<u64>, idle: bool) {
    if delta == 0 && level.is_none() && !idle {
        return;
    }
    let lose = |interval: &mut Interval, why: &str| {
        interval.lost = interval.lost.saturating_add(u64::try_from(delta).unwrap_or(0));
        interval.why.get_or_insert_with(|| why.to_owned());
    };
    let (labels, slot) = match place {
        Place::LeftOut => return,
        Place::Undecodable(why) => return lose(interval, why),
        Place::Of(labels, slot) => (labels, slot),
    };
    if *slot == Some(Slot::Outside) {
        return lose(interval, "a bucket outside of those of the config");
    }
    let values = interval.values.entry(Rc::clone(labels)).or_insert_with(|| Values::none(&metric.form));
    let positive = u64::try_from(delta).unwrap_or(if delta < 0 { 0 } else { u64::MAX });
    match (values, slot) {
        (Values::Counted(count), _) => *count += delta,
        (Values::Level(sum), _) => *sum += u128::from(level.unwrap_or(0)),
        (Values::Sized(counts, _), Some(Slot::Bucket(at))) => {
            if let Some(count) = counts.get_mut(*at) {
                *count = count.saturating_add(positive);
            }
        }
        (Values::Seconds(_), _) => {}
        (Values::Sized(_, sum), _) => *sum = Some(sum.unwrap_or(0).saturating_add(positive)),
    }
}

/// Where the values of a key belong.
fn place(metric: &Metric, key: &[u8], system: &mut System) -> Place {
    match placed(metric, key, system) {
        Ok((labels, slot)) => Place::Of(labels, slot),
        Err(Without::LeftOut) => Place::LeftOut,
        Err(Without::Undecodable(why)) => Place::Undecodable(why.into()),
    }
}

fn placed(metric: &Metric, key: &[u8], system: &mut System) -> Result<(Labels, Option<Slot>), Without> {
    let needed = decode::size(&metric.labels);
    if metric.labels.is_empty() {
        // The one key of an array of one.
        let is_it = key.iter().all(|byte| *byte == 0);
        return if is_it {
            Ok((Rc::new([]), None))
        } else {
            Err(Without::Undecodable("a key without labels".to_owned()))
        };
    }
    if key.len() != needed {
        return Err(Without::Undecodable(format!("{} bytes, and the labels have {needed}", key.len())));
    }
    let mut texts = decode::key(&metric.labels, key, system)?;
    let Form::Histogram(buckets) = &metric.form else { return Ok((texts.into(), None)) };
    let bucket = bucket_label(&metric.labels);
    let text = texts.remove(bucket);
    let number = histogram::number(&text).ok_or_else(|| {
        let text = cli::text::visible(&text).into_owned();
        Without::Undecodable(format!("label {}: `{text}` is no bucket", metric.labels[bucket].name))
    })?;
    Ok((texts.into(), Some(buckets.slot(number))))
}

/// Which label is the bucket of a histogram: the last one, or the one before the processor.
pub fn bucket_label(labels: &[Label]) -> usize {
    let last = labels.len().saturating_sub(1);
    if last > 0 && labels[last].name == CPU && labels[last].is_processor { last - 1 } else { last }
}

/// The label that tells processors apart, where a map has a value for each.
pub const CPU: &str = "cpu";
