//! The families and series of all records, within bounds that no input exceeds.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::names::{Claims, plain, unbucketed};
use super::place::Place;
use super::series::{Family, Kind, Owner, Series, Total, Unit};
use crate::note::note;
use crate::record::timestamp::Nanos;

/// How much of the description of a metric is kept, in characters.
const HELP_AT_MOST: usize = 1024;

/// What the metrics may hold.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// The maximum number of series.
    pub series: usize,
    /// The maximum size of a series' labels and of a metric's name, in bytes.
    pub label_bytes: usize,
    /// Whether not to report what is left out.
    pub quiet: bool,
}

/// How metrics are named, and how long they stay.
#[derive(Clone, Debug)]
pub struct Naming {
    /// Whether each has the label `host`.
    pub host: bool,
    /// What the names of metrics begin with that records describe, with the `_` behind it.
    pub prefix: String,
    /// How long a series stays that no record has added to; for good by default.
    pub idle: Option<Duration>,
}

impl Default for Naming {
    fn default() -> Self {
        Self { host: true, prefix: "ebpf_exporter_".to_owned(), idle: None }
    }
}

/// The counters of all records so far. They only grow.
pub struct Metrics {
    /// The families, by their names in Prometheus, and whether they are of latencies without
    /// buckets. Each has at least one series.
    pub(super) families: BTreeMap<(String, bool), Family>,
    /// The hosts' tools that the records are from.
    pub owners: Vec<Owner>,
    /// The indexes of the owners, by host and tool.
    index: HashMap<String, HashMap<String, usize>>,
    pub(super) claims: Claims,
    pub(super) series: usize,
    bounds: Bounds,
    pub(super) naming: Naming,
    /// When a record came last, and when idle series are looked for next.
    pub(super) now: Instant,
    pub(super) next_look: Instant,
    /// What was left out.
    pub left_out: LeftOut,
    /// What of it was reported.
    reported: [bool; 3],
    /// Whether it was reported that a histogram has no buckets.
    pub(super) unbucketed: bool,
}

/// A family with its names.
pub struct Named<'a> {
    /// In Prometheus, without `_total` for counters.
    pub name: Cow<'a, str>,
    /// In OTLP.
    pub otlp: Cow<'a, str>,
    /// The family.
    pub family: &'a Family,
}

/// The numbers of values left out, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// There were too many series.
    pub series: u64,
    /// The labels or the name were too long.
    pub long: u64,
    /// The name is reserved, or another field uses it: a label, or the value of a metric.
    pub names: u64,
    /// Records of `--window`, and their values, beyond `--window-keys`.
    pub window: u64,
    /// Values of `--join` beyond `--join-fields`.
    pub join: u64,
}

impl Metrics {
    /// None yet, and never more than these bounds allow.
    pub fn new(bounds: Bounds, naming: Naming) -> Self {
        let now = Instant::now();
        Self {
            families: BTreeMap::new(),
            owners: Vec::new(),
            index: HashMap::new(),
            claims: Claims::default(),
            series: 0,
            bounds,
            naming,
            now,
            next_look: now,
            left_out: LeftOut::default(),
            reported: [false; 3],
            unbucketed: false,
        }
    }

    /// Whether not to report what is left out.
    pub(super) fn quiet(&self) -> bool {
        self.bounds.quiet
    }

