//! Reading a metric's map: all its keys, each once, by few system calls where the kernel can.

use std::collections::HashSet;
use std::io;

use common::bpf::batch;
use libbpf_rs::{Map, MapCore, MapFlags, MapType, OpenMap};

use crate::config::{Form, Metric};
use crate::decode;
use crate::state::{CPU, Keys};

/// The size of a value, and of that of one processor.
const VALUE: usize = size_of::<u64>();

/// What a map is to a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// How its keys begin and end.
    pub keys: Keys,
    /// Whether there is a value for each processor.
    pub per_processor: bool,
    /// Whether it drops old keys for new ones.
    pub drops: bool,
}

/// What a map of this type is; `None` if it has no keys to read.
fn kind(of: MapType) -> Option<Kind> {
    let kind = |keys, per_processor, drops| Some(Kind { keys, per_processor, drops });
    match of {
        MapType::Array => kind(Keys::Fixed, false, false),
        MapType::PercpuArray => kind(Keys::Fixed, true, false),
        MapType::Hash | MapType::LpmTrie => kind(Keys::Coming, false, false),
        MapType::LruHash => kind(Keys::Coming, false, true),
        MapType::PercpuHash => kind(Keys::Coming, true, false),
        MapType::LruPercpuHash => kind(Keys::Coming, true, true),
        _ => None,
    }
}

/// The type of a map, and its sizes.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Its type.
    pub of: MapType,
    /// The bytes of a key.
    pub key: u32,
    /// The bytes of a value.
    pub value: u32,
    /// How many keys there may be.
    pub entries: u32,
}

impl Sizes {
    /// Those of a map of the kernel.
    pub fn of(map: &impl MapCore) -> Self {
        Self { of: map.map_type(), key: map.key_size(), value: map.value_size(), entries: map.max_entries() }
    }

    /// Those that an object declares.
    pub fn declared(map: &OpenMap<'_>) -> Self {
        Self { of: map.map_type(), key: map.key_size(), value: map.value_size(), entries: map.max_entries() }
    }
}

/// What a map is to a metric, whose labels are told of processors.
///
/// # Errors
/// Why the metric cannot be read from it.
pub fn bind(map: Sizes, metric: &mut Metric) -> Result<Kind, String> {
    let kind = kind(map.of)
        .ok_or_else(|| format!("map {} is of a type without keys ({:?})", metric.name, map.of))?;
    if map.value as usize != VALUE {
        return Err(format!("values of map {} have {} bytes, and not 8 (u64)", metric.name, map.value));
    }
    if let Some(last) = metric.labels.last_mut() {
        last.is_processor = kind.per_processor && last.name == CPU;
    }
    let (key, labels) = (map.key as usize, decode::size(&metric.labels));
    match &metric.labels[..] {
        [] if key != 4 || (kind.keys == Keys::Fixed && map.entries != 1) => {
            return Err(format!("map {} has more than one key, and no label tells them apart", metric.name));
        }
        [] => {}
        // Its key is none but that of an array of one.
        [only] if only.is_processor && labels == 2 && key == 4 => {}
        [.., last] if last.is_processor && labels == key + 2 => {}
        [.., last] if last.is_processor => {
            return Err(format!(
                "keys of map {} have {key} bytes, and 2 for the processor, but its labels {labels}",
                metric.name
            ));
        }
        _ if labels != key => {
            return Err(format!("keys of map {} have {key} bytes, and its labels {labels}", metric.name));
        }
        _ => {}
    }
    if matches!(metric.form, Form::Histogram(_)) && metric.labels.iter().all(|label| label.is_processor) {
        return Err(format!("map {} has no label for the bucket", metric.name));
    }
    Ok(kind)
}

/// Whether spans can be read from a map.
///
/// # Errors
/// Why they cannot.
pub fn bind_ring(map: Sizes, ring: &str) -> Result<(), String> {
    match map.of {
        MapType::RingBuf => Ok(()),
        other => Err(format!("map {ring} is no ring buffer ({other:?}), and spans need one")),
    }
}

/// Passes on each key and its value, with the processor behind the key where a label is for it. A key that a program adds or
/// removes meanwhile may be passed or not; some may be passed twice.
///
/// # Errors
/// When the map cannot be read.
pub fn read(map: &Map<'_>, kind: Kind, metric: &Metric, mut each: impl FnMut(&[u8], u64)) -> io::Result<()> {
    let (labels, by_processor) = (&metric.labels, metric.labels.last().is_some_and(|last| last.is_processor));
    let mut longer = Vec::new();
    let mut pass = |key: &[u8], values: &[u8]| {
        let (values, _) = values.as_chunks::<VALUE>();
        let values = values.iter().map(|value| u64::from_ne_bytes(*value));
        if !kind.per_processor {
            return values.for_each(|value| each(key, value));
        }
        if !by_processor {
            return each(key, values.fold(0, u64::wrapping_add));
        }
        for (processor, value) in values.enumerate() {
            longer.clear();
            // Of an array of one the processor is all there is to tell.
            if labels.len() > 1 || key.iter().any(|byte| *byte != 0) {
                longer.extend_from_slice(key);
            }
            longer.extend_from_slice(&(processor as u16).to_ne_bytes());
            each(&longer, value);
        }
    };
    match batch::read(map, &mut pass) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        // Not every type of map can be read so on every kernel.
        Err(_) => one_by_one(map, kind, &mut pass),
    }
}

/// Goes from key to key. Where one is removed meanwhile the kernel begins again: each key is passed once all the same, and
/// the walk has an end.
fn one_by_one(map: &Map<'_>, kind: Kind, pass: &mut impl FnMut(&[u8], &[u8])) -> io::Result<()> {
    let failed = |error: libbpf_rs::Error| io::Error::other(error.to_string());
    let mut seen: HashSet<Vec<u8>> = HashSet::new();
    let mut left = 4 * u64::from(map.max_entries()) + 1024;
    for key in map.keys() {
        left -= 1;
        if left == 0 {
            break;
        }
        if kind.keys == Keys::Coming && !seen.insert(key.clone()) {
            continue;
        }
        if kind.per_processor {
            if let Some(values) = map.lookup_percpu(&key, MapFlags::ANY).map_err(failed)? {
                pass(&key, &values.concat());
            }
        } else if let Some(value) = map.lookup(&key, MapFlags::ANY).map_err(failed)? {
            pass(&key, &value);
        }
    }
    Ok(())
}
