//! What comes of keys, read after read.

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
    let odd =
        metric("metrics: {counters: [{name: a, labels: [{name: n, size: 3, decoders: [{name: uint}]}]}]}");
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
