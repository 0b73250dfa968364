//! A config: its metrics, each with the map that it is read from and the labels that the map's keys have.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use cli::exit::{Exit, Failure, Result};
use cli::shortage;
use serde_saphyr::Spanned;

use crate::decode::{Decoder, Label};
use crate::histogram::Buckets;
use crate::yaml::{self, Mistake};

/// More labels and bytes of a key than any map has.
const LABELS_AT_MOST: usize = 256;
const KEY_AT_MOST: usize = 64 << 10;
/// Fields of records that are not labels: a label of such a name has `label_` before it.
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

/// A config.
#[derive(Debug)]
pub struct Config {
    /// Its file's name without `.yaml`.
    pub name: String,
    /// Its metrics, in the order of the file: counters first.
    pub metrics: Vec<Metric>,
    /// Kernel symbols of which the variable `kaddr_NAME` gets the address.
    pub kaddrs: Vec<String>,
    /// What is not done that it asks for, for a person.
    pub notes: Vec<String>,
}

/// A metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name, and that of its map.
    pub name: String,
    /// Its meaning.
    pub help: String,
    /// How values are read.
    pub form: Form,
    /// The parts of a key, in their order; of a histogram the bucket, too.
    pub labels: Vec<Label>,
    /// Whether its map is a buffer of samples, each of which counts.
    pub is_samples: bool,
}

/// How the values of a map are read.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// Events: what is reported is how many came in an interval.
    Counter,
    /// A level.
    Gauge,
    /// Events by size; the bucket is the last label.
    Histogram(Buckets),
}

impl Form {
    /// Its name in records.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// The name of a label's field in records.
pub fn field(label: &str) -> String {
    if FIELDS.contains(&label) { format!("label_{label}") } else { label.to_owned() }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// Status 2, with line and column, if it is no config; 1 if it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let failed = |error| shortage::failure(Exit::Usage, format_args!("cannot read {shown}"), &error);
        let mut bytes = Vec::new();
        let limit = yaml::BYTES_AT_MOST as u64 + 1;
        File::open(path).map_err(failed)?.take(limit).read_to_end(&mut bytes).map_err(failed)?;
        let text =
            String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{shown}: it is not UTF-8")))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::parse(name, &text).map_err(|mistake| {
            Failure::usage(match mistake.at {
                Some((line, column)) => format!("{shown}:{line}:{column}: {}", mistake.what),
                None => format!("{shown}: {}", mistake.what),
            })
        })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(name: String, text: &str) -> std::result::Result<Self, Mistake> {
        let file = yaml::read(text)?;
        if let Some(programs) = &file.programs {
            let what = "`programs` with C in it is of ebpf_exporter 1: compile it to an object, and give metrics alone";
            return Err(Mistake::at(&programs.referenced, what));
        }
        if let Some(map) = &file.cgroup_id_map {
            // Programs that wait for it would count nothing, and nobody would know.
            return Err(Mistake::at(&map.referenced, "`cgroup_id_map` is not supported"));
        }
        let (counters, histograms) = (file.metrics.counters, file.metrics.histograms);
        let spans = file.tracing.spans;
        let mut notes = Vec::new();
        if counters.is_none() && histograms.is_none() {
            return Err(Mistake::whole(match spans {
                Some(_) => "it has spans alone, which are not supported",
                None => "it has neither `metrics: counters:` nor `metrics: histograms:`",
            }));
        }
        if spans.is_some() {
            notes.push("its spans are not read".to_owned());
        }
        let mut metrics = Vec::new();
        for counter in counters.into_iter().flatten() {
            if counter.flush_interval.is_some() {
                notes.push(format!(
                    "{}: flush_interval has no effect: no count is forgotten",
                    counter.name.value
                ));
            }
            metrics.push(Metric::counter(counter)?);
        }
        for histogram in histograms.into_iter().flatten() {
            metrics.push(Metric::histogram(histogram)?);
        }
        let kaddrs = file.kaddrs.into_iter().map(|symbol| symbol.value).collect();
        Ok(Self { name, metrics, kaddrs, notes })
    }
}

