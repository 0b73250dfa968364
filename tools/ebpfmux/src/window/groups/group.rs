//! The records of one key.

use std::collections::HashMap;

use record::fields::Kind;

use super::super::aggregate::Aggregate;
use crate::record::declared::Declared;
use crate::record::timestamp::{self, Nanos};
use crate::record::{Fields, Value};

/// The records of one key.
#[derive(Clone)]
pub(super) struct Group {
    pub(super) host: String,
    pub(super) tool: String,
    pub(super) keys: Vec<(String, Value<'static>)>,
    pub(super) sums: Vec<FieldValues>,
    /// The indexes of the fields, by name, for records with another order of fields.
    pub(super) places: HashMap<String, usize>,
    /// The time of its last record.
    pub(super) last: Nanos,
}

/// The values of one field of a group.
#[derive(Clone)]
pub(super) struct FieldValues {
    pub(super) name: String,
    /// How they are aggregated; `None` if undeclared.
    pub(super) kind: Option<&'static Kind>,
    /// The prefix of the field's name in a joined record, which is also that of the fields that its
    /// kind refers to.
    pub(super) before: usize,
    /// Whether it is of the whole system, independent of the keys.
    pub(super) of_system: bool,
    pub(super) sum: Aggregate,
}

impl FieldValues {
    pub(super) fn new(
        declared: Declared<'_>,
        name: &str,
        value: &Value<'_>,
        count: impl Fn(&str) -> Option<f64>,
    ) -> Self {
        let found = declared.field(name);
        let (kind, before) = (found.map(|(field, _)| &field.kind), found.map_or("", |(_, before)| before));
        Self {
            name: name.to_owned(),
            kind,
            before: before.len(),
            of_system: declared.is_of_system(name),
            sum: Aggregate::of(kind, value, |of| count(&format!("{before}{of}"))),
        }
    }

    /// Whether it is a gauge of the whole system.
    pub(super) fn is_level(&self) -> bool {
        self.of_system && self.kind == Some(&Kind::Gauge)
    }

    /// The name of a field of the same group.
    pub(super) fn beside(&self, name: &str) -> String {
        format!("{}{name}", &self.name[..self.before])
    }
}

impl Group {
    pub(super) fn add(&mut self, named: FieldValues, beside: bool) {
        match self.places.get(&named.name).and_then(|at| self.sums.get_mut(*at)) {
            Some(own) => own.sum.add(own.kind, named.sum, beside),
            None => {
                self.places.insert(named.name.clone(), self.sums.len());
                self.sums.push(named);
            }
        }
    }

    /// Forgets what the field had.
    pub(super) fn clear(&mut self, name: &str) {
        if let Some(own) = self.places.get(name).and_then(|at| self.sums.get_mut(*at)) {
            own.sum = Aggregate::Null;
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.keys.is_empty() && self.keys.iter().all(|(_, value)| *value == Value::Null)
    }

    pub(super) fn sum(&self, name: &str) -> Option<&FieldValues> {
        self.sums.iter().find(|known| known.name == name)
    }

    pub(super) fn record(&self, end: Nanos, length: f64) -> Fields<'static> {
        let mut fields: Fields<'static> = vec![("ts".into(), Value::Text(timestamp::format(end).into()))];
        if !self.host.is_empty() {
            fields.push(("host".into(), Value::Text(self.host.clone().into())));
        }
        fields.push(("tool".into(), Value::Text(self.tool.clone().into())));
        fields.push(("interval_s".into(), Value::number((length * 1e6).round() / 1e6)));
        fields.extend(self.keys.iter().map(|(name, value)| (name.clone().into(), value.clone())));
        fields.extend(self.sums.iter().map(|named| {
            let value = self.derived(named).unwrap_or_else(|| named.sum.value());
            (named.name.clone().into(), value)
        }));
        fields
    }
}
