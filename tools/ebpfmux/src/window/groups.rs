//! One window of `--window`: the records of each key, as they become one.

use std::collections::HashMap;
use std::fmt::Write;

use record::histogram::Hist;

use super::aggregate::Sum;
use crate::record::aggregation::{Rule, rule};
use crate::record::keys::is_key;
use crate::record::timestamp::{self, Nanos};
use crate::record::{Fields, Value, find};

/// The records of one window.
#[derive(Default)]
pub struct Span {
    groups: Vec<Group>,
    /// The groups' places, by host, tool and keys.
    index: HashMap<String, usize>,
    /// By host and tool: the time of the last interval, and the lengths of all, in seconds.
    lengths: HashMap<(String, String), (Nanos, f64)>,
    /// Memory for the key of the next record.
    key: String,
}

/// The records of one key.
#[derive(Clone)]
struct Group {
    host: String,
    tool: String,
    keys: Vec<(String, Value<'static>)>,
    sums: Vec<(String, Sum)>,
    /// The places of the sums, by name: for records whose fields come in another order.
    places: HashMap<String, usize>,
    /// The time of its last record.
    last: Nanos,
}

/// What tells groups apart, as one text: each part with its length before it, so that no two are alike.
fn key<'a>(host: &str, tool: &str, keys: impl Iterator<Item = (&'a str, &'a Value<'a>)>, key: &mut String) {
    let mut part = |part: &str| {
        // Writing into memory cannot fail.
        let _ = write!(key, "{}:{part}", part.len());
    };
    part(host);
    part(tool);
    for (name, value) in keys {
        part(name);
        part(if *value == Value::Null { "" } else { value.text() });
    }
}

impl Span {
    /// Takes a record in; the error, for a person, says why it cannot be.
    pub fn add(&mut self, time: Nanos, fields: &Fields<'_>) -> Result<(), String> {
        let text = |name| find(fields, name).map_or("", Value::text);
        let (host, tool) = (text("host"), text("tool"));
        let Some(length) = find(fields, "interval_s").and_then(|length| length.text().parse::<f64>().ok())
        else {
            return Err(format!("a record of {tool} has no interval_s: events have no windows"));
        };
        let keys = fields.iter().filter(|(name, value)| is_key(name, value));
        self.key.clear();
        key(host, tool, keys.map(|(name, value)| (name.as_ref(), value)), &mut self.key);
        let count = |name: &str| find(fields, name)?.text().parse::<f64>().ok();
        let values = fields.iter().filter(|(name, value)| {
            !matches!(name.as_ref(), "ts" | "host" | "tool" | "interval_s") && !is_key(name, value)
        });
        let at = match self.index.get(self.key.as_str()) {
            Some(at) => *at,
            None => {
                let keys = fields.iter().filter(|(name, value)| is_key(name, value));
                let keys = keys.map(|(name, value)| (name.to_string(), value.clone().into_owned())).collect();
                self.groups.push(Group {
                    host: host.to_owned(),
                    tool: tool.to_owned(),
                    keys,
                    sums: Vec::new(),
                    places: HashMap::new(),
                    last: Nanos::MIN,
                });
                self.index.insert(self.key.clone(), self.groups.len() - 1);
                self.groups.len() - 1
            }
        };
        let group = &mut self.groups[at];
        for (nth, (name, value)) in values.enumerate() {
            // Nearly always the fields come in the order that is known.
            match group.sums.get_mut(nth).filter(|(known, _)| known == name) {
                Some((_, sum)) => sum.take(name, value, count),
                None => group.add(name.to_string(), Sum::of(name, value, count), false),
            }
        }
        if std::mem::replace(&mut group.last, time) != time {
            let (host, tool) = (group.host.clone(), group.tool.clone());
            let (last, sum) = self.lengths.entry((host, tool)).or_insert((Nanos::MIN, 0.0));
            if time != *last {
                (*last, *sum) = (time, *sum + length);
            }
        }
        Ok(())
    }

    fn put(&mut self, group: Group) {
        let keys = group.keys.iter().map(|(name, value)| (name.as_str(), value));
        self.key.clear();
        key(&group.host, &group.tool, keys, &mut self.key);
        let at = *self.index.entry(self.key.clone()).or_insert(self.groups.len());
        match self.groups.get_mut(at) {
            Some(known) => group.sums.into_iter().for_each(|(name, sum)| known.add(name, sum, true)),
            None => self.groups.push(group),
        }
    }

    /// Drops all keys but these; what they told apart becomes one.
    fn reduced(self, by: &[String]) -> Self {
        let mut reduced = Self::default();
        let keeps_host = by.iter().any(|name| name == "host");
        for ((host, tool), (last, sum)) in self.lengths {
            let host = if keeps_host { host } else { String::new() };
            let known = reduced.lengths.entry((host, tool)).or_insert((last, sum));
            // Hosts measured at the same time.
            known.1 = known.1.max(sum);
        }
        for mut group in self.groups {
            group.keys.retain(|(name, _)| by.contains(name));
            if !keeps_host {
                group.host.clear();
            }
            reduced.put(group);
        }
        reduced
    }