    /// The families with their names.
    pub fn families(&self) -> impl Iterator<Item = Named<'_>> {
        self.families.iter().map(|((name, without), family)| {
            // A name has one type. If some hosts print buckets, it is that of the histograms.
            match *without && self.families.contains_key(&(name.clone(), false)) {
                true => {
                    Named { name: unbucketed(name).into(), otlp: unbucketed(&family.name).into(), family }
                }
                false => Named { name: name.into(), otlp: family.name.as_str().into(), family },
            }
        })
    }

    /// The index of a host's tool; `None` if the maximum number of series is reached.
    pub(super) fn owner(&mut self, host: &str, tool: &str, time: Nanos) -> Option<usize> {
        let known = self.index.get(host).and_then(|tools| tools.get(tool)).copied();
        let at = match known {
            Some(at) => at,
            None if host.len() + tool.len() > self.bounds.label_bytes => {
                self.long(tool);
                return None;
            }
            None if self.owners.len() >= self.bounds.series => {
                self.left_out.series += 1;
                return None;
            }
            None => {
                self.owners.push(Owner { host: host.into(), tool: tool.into(), last: time, fresh: true });
                let at = self.owners.len() - 1;
                self.index.entry(host.into()).or_default().insert(tool.into(), at);
                at
            }
        };
        let owner = &mut self.owners[at];
        owner.last = owner.last.max(time);
        owner.fresh = true;
        Some(at)
    }

    /// A series; `None` if it does not fit.
    pub(super) fn find(
        &mut self,
        metric: &str,
        unit: Unit,
        kind: Kind,
        help: &str,
        place: &Place,
        made: impl FnOnce() -> Total,
    ) -> Option<&mut Total> {
        let name = plain(metric) + if unit == Unit::Seconds { "_seconds" } else { "" };
        let key = (name, kind == Kind::Summary);
        let family = self.families.get(&key);
        let same = family
            .is_none_or(|family| (family.name.as_str(), family.unit, family.kind) == (metric, unit, kind));
        let series = family.and_then(|family| family.series.get(&place.text));
        if !same || series.is_some_and(|series| series.owner != place.owner) {
            self.collides(metric);
            return None;
        }
        if series.is_none() {
            let new = family.is_none();
            if self.series >= self.bounds.series {
                self.left_out.series += 1;
                return None;
            }
            if place.text.len().max(key.0.len()) > self.bounds.label_bytes {
                self.long(metric);
                return None;
            }
            if new && !self.claims.take(&key.0, kind, metric) {
                self.collides(metric);
                return None;
            }
            self.series += 1;
            let family = self.families.entry(key.clone()).or_insert_with(|| Family {
                name: metric.to_owned(),
                unit,
                kind,
                help: valid_help(kind, help),
                series: BTreeMap::new(),
            });
            let (labels, owner, since) = (place.labels.clone(), place.owner, place.since);
            let new = Series { labels, owner, since, touched: Some(self.now), total: made() };
            family.series.insert(place.text.clone(), new);
        }
        let series = self.families.get_mut(&key)?.series.get_mut(&place.text)?;
        series.touched = Some(self.now);
        Some(&mut series.total)
    }

    /// Says what a metric means that is known already.
    pub(super) fn explain(&mut self, metric: &str, kind: Kind, help: &str) {
        if let Some(family) = self.families.get_mut(&(plain(metric), false)).filter(|of| of.name == metric) {
            family.help = valid_help(kind, help);
        }
    }

    /// Counts keys of a tool's record that cannot be labels.
    pub(super) fn names_left_out(&mut self, tool: &str, labels: u64) {
        self.left_out.names += labels;
        if labels > 0 {
            let why = "a field's name is no label: it is empty, reserved, or another field has the same one";
            self.report(
                0,
                tool,
                &format!("{why}; such labels are left out, and counted in ebpfmux_names_dropped_total"),
            );
        }
    }

    fn collides(&mut self, metric: &str) {
        self.left_out.names += 1;
        self.report(1, metric, "another metric has this name in Prometheus; such values are left out, and counted in ebpfmux_names_dropped_total");
    }

    fn long(&mut self, what: &str) {
        self.left_out.long += 1;
        self.report(2, what, "labels longer than --serve-label-bytes; such values are left out, and counted in ebpfmux_labels_dropped_total");
    }

    /// Reports each kind of problem once.
    fn report(&mut self, kind: usize, what: &str, problem: &str) {
        if !std::mem::replace(&mut self.reported[kind], true) && !self.bounds.quiet {
            let what: String = what.chars().map(|c| if c.is_control() { '_' } else { c }).take(100).collect();
            note(&format!("metrics: {what}: {problem}"));
        }
    }
}

/// The description of a metric without what a stranger could do harm with. Those of configs are passed on as they were
/// written, within a bound.
fn valid_help(kind: Kind, help: &str) -> String {
    if matches!(kind, Kind::Named | Kind::Bounded | Kind::Level) {
        let kept = |c: char| if c.is_control() && c != '\n' { '_' } else { c };
        return help.chars().take(HELP_AT_MOST).map(kept).collect();
    }
    // Names in it may come from untrusted input.
    help.replace(|c: char| c.is_control() || c == '\\' || c == '"', "_")
}