impl Metric {
    fn counter(config: yaml::Counter) -> std::result::Result<Self, Mistake> {
        let name = named(&config.name, "a counter")?;
        let form = match &config.kind {
            None => Form::Counter,
            Some(kind) if kind.value == "counter" => Form::Counter,
            Some(kind) if kind.value == "gauge" && !config.perf_event_array => Form::Gauge,
            Some(kind) => {
                let what = match kind.value.as_str() {
                    "gauge" => "samples are counted: they are no gauge".to_owned(),
                    other => format!("there is no type `{}`: counter or gauge", cli::text::visible(other)),
                };
                return Err(Mistake::at(&kind.referenced, what));
            }
        };
        let labels = labels(config.labels)?;
        Ok(Self { name, help: config.help, form, labels, is_samples: config.perf_event_array })
    }

    fn histogram(config: yaml::Histogram) -> std::result::Result<Self, Mistake> {
        let name = named(&config.name, "a histogram")?;
        let buckets = Buckets::of(&config)?;
        if config.labels.is_empty() {
            return Err(Mistake::at(
                &config.name.referenced,
                "a histogram needs a label, the last one, for the bucket",
            ));
        }
        let labels = labels(config.labels)?;
        Ok(Self { name, help: config.help, form: Form::Histogram(buckets), labels, is_samples: false })
    }
}

fn named(name: &Spanned<String>, what: &str) -> std::result::Result<String, Mistake> {
    let wrong = name.value.is_empty() || name.value.contains(|c: char| c.is_control() || c.is_whitespace());
    if wrong {
        Err(Mistake::at(&name.referenced, format!("{what} needs a name without spaces")))
    } else {
        Ok(name.value.clone())
    }
}

fn labels(config: Vec<yaml::Label>) -> std::result::Result<Vec<Label>, Mistake> {
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
        let decoders = label.decoders.into_iter().map(Decoder::of).collect::<std::result::Result<_, _>>()?;
        all.push(Label { name, size, padding, decoders, is_processor: false });
    }
    Ok(all)
}