    /// The records of the window that ends then; `by` names the keys that are kept, if not all. Says also whether
    /// percentiles had to be left out for want of buckets.
    pub fn records(self, end: Nanos, by: Option<&[String]>) -> (Vec<Fields<'static>>, bool) {
        let mut span = match by {
            Some(by) => self.reduced(by),
            None => self,
        };
        span.drop_idle();
        let mut lacking = false;
        let records = span.groups.iter().map(|group| {
            lacking |= group.lacks_buckets();
            let length =
                span.lengths.get(&(group.host.clone(), group.tool.clone())).map_or(0.0, |known| known.1);
            group.record(end, length)
        });
        let records = records.collect();
        (records, lacking)
    }

    /// A record that says that nothing happened says so no more where something did; its losses stay.
    fn drop_idle(&mut self) {
        let of = |group: &Group| (group.host.clone(), group.tool.clone());
        let mut busy: HashMap<(String, String), usize> = HashMap::new();
        let mut kept: Vec<Group> = Vec::new();
        let (idle, active): (Vec<_>, Vec<_>) = self.groups.drain(..).partition(Group::is_idle);
        for group in active {
            busy.entry(of(&group)).or_insert(kept.len());
            kept.push(group);
        }
        for group in idle {
            match busy.get(&of(&group)) {
                Some(at) => {
                    for (name, sum) in group.sums {
                        if matches!(name.as_str(), "lost" | "bpf_ns" | "bpf_runs") {
                            kept[*at].add(name, sum, false);
                        }
                    }
                }
                None => kept.push(group),
            }
        }
        self.groups = kept;
    }
}

impl Group {
    fn add(&mut self, name: String, sum: Sum, beside: bool) {
        match self.places.get(&name).and_then(|at| self.sums.get_mut(*at)) {
            Some((_, own)) => own.add(&name, sum, beside),
            None => {
                self.places.insert(name.clone(), self.sums.len());
                self.sums.push((name, sum));
            }
        }
    }

    fn is_idle(&self) -> bool {
        !self.keys.is_empty() && self.keys.iter().all(|(_, value)| *value == Value::Null)
    }

    fn buckets(&self, prefix: &str) -> Option<Hist> {
        let named = self.sums.iter().find(|(name, _)| name.strip_suffix("buckets") == Some(prefix));
        named.and_then(|(_, sum)| sum.hist())
    }

    /// Whether it has percentiles of several records and no buckets to have them from.
    fn lacks_buckets(&self) -> bool {
        let several = self.sums.iter().any(|(name, sum)| {
            matches!(sum, Sum::Single(None)) && matches!(rule(name).0, Rule::Percentile(_))
        });
        several && !self.sums.iter().any(|(name, _)| name.ends_with("buckets"))
    }

    fn number(&self, name: &str) -> Option<i128> {
        match self.sums.iter().find(|(known, _)| known == name) {
            Some((_, Sum::Whole(sum))) => Some(*sum),
            _ => None,
        }
    }

    /// What the tools reckon from their counts, reckoned from the sums; the formulas are those of their schemas.
    fn derived(&self, name: &str) -> Option<Value<'static>> {
        let number = |name| self.number(name);
        let hits = || {
            let part = |asked, missed| Some((number(asked)? - number(missed)?).max(0));
            Some(part("reads", "read_misses")? + part("faults", "fault_misses")?)
        };
        let ratio = |part: i128, of: i128| (of != 0).then(|| part as f64 / of as f64);
        let ratio = match (self.tool.as_str(), name) {
            ("cachestat", "hits") => return hits().map(|hits| Value::Plain(hits.to_string().into())),
            ("cachestat", "hit_ratio") => ratio(hits()?, number("accesses")?),
            ("dcstat", "hit_ratio") => {
                let (asked, missed) = (number("references")?, number("misses")?);
                ratio((asked - missed).max(0), asked).map(|ratio| (ratio * 1e6).floor() / 1e6)
            }
            _ => return None,
        };
        let json = |ratio| Value::Plain(serde_json::to_string(&ratio).unwrap_or_default().into());
        Some(ratio.map_or(Value::Null, json))
    }

    fn record(&self, end: Nanos, length: f64) -> Fields<'static> {
        let mut fields: Fields<'static> = vec![("ts".into(), Value::Text(timestamp::format(end).into()))];
        if !self.host.is_empty() {
            fields.push(("host".into(), Value::Text(self.host.clone().into())));
        }
        fields.push(("tool".into(), Value::Text(self.tool.clone().into())));
        let length = serde_json::to_string(&((length * 1e6).round() / 1e6)).unwrap_or_default();
        fields.push(("interval_s".into(), Value::Plain(length.into())));
        fields.extend(self.keys.iter().map(|(name, value)| (name.clone().into(), value.clone())));
        fields.extend(self.sums.iter().map(|(name, sum)| {
            let value = self.derived(name).unwrap_or_else(|| sum.value(name, |prefix| self.buckets(prefix)));
            (name.clone().into(), value)
        }));
        fields
    }
}
