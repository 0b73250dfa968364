//! Made-up work that varies as real work does: in waves, with bursts and long tails, from a seed.

use fastrand::Rng;
use record::histogram::Hist;
use test_support::streams::{record, ts};

/// What is done.
#[derive(Clone, Copy)]
pub struct Work {
    /// Requests in a second, on average.
    pub requests: f64,
    /// What most of them take, in microseconds.
    pub takes_us: f64,
    /// What each takes beside that.
    pub delay_us: f64,
    /// How many programs are executed in a second.
    pub execs: f64,
}

pub const USUAL: Work = Work { requests: 120.0, takes_us: 180.0, delay_us: 0.0, execs: 6.0 };

/// A number that is nearly normal, with a deviation of 1.
fn normal(random: &mut Rng) -> f64 {
    (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
}

fn around(random: &mut Rng, mean: f64) -> u64 {
    (mean + mean.sqrt() * normal(random)).round().max(0.0) as u64
}

/// A recording of so many seconds: of biolat two operations, of proclife, of syncsnoop.
pub fn recording(seed: u64, seconds: u32, work: Work) -> String {
    let mut random = Rng::with_seed(seed);
    let (mut lines, mut wave) = (String::new(), 0.0);
    for second in 1..=seconds {
        // What came before is still felt.
        wave = 0.6 * wave + 0.8 * normal(&mut random);
        let busy = (0.25 * wave).exp();
        let second = f64::from(second);
        for (op, share) in [("read", 1.0), ("write", 0.4)] {
            let mut hist = Hist::default();
            let burst = if random.f64() < 0.04 { 6.0 } else { 1.0 };
            for _ in 0..around(&mut random, work.requests * share * busy) {
                let tail = if random.f64() < 0.01 { 20.0 } else { 1.0 };
                let takes = work.takes_us * (0.5 * normal(&mut random)).exp() * busy.sqrt() * burst * tail;
                hist.add_ns(((takes + work.delay_us) * 1e3) as u64);
            }
            let bytes: u64 = hist.count() * 4096;
            let errors = u64::from(random.f64() < 0.01);
            lines += &record(
                second,
                "web1",
                "biolat",
                &format!(
                    r#""disk":"vda","op":"{op}",{},"bytes":{bytes},"errors":{errors},"buckets":{}"#,
                    statistics(&hist),
                    serde_json::to_string(&hist.non_empty()).unwrap()
                ),
            );
        }
        let (execs, forks) = (around(&mut random, work.execs * busy), around(&mut random, 2.0 * work.execs));
        let zombies = random.u64(..3);
        lines += &record(
            second,
            "web1",
            "proclife",
            &format!(r#""forks":{forks},"execs":{execs},"fork_errors":0,"zombies":{zombies}"#),
        );
        if random.f64() < 0.1 {
            let mut hist = Hist::default();
            hist.add_ns(random.u64(1_000_000..30_000_000));
            let buckets = serde_json::to_string(&hist.non_empty()).unwrap();
            let values = format!(r#""call":"fsync",{},"errors":0,"buckets":{buckets}"#, statistics(&hist));
            lines += &record(second, "web1", "syncsnoop", &values);
        } else {
            let none = r#""call":null,"count":0,"mean_us":null,"errors":0,"buckets":[]"#;
            lines += &record(second, "web1", "syncsnoop", none);
        }
    }
    lines
}

fn statistics(hist: &Hist) -> String {
    let of = hist.summary();
    let number = |value: Option<f64>| value.map_or("null".to_owned(), |value| value.to_string());
    let [min, mean, p50, p99, max] = [of.min, of.mean, of.p50, of.p99, of.max].map(number);
    let count = of.count;
    format!(r#""count":{count},"min_us":{min},"mean_us":{mean},"p50_us":{p50},"p99_us":{p99},"max_us":{max}"#)
}

/// The second of a recording as --from and --to take it.
pub fn at(seconds: f64) -> String {
    ts(seconds)
}
