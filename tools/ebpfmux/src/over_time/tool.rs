//! What one tool recorded.

use indexmap::IndexMap;
use record::fields::{Field, Kind};

use super::{By, Series, Shape, Timeline};
use crate::record::declared::Declared;
use crate::record::keys::{is_key, values};
use crate::record::timestamp::Nanos;
use crate::record::{Fields, Value, find};

/// The field that counts what could not be recorded.
const LOST: &str = "lost";

/// All records of a tool.
#[derive(Default)]
pub struct Tool {
    /// The time line of each host, by its name.
    pub hosts: IndexMap<String, Timeline>,
    /// The keys: names and values of the fields that keep them apart.
    pub groups: IndexMap<Vec<(String, String)>, Group>,
    /// How many events could not be recorded, by host.
    pub lost: Vec<Series>,
    /// Which keys its records have, kept apart or not.
    pub keys: Vec<String>,
}

/// What came of one key.
#[derive(Default)]
pub struct Group {
    /// By host, in the order of [`Tool::hosts`].
    pub parts: Vec<Part>,
}

/// What came of one key on one host: its fields by their names, in the order of the records.
#[derive(Default)]
pub struct Part {
    /// The fields.
    pub fields: IndexMap<String, Entry>,
}

/// A field.
pub struct Entry {
    /// What it is; `None` if nothing declares it.
    pub declared: Option<&'static Field>,
    /// How long the part of its name is that stands before the name in its declaration, in a joined record.
    pub before: usize,
    /// Its values.
    pub series: Series,
}

impl Tool {
    /// Adds a record of an interval of this length; returns whether there was room for its key.
    pub fn add(
        &mut self,
        time: Nanos,
        length: f64,
        declared: Declared<'_>,
        fields: &Fields<'_>,
        shape: &Shape,
    ) -> bool {
        let host = find(fields, "host").map_or("", Value::text);
        let index = match self.hosts.get_index_of(host) {
            Some(index) => index,
            None => self.hosts.insert_full(host.to_owned(), Timeline::default()).0,
        };
        let placed = self.hosts[index].place(time, length, shape.stretches);
        if placed.halved {
            self.halve(index);
        }
        if self.lost.len() <= index {
            self.lost.resize_with(index + 1, || Series::of(Some(&Kind::Counter)));
        }
        if let Some(value) = find(fields, LOST) {
            self.lost[index].add(placed.at, time, Some(&Kind::Counter), value, |_| None);
        }
        let keys = || fields.iter().filter(|(name, value)| is_key(declared, name, value));
        if keys().any(|(name, _)| !self.keys.contains(&name.to_string())) {
            let new = keys().map(|(name, _)| name.to_string()).filter(|name| !self.keys.contains(name));
            let new: Vec<_> = new.collect();
            self.keys.extend(new);
        }
        // The record of an interval in which nothing happened.
        if keys().next().is_some() && keys().all(|(_, value)| *value == Value::Null) {
            return true;
        }
        let kept = keys().filter(|(name, value)| *value != Value::Null && shape.by.keeps(name));
        let mut key: Vec<_> =
            kept.map(|(name, value)| (name.to_string(), value.key().into_owned())).collect();
        if let By::Fields(names) = &shape.by
            && names.iter().any(|name| name == "host")
        {
            key.insert(0, ("host".to_owned(), host.to_owned()));
        }
        let group = match self.groups.get_index_of(&key) {
            Some(known) => known,
            None if self.groups.len() >= shape.keys => return false,
            None => self.groups.insert_full(key, Group::default()).0,
        };
        self.groups[group].add(index, placed.at, time, declared, fields);
        true
    }

    fn halve(&mut self, host: usize) {
        self.lost.get_mut(host).into_iter().for_each(Series::halve);
        let parts = self.groups.values_mut().filter_map(|group| group.parts.get_mut(host));
        parts.flat_map(|part| part.fields.values_mut()).for_each(|entry| entry.series.halve());
    }

    /// How many events could not be recorded.
    pub fn lost(&self) -> f64 {
        self.lost.iter().map(Series::total).sum()
    }

    /// How many intervals there are, of all hosts.
    pub fn intervals(&self) -> u64 {
        self.hosts.values().map(|line| line.intervals).sum()
    }

    /// How long its recording is, in seconds: the longest of its hosts.
    pub fn seconds(&self) -> f64 {
        self.hosts.values().map(Timeline::seconds).fold(0.0, f64::max)
    }
}

impl Group {
    fn add(&mut self, host: usize, stretch: usize, time: Nanos, declared: Declared<'_>, fields: &Fields<'_>) {
        if self.parts.len() <= host {
            self.parts.resize_with(host + 1, Part::default);
        }
        let count = |name: &str| find(fields, name)?.text().parse::<f64>().ok();
        for (name, value) in values(declared, fields) {
            // Losses are the tool's, and so is what its own programs cost.
            if declared.is_of_system(name) {
                continue;
            }
            let part = &mut self.parts[host].fields;
            let entry = match part.get_mut(name.as_ref()) {
                Some(entry) => entry,
                None => {
                    let found = declared.field(name);
                    let (field, before) =
                        (found.map(|(field, _)| field), found.map_or("", |(_, before)| before));
                    let series = Series::of(field.map(|field| &field.kind));
                    let entry = Entry { declared: field, before: before.len(), series };
                    part.entry(name.to_string()).or_insert(entry)
                }
            };
            let (kind, before) = (entry.declared.map(|field| &field.kind), &name[..entry.before]);
            entry.series.add(stretch, time, kind, value, |of| count(&format!("{before}{of}")));
        }
    }

    /// The names of the fields of all hosts, in their order, with what they are.
    pub fn fields(&self) -> IndexMap<&str, (&'static Field, usize)> {
        let all = self.parts.iter().flat_map(|part| &part.fields);
        all.filter_map(|(name, entry)| Some((name.as_str(), (entry.declared?, entry.before)))).collect()
    }

    /// The values of a field, by host.
    pub fn series(&self, name: &str) -> impl Iterator<Item = Option<&Series>> {
        self.parts.iter().map(move |part| part.fields.get(name).map(|entry| &entry.series))
    }
}
