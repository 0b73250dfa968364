//! What a map's keys held when they were last read, and what came since: the values of an interval, by label set.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::config::{Form, Metric};
use crate::decode::{self, Label, Without};
use crate::histogram::{self, Slot};
use crate::system::System;

/// The texts of a metric's labels, without that of the bucket.
pub type Labels = Rc<[String]>;

/// How keys of a map begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// All are there from the beginning, as in arrays: a smaller value is a fall.
    Fixed,
    /// They come and go: a smaller value is that of a key that went and came again.
    Coming,
}

/// What a key's label set has in an interval.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// How much came; less than nothing if the value of a fixed key fell.
    Counted(i128),
    /// The level at the end.
    Level(u128),
    /// How many values came in each bucket, and their sum, if the map keeps one.
    Sized(Vec<u64>, Option<u64>),
}

impl Values {
    fn none(form: &Form) -> Self {
        match form {
            Form::Counter => Self::Counted(0),
            Form::Gauge => Self::Level(0),
            Form::Histogram(buckets) => Self::Sized(vec![0; buckets.bounds.len()], None),
        }
    }

    /// How much came in all.
    pub fn size(&self) -> u64 {
        match self {
            Self::Counted(count) => u64::try_from(count.unsigned_abs()).unwrap_or(u64::MAX),
            Self::Level(level) => u64::try_from(*level).unwrap_or(u64::MAX),
            Self::Sized(counts, _) => counts.iter().fold(0, |sum, count| sum.saturating_add(*count)),
        }
    }

    /// Adds the values of another label set of the same metric.
    pub fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Counted(own), Self::Counted(other)) => *own += other,
            (Self::Level(own), Self::Level(other)) => *own += other,
            (Self::Sized(own, own_sum), Self::Sized(other, sum)) => {
                own.iter_mut().zip(other).for_each(|(own, other)| *own = own.saturating_add(*other));
                if let Some(sum) = sum {
                    *own_sum = Some(own_sum.unwrap_or(0).saturating_add(*sum));
                }
            }
            _ => {}
        }
    }
}

