//! The YAML of a config, as ebpf_exporter's users write it: its keys, and no others' meaning. Keys that are not listed here
//! are ignored, and of a key that is given twice the later one counts.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Spanned};

/// The largest file that is read, in bytes: the largest of ebpf_exporter's examples has 6 KiB.
pub const BYTES_AT_MOST: usize = 1 << 20;
/// How many values a file may have when its aliases are written out, and how deep.
const NODES_AT_MOST: usize = 100_000;
const DEPTH_AT_MOST: usize = 32;

/// Line and column, from 1; none for what no line says.
pub type Place = Option<(u64, u64)>;

/// Where a file is wrong, and how: on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub at: Place,
    /// What is wrong.
    pub what: String,
}

impl Mistake {
    /// At a place of the file.
    pub fn at(place: &Location, what: impl Into<String>) -> Self {
        Self { at: place_of(place), what: what.into() }
    }

    /// Of the file as a whole.
    pub fn whole(what: impl Into<String>) -> Self {
        Self { at: None, what: what.into() }
    }
}

/// Where something stands.
pub fn place_of(place: &Location) -> Place {
    Some((place.line(), place.column()))
}

/// A file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct File {
    /// What maps hold.
    #[serde(deserialize_with = "or_default")]
    pub metrics: Metrics,
    /// What ring buffers hold.
    #[serde(deserialize_with = "or_default")]
    pub tracing: Tracing,
    /// Kernel symbols whose addresses the programs want.
    #[serde(deserialize_with = "or_default")]
    pub kaddrs: Vec<Spanned<String>>,
    /// Cgroups that the programs want to know of.
    pub cgroup_id_map: Option<CgroupIdMap>,
    /// Of version 1, which had the C in it.
    pub programs: Option<Spanned<IgnoredAny>>,
}

/// A map of the cgroups whose paths match.
#[derive(Debug, Deserialize)]
pub struct CgroupIdMap {
    /// Its name.
    pub name: Spanned<String>,
    /// `hash` or `cgrp_storage`.
    #[serde(default, rename = "type")]
    pub kind: Option<Spanned<String>>,
    /// The expressions, one of which the path of a cgroup matches.
    #[serde(default, deserialize_with = "or_default")]
    pub regexps: Vec<Spanned<String>>,
}

/// The metrics of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// Counters, each in a map of its name.
    pub counters: Option<Vec<Counter>>,
    /// Histograms, each in a map of its name.
    pub histograms: Option<Vec<Histogram>>,
}

/// The spans of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tracing {
    /// Spans, each from a ring buffer.
    pub spans: Option<Vec<Span>>,
}

/// A kind of spans.
#[derive(Debug, Deserialize)]
pub struct Span {
    /// Its ring buffer.
    pub ringbuf: Spanned<String>,
    /// What a span is called whose program does not say it.
    #[serde(default)]
    pub name: Option<String>,
    /// The service that it is of.
    #[serde(default)]
    pub service: Option<String>,
    /// The parts of a record of the ring buffer.
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<Label>,
}

/// A counter.
#[derive(Debug, Deserialize)]
pub struct Counter {
    /// Its name, and its map's.
    pub name: Spanned<String>,
    /// Its meaning.
    #[serde(default, deserialize_with = "or_default")]
    pub help: String,
    /// Whether each sample of a perf event array or ring buffer counts.
    #[serde(default, deserialize_with = "or_default")]
    pub perf_event_array: bool,
    /// Of theirs: when counts of a perf event array are forgotten.
    #[serde(default)]
    pub flush_interval: Option<IgnoredAny>,
    /// Not of theirs: `gauge` if the map holds a level.
    #[serde(default, rename = "type")]
    pub kind: Option<Spanned<String>>,
    /// The parts of the map's key.
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<Label>,
}

/// A histogram.
#[derive(Debug, Deserialize)]
pub struct Histogram {
    /// Its name, and its map's.
    pub name: Spanned<String>,
    /// Its meaning.
    #[serde(default, deserialize_with = "or_default")]
    pub help: String,
    /// How the last label of a key becomes a bound.
    #[serde(default)]
    pub bucket_type: Option<Spanned<String>>,
    /// What bounds are multiplied by.
    #[serde(default, deserialize_with = "or_default")]
    pub bucket_multiplier: f64,
    /// The first bucket.
    #[serde(default, deserialize_with = "or_default")]
    pub bucket_min: i64,
    /// The last bucket.
    #[serde(default, deserialize_with = "or_default")]
    pub bucket_max: i64,
    /// All buckets of a fixed histogram.
    #[serde(default, deserialize_with = "or_default")]
    pub bucket_keys: Vec<f64>,
    /// The parts of the map's key; the last is the bucket.
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<Label>,
}

/// A part of a map's key.
#[derive(Debug, Deserialize)]
pub struct Label {
    /// Its name.
    pub name: Spanned<String>,
    /// Its bytes.
    #[serde(default, deserialize_with = "or_default")]
    pub size: u32,
    /// Bytes after it that are skipped.
    #[serde(default, deserialize_with = "or_default")]
    pub padding: u32,
    /// What makes a text of it, one after the other.
    #[serde(default, deserialize_with = "or_default")]
    pub decoders: Vec<Decoder>,
}

/// A decoder.
#[derive(Debug, Deserialize)]
pub struct Decoder {
    /// Which.
    pub name: Spanned<String>,
    /// Of `static_map`: texts by texts.
    #[serde(default)]
    pub static_map: Option<HashMap<String, String>>,
    /// Of `static_map`: whether what is not in it passes.
    #[serde(default, deserialize_with = "or_default")]
    pub allow_unknown: bool,
    /// Of `regexp`: the expressions.
    #[serde(default, deserialize_with = "or_default")]
    pub regexps: Vec<Spanned<String>>,
}

/// An empty value is the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// Reads a file. Aliases are written out within bounds, so that a small file cannot become a large one.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read(text: &str) -> Result<File, Mistake> {
    if text.len() > BYTES_AT_MOST {
        return Err(Mistake::whole(format!("it is larger than {BYTES_AT_MOST} bytes")));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: NODES_AT_MOST, max_events: 2 * NODES_AT_MOST, max_depth: DEPTH_AT_MOST },
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location();
        let said = error.without_snippet().to_string();
        // The place is said in our own way.
        let what = said.lines().next().unwrap_or("it is no YAML");
        let what = what.rsplit_once(" at line ").map_or(what, |(what, _)| what);
        let what = cli::text::visible(what).into_owned();
        place.map_or_else(|| Mistake::whole(what.clone()), |place| Mistake::at(&place, what.clone()))
    })
}
