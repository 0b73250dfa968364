//! The record of irqlat.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use common::output::{Row, sketch};
use record::histogram::{Hist, micros};
use record::statistics::{Latency, Statistics, Words};
use schemars::JsonSchema;
use serde::Serialize;

/// The handlers that ran in an interval for one interrupt: their own time, without that of
/// interrupts in between.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Interrupts {
    /// hard: of a line; soft; vector: an interrupt that processors send themselves and each other. Null in the record of
    /// an interval without any.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 6, "enum" = ["hard", "soft", "vector", null]))]
    pub kind: Option<&'static str>,
    /// hard: the handler, as in /proc/interrupts; soft: as in /proc/softirqs; vector: its event, as in tracefs, or where
    /// it has none of its own (arm64, riscv) its line in /proc/interrupts, without the counts.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 20))]
    pub name: Option<String>,
    /// The line's number in /proc/interrupts; null for soft interrupts and vectors.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 3))]
    pub irq: Option<u32>,
    /// With --per-cpu: the processor. Null in the record of an interval without any interrupt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1))]
    pub cpu: Option<Option<u32>>,
    /// How long a handler took, of the calls in which it had something to do.
    #[serde(flatten)]
    pub time: Latency,
    /// All time in the handler, also that of calls in `unhandled`, in microseconds: exact.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "microseconds"))]
    pub total_us: f64,
    /// Calls of a line's handler that found that its device had not interrupted, which are not in `count`. With these,
    /// each handler of a line counts what /proc/interrupts counts of the line. Null for soft interrupts and vectors.
    #[schemars(extend("x-kind" = "counter"))]
    pub unhandled: Option<u64>,
    /// How long a soft interrupt waited.
    #[serde(flatten)]
    pub wait: Statistics<Waited>,
    /// With --buckets: the histogram of the handler's time, as [upper bound in microseconds, count].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "buckets", "x-unit" = "microseconds"))]
    pub buckets: Option<Vec<(f64, u64)>>,
    /// With --buckets: the histogram of the wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "buckets", "x-unit" = "microseconds"))]
    pub wait_buckets: Option<Vec<(f64, u64)>>,
    #[serde(skip)]
    sketch: Option<Vec<u64>>,
}

/// From when a soft interrupt was raised, the first time if several, to the entry of its handler. Null for the others.
#[derive(Clone, Debug)]
pub struct Waited;

impl Words for Waited {
    const PREFIX: &'static str = "wait_";
    const COUNT: &'static str = "How many waits are known; null for the others. It may be less than `count`: a soft interrupt\n\
                                 that is raised again just before its handler begins is served twice, with one known wait.";
    const OPTIONAL: bool = true;
    const VERB: &'static str = "waited";
    const NONE: &'static str = "";
    const RANKS: &'static [(&'static str, u8)] = &[("p99_us", 3)];
}

/// What kind of interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Of an interrupt line.
    Hard,
    /// Deferred by the kernel.
    Soft,
    /// Sent by a processor, to itself or to another.
    Vector,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
            Self::Vector => "vector",
        }
    }
}

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The kind.
    pub kind: Kind,
    /// The handler.
    pub name: String,
    /// The line, where it has one.
    pub irq: Option<u32>,
    /// The processor, with --per-cpu.
    pub cpu: Option<u32>,
}

/// What was measured in an interval under one key.
#[derive(Default)]
pub struct HandlerStats {
    /// Of the handler.
    pub time: Hist,
    /// From raise to entry.
    pub wait: Hist,
    /// Calls that found nothing to do.
    pub unhandled: u64,
    /// Their time, in nanoseconds.
    pub unhandled_ns: u64,
}

impl HandlerStats {
    fn is_empty(&self) -> bool {
        self.time.count() == 0 && self.wait.count() == 0 && self.unhandled == 0
    }

    fn total_ns(&self) -> u64 {
        self.time.sum_ns() + self.unhandled_ns
    }
}

/// What was measured in an interval.
pub type Deltas = BTreeMap<Key, HandlerStats>;

impl Interrupts {
    /// The records of an interval, the most time first; a record of an idle interval if there are
    /// none.
    pub fn of(deltas: Deltas, per_cpu: bool, buckets: bool) -> Vec<Self> {
        let mut deltas: Vec<_> = deltas.into_iter().filter(|(_, measured)| !measured.is_empty()).collect();
        deltas.sort_by_key(|(_, measured)| Reverse(measured.total_ns()));
        let rows: Vec<_> =
            deltas.into_iter().map(|(key, measured)| Self::new(key, &measured, buckets)).collect();
        if rows.is_empty() { vec![Self::idle(per_cpu, buckets)] } else { rows }
    }