/// The values of an interval.
#[derive(Debug, Default)]
pub struct Interval {
    /// By label set.
    pub values: BTreeMap<Labels, Values>,
    /// Events of keys that could not be decoded.
    pub lost: u64,
    /// Why one could not be.
    pub why: Option<String>,
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
                let new = Known { place, value, read: *read };
                (&known.entry(key.into()).or_insert(new).place, i128::from(value))
            }
        };
        let level = matches!(metric.form, Form::Gauge).then_some(value);
        add(interval, metric, place, delta, level, idle);
    }

    /// Takes so many samples with these bytes, which are a key.
    pub fn take_samples(&mut self, metric: &Metric, key: &[u8], count: u64, system: &mut System) {
        add(&mut self.interval, metric, &place(metric, key, system), i128::from(count), None, false);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn metric(text: &str) -> Metric {
        let mut config = Config::parse("c".to_owned(), text).unwrap();
        config.metrics.remove(0)
    }

    fn counter() -> Metric {
        metric("metrics: {counters: [{name: a, labels: [{name: n, size: 4, decoders: [{name: uint}]}]}]}")
    }

    fn key(number: u32) -> [u8; 4] {
        number.to_ne_bytes()
    }

    fn counts(interval: &Interval) -> Vec<(String, i128)> {
        let count =
            |values: &Values| if let Values::Counted(count) = values { *count } else { panic!("no counter") };
        interval.values.iter().map(|(labels, values)| (labels.join("|"), count(values))).collect()
    }

    fn read(state: &mut State, metric: &Metric, all: &[(u32, u64)], idle: bool) -> Interval {
        let mut system = System::default();
        all.iter().for_each(|(number, value)| state.take(metric, &key(*number), *value, idle, &mut system));
        state.end()
    }

    #[test]
    fn what_came_is_counted_once_whatever_keys_do() {
        let metric = counter();
        let mut state = State::new(Keys::Coming);
        let of = |text: &str, count| (text.to_owned(), count);
        assert_eq!(counts(&read(&mut state, &metric, &[(1, 5), (2, 0)], true)), [of("1", 5), of("2", 0)]);
        // The same key twice in one read.
        assert_eq!(counts(&read(&mut state, &metric, &[(1, 7), (2, 0), (1, 9)], false)), [of("1", 2)]);
        // Key 1 has gone and comes again; 2 has gone and came again with less within an interval.
        assert_eq!(counts(&read(&mut state, &metric, &[(2, 8)], false)), [of("2", 8)]);
        assert_eq!(counts(&read(&mut state, &metric, &[(1, 3), (2, 6)], false)), [of("1", 3), of("2", 6)]);
        assert!(read(&mut state, &metric, &[(1, 3), (2, 6)], false).values.is_empty());
        let mut state = State::new(Keys::Fixed);
        read(&mut state, &metric, &[(1, u64::MAX)], false);
        assert_eq!(counts(&read(&mut state, &metric, &[(1, 3)], false)), [of("1", 3 - i128::from(u64::MAX))]);
    }

    #[test]
    fn keys_with_equal_labels_add_up_and_others_do_not() {
        let metric = metric(
            "metrics: {counters: [{name: a, labels: [{name: a, size: 2, padding: 1, decoders: [{name: string}]}, \
             {name: b, size: 3, padding: 2, decoders: [{name: string}]}]}]}",
        );
        let mut state = State::new(Keys::Coming);
        let mut system = System::default();
        for (key, count) in [(&b"a|xb\0\0\0\0"[..], 1), (b"a\0x|b\0\0\0", 2), (b"a|yb\0!zz", 4)] {
            state.take(&metric, key, count, false, &mut system);
        }
        let all: Vec<_> = state.end().values.into_iter().collect();
        let labels = |one: &str, two: &str| Labels::from([one.to_owned(), two.to_owned()]);
        assert_eq!(all, [(labels("a", "|b"), Values::Counted(2)), (labels("a|", "b"), Values::Counted(5))]);
    }

    #[test]
    fn what_cannot_be_decoded_is_lost_and_what_is_left_out_is_not() {
        let odd = metric(
            "metrics: {counters: [{name: a, labels: [{name: n, size: 3, decoders: [{name: uint}]}]}]}",
        );
        let mut state = State::new(Keys::Coming);
        let mut system = System::default();
        state.take(&odd, &[1, 2, 3], 7, true, &mut system);
        let interval = state.end();
        assert_eq!((interval.lost, interval.values.len()), (7, 0));
        assert!(interval.why.unwrap().starts_with("label n: uint is of"));
        state.take(&odd, &[1, 2, 3], 9, true, &mut system);
        assert_eq!(state.end().lost, 2);
        let left_out = metric(
            "metrics: {counters: [{name: a, labels: [{name: n, size: 4, decoders: [{name: string}, {name: regexp, regexps: [^x]}]}]}]}",
        );
        state.take(&left_out, b"abcd", 7, true, &mut system);
        let interval = state.end();
        assert_eq!((interval.lost, interval.values.len()), (0, 0));
    }

    #[test]
    fn a_histogram_is_made_of_the_keys_of_its_buckets() {
        let metric = metric(
            "metrics: {histograms: [{name: h, bucket_type: exp2, bucket_min: 1, bucket_max: 3, labels: [\
             {name: op, size: 1, decoders: [{name: uint}]}, {name: bucket, size: 1, decoders: [{name: uint}]}]}]}",
        );
        let mut state = State::new(Keys::Coming);
        let mut system = System::default();
        for (key, value) in [([0, 1], 5), ([0, 3], 2), ([0, 4], 100), ([1, 2], 1), ([0, 0], 9), ([0, 5], 1)] {
            state.take(&metric, &key, value, false, &mut system);
        }
        let interval = state.end();
        let of = |op: &str| interval.values[&Labels::from([op.to_owned()])].clone();
        assert_eq!(of("0"), Values::Sized(vec![5, 0, 2], Some(100)));
        assert_eq!(of("1"), Values::Sized(vec![0, 1, 0], None));
        assert_eq!((of("0").size(), interval.lost), (7, 10));
    }

    #[test]
    fn memory_does_not_grow_with_keys_that_have_gone() {
        let metric = counter();
        let mut state = State::new(Keys::Coming);
        for start in 0..100u32 {
            let all: Vec<_> = (start * 10_000..(start + 1) * 10_000).map(|number| (number, 1)).collect();
            assert_eq!(read(&mut state, &metric, &all, false).values.len(), 10_000);
            assert_eq!(state.keys(), 10_000);
        }
        assert!(state.known.capacity() < 100_000, "{}", state.known.capacity());
    }
}
