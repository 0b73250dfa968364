//! One window of `--window`: aggregates the records of each key.

mod derived;
mod group;

use std::collections::HashMap;
use std::fmt::Write;

use record::fields::Kind;

use super::aggregate::Aggregate;
use super::room::{OVERHEAD, Room, SMALL};
use crate::record::declared::Declared;
use crate::record::keys::{is_key, values};
use crate::record::timestamp::Nanos;
use crate::record::{Fields, Value, find};
use group::{FieldValues, Group};

/// The records of one window.
#[derive(Default)]
pub struct Groups {
    groups: Vec<Group>,
    /// The groups' indexes, by host, tool and keys.
    index: HashMap<String, usize>,
    /// By host and tool: the time of the last interval, and the sum of the lengths, in seconds.
    lengths: HashMap<(String, String), (Nanos, f64)>,
    /// By host, tool and field: the group that has the last value of a gauge of the whole system. No other group has one,
    /// so that they add up.
    levels: HashMap<[String; 3], usize>,
    /// Memory for the key of the next record.
    key: String,
    /// The size of all names and values, in bytes.
    bytes: usize,
}

/// The identity of a group as one text: each part is preceded by its length, so that no two are
/// equal.
fn key<'a>(host: &str, tool: &str, keys: impl Iterator<Item = (&'a str, &'a Value<'a>)>, key: &mut String) {
    let mut part = |part: &str| {
        // Writing into memory cannot fail.
        let _ = write!(key, "{}:{part}", part.len());
    };
    part(host);
    part(tool);
    for (name, value) in keys {
        part(name);
        part(&value.key());
    }
}

impl Groups {
    /// Adds a record, as far as there is room; returns how many records or values there was none
    /// for. The error message has the reason.
    pub fn add(&mut self, time: Nanos, fields: &Fields<'_>, room: Room) -> Result<u64, String> {
        let text = |name| find(fields, name).map_or("", Value::text);
        let (host, tool) = (text("host"), text("tool"));
        let Some(length) = find(fields, "interval_s").and_then(|length| length.text().parse::<f64>().ok())
        else {
            return Err(format!("a record of {tool} has no interval_s: events have no windows"));
        };
        let declared = Declared::of(fields);
        let keys = fields.iter().filter(|(name, value)| is_key(declared, name, value));
        self.key.clear();
        key(host, tool, keys.map(|(name, value)| (name.as_ref(), value)), &mut self.key);
        let count = |name: &str| find(fields, name)?.text().parse::<f64>().ok();
        let at = match self.index.get(self.key.as_str()) {
            Some(at) => *at,
            None => {
                // The key is there twice, and its parts once more.
                let cost = OVERHEAD + 3 * self.key.len();
                if self.groups.len() >= room.items || self.bytes + cost > room.bytes {
                    return Ok(1);
                }
                self.bytes += cost;
                let keys = fields.iter().filter(|(name, value)| is_key(declared, name, value));
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
        let (mut left_out, mut has_levels) = (0, false);
        for (nth, (name, value)) in values(declared, fields).enumerate() {
            // Fields nearly always have the known order.
            let at = match group.sums.get(nth) {
                Some(known) if known.name == *name => Some(nth),
                _ => group.places.get(name.as_ref()).copied(),
            };
            let Some(at) = at else {
                let new = FieldValues::new(declared, name, value, count);
                has_levels |= new.is_level() && *value != Value::Null;
                let cost = OVERHEAD + 2 * name.len() + new.sum.bytes();
                if self.bytes + cost > room.bytes {
                    left_out += 1;
                } else {
                    self.bytes += cost;
                    group.add(new, false);
                }
                continue;
            };
            has_levels |= group.sums[at].is_level() && *value != Value::Null;
            let FieldValues { name, kind, before, sum, .. } = &mut group.sums[at];
            if kind.is_none() && !matches!(sum, Aggregate::Null) && *value != Value::Null {
                declared.undeclared(name, "--window", "its last value is passed on");
            }
            let (held, comes) = (sum.bytes(), value.text().len());
            if comes > SMALL && self.bytes + comes.saturating_sub(held) > room.bytes {
                left_out += 1;
                continue;
            }
            sum.take(*kind, value, |of| count(&format!("{}{of}", &name[..*before])));
            if held.max(comes) > SMALL {
                self.bytes = (self.bytes + sum.bytes()).saturating_sub(held);
            }
        }
        if has_levels {
            self.move_levels(at, declared, fields);
        }
        let group = &mut self.groups[at];
        if std::mem::replace(&mut group.last, time) != time {
            let (host, tool) = (group.host.clone(), group.tool.clone());
            let (last, sum) = self.lengths.entry((host, tool)).or_insert((Nanos::MIN, 0.0));
            if time != *last {
                (*last, *sum) = (time, *sum + length);
            }
        }
        Ok(left_out)
    }

    /// The gauges of the whole system that a record has are this group's from now on.
    fn move_levels(&mut self, at: usize, declared: Declared<'_>, fields: &Fields<'_>) {
        let is_level = |name: &str| declared.kind(name) == Some(&Kind::Gauge) && declared.is_of_system(name);
        for (name, _) in fields.iter().filter(|(name, value)| *value != Value::Null && is_level(name)) {
            let group = &self.groups[at];
            let level = [group.host.clone(), group.tool.clone(), name.to_string()];
            if let Some(before) = self.levels.insert(level, at).filter(|before| *before != at) {
                self.groups[before].clear(name);
            }
        }
    }

    fn put(&mut self, group: Group) {
        let keys = group.keys.iter().map(|(name, value)| (name.as_str(), value));
        self.key.clear();
        key(&group.host, &group.tool, keys, &mut self.key);
        let at = *self.index.entry(self.key.clone()).or_insert(self.groups.len());
        match self.groups.get_mut(at) {
            Some(known) => group.sums.into_iter().for_each(|named| known.add(named, true)),
            None => self.groups.push(group),
        }
    }

    /// Drops all keys but these and merges the groups that they separated.
    fn reduced(self, by: &[String]) -> Self {
        let mut reduced = Self::default();
        let keeps_host = by.iter().any(|name| name == "host");
        for ((host, tool), (last, sum)) in self.lengths {
            let host = if keeps_host { host } else { String::new() };
            let known = reduced.lengths.entry((host, tool)).or_insert((last, sum));
            // Hosts measured the same time span.
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

    /// The records of the window with this end; `by` names the keys to keep, if not all. Also
    /// returns whether percentiles were left out for lack of buckets.
    pub fn records(self, end: Nanos, by: Option<&[String]>) -> (Vec<Fields<'static>>, bool) {
        let mut groups = match by {
            Some(by) => self.reduced(by),
            None => self,
        };
        groups.drop_idle();
        let mut lacking = false;
        let records = groups.groups.iter().map(|group| {
            lacking |= group.lacks_buckets();
            let length =
                groups.lengths.get(&(group.host.clone(), group.tool.clone())).map_or(0.0, |known| known.1);
            group.record(end, length)
        });
        let records = records.collect();
        (records, lacking)
    }

    /// Drops the record of an idle interval if others were active; its losses are kept.
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
                    let of_system = group.sums.into_iter().filter(|named| named.of_system);
                    of_system.for_each(|named| kept[*at].add(named, false));
                }
                None => kept.push(group),
            }
        }
        self.groups = kept;
    }
}