    fn new(key: Key, measured: &HandlerStats, buckets: bool) -> Self {
        let soft = key.kind == Kind::Soft;
        Self {
            kind: Some(key.kind.name()),
            name: Some(key.name),
            irq: key.irq,
            cpu: key.cpu.map(Some),
            time: measured.time.summary().into(),
            total_us: micros(measured.total_ns()),
            unhandled: (key.kind == Kind::Hard).then_some(measured.unhandled),
            wait: if soft { measured.wait.summary().into() } else { Statistics::default() },
            buckets: buckets.then(|| measured.time.non_empty()),
            wait_buckets: buckets.then(|| measured.wait.non_empty()),
            sketch: Some(sketch(&measured.time)),
        }
    }

    /// The record of an interval without any interrupt: the tool is idle, not dead.
    fn idle(per_cpu: bool, buckets: bool) -> Self {
        let empty = buckets.then(Vec::new);
        Self {
            cpu: per_cpu.then_some(None),
            buckets: empty.clone(),
            wait_buckets: empty,
            sketch: Some(sketch(&Hist::default())),
            ..Self::default()
        }
    }
}

impl Row for Interrupts {
    fn sketch(&self) -> Option<Vec<u64>> {
        self.sketch.clone()
    }

    fn drawn(&self) -> Vec<(&'static str, &[(f64, u64)])> {
        let waited = self.wait.get().and(self.wait_buckets.as_deref());
        let titled = [("handler us", self.buckets.as_deref()), ("wait us", waited)];
        titled.into_iter().filter_map(|(title, buckets)| Some((title, buckets?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use record::histogram::RawHist;

    use super::*;

    /// This number of values of 100 µs.
    fn hist(values: u32) -> Hist {
        let mut now = RawHist { sum_ns: 100_000 * u64::from(values), ..RawHist::EMPTY };
        // 2^16 ns, and its upper half: from 98 304 to 102 400 ns.
        now.buckets[(12 << 4) + 24] = values;
        let mut hist = Hist::default();
        hist.add_raw(&now);
        hist
    }

    fn key(kind: Kind, name: &str, irq: Option<u32>) -> Key {
        Key { kind, name: name.to_string(), irq, cpu: None }
    }

    #[test]
    fn the_most_time_comes_first_and_calls_in_vain_are_in_it() {
        let deltas = Deltas::from([
            (key(Kind::Hard, "eth0", Some(9)), HandlerStats { time: hist(3), ..HandlerStats::default() }),
            (
                key(Kind::Hard, "usb", Some(9)),
                HandlerStats {
                    time: hist(1),
                    unhandled: 2,
                    unhandled_ns: 300_500,
                    ..HandlerStats::default()
                },
            ),
            (key(Kind::Vector, "reschedule", None), HandlerStats::default()),
        ]);
        let rows = Interrupts::of(deltas, false, false);
        let [usb, eth0] = &rows[..] else { panic!("{rows:?}") };
        let count = |row: &Interrupts| row.time.get().unwrap().count;
        assert_eq!(
            (usb.name.as_deref(), usb.irq, count(usb), usb.unhandled),
            (Some("usb"), Some(9), 1, Some(2))
        );
        assert_eq!((usb.total_us, usb.time.get().unwrap().mean), (400.5, Some(100.0)));
        // Each handler of a line is called for each of the line's interrupts.
        assert_eq!(count(eth0) + eth0.unhandled.unwrap(), count(usb) + usb.unhandled.unwrap());
        assert_eq!((eth0.total_us, eth0.wait.get().is_none(), eth0.cpu), (300.0, true, None));
    }

    #[test]
    fn only_soft_interrupts_wait() {
        let measured = || HandlerStats { time: hist(2), wait: hist(1), ..HandlerStats::default() };
        let soft = Interrupts::new(key(Kind::Soft, "TIMER", None), &measured(), true);
        assert_eq!(soft.wait.get().map(|wait| (wait.count, wait.mean)), Some((1, Some(100.0))));
        assert_eq!((soft.unhandled, soft.wait_buckets), (None, Some(vec![(102.4, 1)])));
        let vector = Interrupts::new(key(Kind::Vector, "irq_work", None), &measured(), false);
        assert_eq!((vector.wait.get().is_none(), vector.buckets), (true, None));
    }

    #[test]
    fn an_idle_interval_names_nothing() {
        let row = Interrupts::idle(true, true);
        assert_eq!((row.kind, row.name.as_deref(), row.cpu), (None, None, Some(None)));
        assert!(row.time.get().is_none() && row.wait.get().is_none());
        assert_eq!((row.total_us, row.unhandled, row.buckets), (0.0, None, Some(vec![])));
    }
}