/// The file of a config's object: the same name with `.bpf.o`.
pub fn object_beside(config: &Path) -> PathBuf {
    config.with_extension("bpf.o")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> std::result::Result<Config, Mistake> {
        Config::parse("c".to_owned(), text)
    }

    const TIMERS: &str = "metrics:\n  counters:\n    - name: timer_starts_total\n      help: Timers fired in the kernel\n      \
                          labels:\n        - name: function\n          size: 8\n          decoders:\n            - name: ksym\n";

    #[test]
    fn a_config_of_ebpf_exporter_is_read() {
        let config = parsed(TIMERS).unwrap();
        let [metric] = &config.metrics[..] else { panic!("one metric") };
        assert_eq!((metric.name.as_str(), metric.form.name()), ("timer_starts_total", "counter"));
        assert!(matches!(metric.labels[..], [Label { size: 8, padding: 0, .. }]));
        let both = parsed(
            "name: other\nunknown: {a: [1]}\nmetrics:\n  counters:\n    - {name: a, help: h, perf_event_array: yes, flush_interval: 10s}\n    \
             - {name: g, type: gauge}\n  histograms:\n    - name: b\n      bucket_type: exp2\n      bucket_max: 0x1A\n      \
             labels: [{name: bucket, size: 4, decoders: [{name: uint}]}]\nkaddrs: [x]\n",
        )
        .unwrap();
        let forms: Vec<_> =
            both.metrics.iter().map(|metric| (metric.form.name(), metric.is_samples)).collect();
        assert_eq!(forms, [("counter", true), ("gauge", false), ("histogram", false)]);
        assert_eq!((both.name.as_str(), &both.kaddrs[..], both.notes.len()), ("c", &["x".to_owned()][..], 1));
    }

    #[test]
    fn anchors_merge_keys_and_later_duplicates_are_as_in_yaml_1_1() {
        let config = parsed(
            "metrics:\n  counters:\n    - &first\n      name: a\n      labels: &labels\n        - {name: n, size: 8, decoders: [{name: uint}]}\n    \
             - <<: *first\n      name: b\n    - {name: z, name: c, labels: *labels}\n",
        )
        .unwrap();
        let names: Vec<_> =
            config.metrics.iter().map(|metric| (metric.name.as_str(), metric.labels.len())).collect();
        assert_eq!(names, [("a", 1), ("b", 1), ("c", 1)]);
    }

    /// Where the mistake is, and what is said.
    #[test]
    fn a_mistake_has_a_line_and_a_column() {
        let label =
            |text: &str| format!("metrics:\n  counters:\n    - name: a\n      labels:\n        - {text}\n");
        for (text, at, says) in [
            ("", None, "neither"),
            ("metrics:\n", None, "neither"),
            ("tracing:\n  spans:\n    - ringbuf: a\n", None, "spans"),
            ("metrics: [1]\n", Some((1, 10)), "expected"),
            ("metrics:\n  counters:\n    - help: x\n", Some((3, 7)), "name"),
            ("metrics:\n  counters:\n    - name: \"\"\n", Some((3, 13)), "name"),
            ("a: {\n", Some((1, 4)), "unclosed"),
            ("a: b: c\n", Some((1, 5)), ""),
            ("programs:\n  - name: x\n", Some((2, 3)), "ebpf_exporter 1"),
            ("cgroup_id_map: {name: x}\nmetrics: {counters: []}\n", Some((1, 16)), "not supported"),
            (&label("{name: l, decoders: [{name: uint}]}"), Some((5, 18)), "`size`"),
            (&label("{name: l, size: 8}"), Some((5, 18)), "`decoders`"),
            (&label("{name: l, size: -1, decoders: [{name: uint}]}"), Some((5, 27)), "u32"),
            (&label("{name: l, size: 8, decoders: [{name: frob}]}"), Some((5, 48)), "`frob`"),
            (&label("{name: l, size: 8, decoders: [{name: regexp}]}"), Some((5, 48)), "`regexps`"),
            (
                &label("{name: l, size: 8, decoders: [{name: regexp, regexps: ['a**']}]}"),
                Some((5, 66)),
                "repeat",
            ),
            (&label("{name: l, size: 99999999, decoders: [{name: hex}]}"), Some((5, 18)), "65536"),
            (&label("{name: a b, size: 8, decoders: [{name: hex}]}"), Some((5, 18)), "name"),
            ("metrics:\n  counters: [{name: a, type: sum}]\n", Some((2, 30)), "`sum`"),
            (
                "metrics:\n  histograms: [{name: a, bucket_type: exp2, bucket_max: 3}]\n",
                Some((2, 23)),
                "label",
            ),
        ] {
            let mistake = parsed(text).map(|_| ()).unwrap_err();
            assert!(mistake.what.contains(says) && !mistake.what.contains('\n'), "{text}: {mistake:?}");
            assert_eq!(mistake.at, at, "{text}: {mistake:?}");
        }
        let twice = label("{name: l, size: 8, decoders: [{name: hex}]}")
            + "        - {name: l, size: 8, decoders: [{name: hex}]}\n";
        assert!(parsed(&twice).unwrap_err().what.contains("twice"));
    }

    #[test]
    fn a_bomb_is_refused_in_little_time_and_memory() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let above = format!("*a{}, ", level - 1).repeat(10);
            bomb += &format!("a{level}: &a{level} [{above}]\n");
        }
        for text in [
            bomb + TIMERS,
            "[".repeat(100_000),
            format!("a: {}\n{TIMERS}", "[".repeat(50) + &"]".repeat(50)),
            "- ".repeat(50_000),
        ] {
            assert!(parsed(&text).is_err(), "{}", &text[..40]);
        }
        assert!(parsed(&"#".repeat(yaml::BYTES_AT_MOST + 1)).is_err());
    }

    #[test]
    fn labels_do_not_hide_fields() {
        assert_eq!(
            (field("device"), field("count"), field("ts")),
            ("device".into(), "label_count".into(), "label_ts".into())
        );
    }
}
