//! Labels of a config, and how their fields in records are called.

use std::collections::HashSet;

use record::labels::field_of;
use serde_saphyr::Spanned;

use crate::decode::{Decoder, Label};
use crate::yaml::{self, Mistake};

/// More labels and bytes of a key than any map has.
const LABELS_AT_MOST: usize = 256;
const KEY_AT_MOST: usize = 64 << 10;
/// Fields of records that are not labels.
const FIELDS: [&str; 25] = [
    "ts",
    "host",
    "tool",
    "interval_s",
    "clock_step_s",
    "config",
    "metric",
    "type",
    "help",
    "value",
    "level",
    "count",
    "sum",
    "mean",
    "p50",
    "p90",
    "p99",
    "p999",
    "buckets",
    "bpf_ns",
    "bpf_runs",
    "bpf_bytes",
    "bpf_maps",
    "bpf_keys",
    "lost",
];

/// The name of a label's field in records.
pub fn field(label: &str) -> String {
    field_of(&FIELDS, label)
}

/// A name as a config gives it.
pub(super) fn named(name: &Spanned<String>, what: &str) -> Result<String, Mistake> {
    let wrong = name.value.is_empty() || name.value.contains(|c: char| c.is_control() || c.is_whitespace());
    if wrong {
        Err(Mistake::at(&name.referenced, format!("{what} needs a name without spaces")))
    } else {
        Ok(name.value.clone())
    }
}

/// The parts of a key.
/// `field` says how their fields in records are called, which no two may share.
pub(super) fn labels(config: Vec<yaml::Label>, field: fn(&str) -> String) -> Result<Vec<Label>, Mistake> {
    let mut names = HashSet::new();
    let mut all = Vec::with_capacity(config.len().min(LABELS_AT_MOST));
    let mut bytes = 0;
    for label in config {
        let place = label.name.referenced;
        let name = named(&label.name, "a label")?;
        let wrong = |what: String| Mistake::at(&place, what);
        if !names.insert(field(&name)) {
            return Err(wrong(format!("label {name} is given twice")));
        }
        if label.size == 0 {
            return Err(wrong(format!("label {name} needs a `size`, in bytes")));
        }
        if label.decoders.is_empty() {
            return Err(wrong(format!("label {name} needs `decoders`")));
        }
        let (size, padding) = (label.size as usize, label.padding as usize);
        bytes += size + padding;
        if bytes > KEY_AT_MOST || all.len() >= LABELS_AT_MOST {
            return Err(wrong(format!("a key has at most {LABELS_AT_MOST} labels and {KEY_AT_MOST} bytes")));
        }
        let decoders = label.decoders.into_iter().map(Decoder::of).collect::<Result<_, _>>()?;
        all.push(Label { name, size, padding, decoders, is_processor: false });
    }
    Ok(all)
}
