//! A config: its metrics, each with the map that it is read from and the labels that the map's keys have, and its spans, each
//! with a ring buffer.

mod cgroup_ids;
mod labels;
mod metric;
mod span;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use cli::exit::{Exit, Failure, Result};
use cli::shortage;

use crate::decode::Label;
use crate::yaml::{self, Mistake, Place};
pub use cgroup_ids::{CgroupIds, IdMapKind};
pub use labels::field;
pub use metric::{Form, Metric};
pub use span::{Part, Span, attribute};

/// A config.
#[derive(Debug)]
pub struct Config {
    /// Its file's name without `.yaml`.
    pub name: String,
    /// Its metrics, in the order of the file: counters first.
    pub metrics: Vec<Metric>,
    /// Its spans, in the order of the file.
    pub spans: Vec<Span>,
    /// Kernel symbols of which the variable `kaddr_NAME` gets the address.
    pub kaddrs: Vec<String>,
    /// The map of cgroups that the programs want to know of.
    pub cgroup_ids: Option<CgroupIds>,
    /// What is not done that it asks for, for a person.
    pub notes: Vec<String>,
    /// Its file, for messages.
    pub file: String,
}

/// Where something stands in a file, for a message.
pub fn shown(file: &str, at: Place) -> String {
    at.map_or_else(|| file.to_owned(), |(line, column)| format!("{file}:{line}:{column}"))
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
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = text(&bytes).and_then(|text| Self::parse(name, text));
        let file = path.display().to_string();
        match text {
            Ok(config) => Ok(Self { file, ..config }),
            Err(Mistake { at, what }) => Err(Failure::usage(format!("{}: {what}", self::shown(&file, at)))),
        }
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(name: String, text: &str) -> std::result::Result<Self, Mistake> {
        let file = yaml::read(text)?;
        let called = format!("{name}.yaml");
        if let Some(programs) = &file.programs {
            let what = "`programs` with C in it is of ebpf_exporter 1: compile it to an object, and give metrics alone";
            return Err(Mistake::at(&programs.referenced, what));
        }
        let cgroup_ids = file.cgroup_id_map.map(CgroupIds::of).transpose()?;
        let (counters, histograms) = (file.metrics.counters, file.metrics.histograms);
        let spans = file.tracing.spans;
        if counters.is_none() && histograms.is_none() && spans.is_none() {
            return Err(Mistake::whole(
                "it has none of `metrics: counters:`, `metrics: histograms:` and `tracing: spans:`",
            ));
        }
        let mut notes = Vec::new();
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
        let spans = spans.into_iter().flatten().map(Span::of).collect::<std::result::Result<_, _>>()?;
        Ok(Self { name, metrics, spans, kaddrs, cgroup_ids, notes, file: called })
    }

    /// The labels of its spans, or of its metrics.
    pub fn labels(&self, of_spans: bool) -> impl Iterator<Item = &Label> {
        let spans = self.spans.iter().filter(move |_| of_spans).flat_map(|span| &span.labels);
        let metrics = self.metrics.iter().filter(move |_| !of_spans).flat_map(|metric| &metric.labels);
        metrics.chain(spans)
    }
}

/// A file's bytes as text.
fn text(bytes: &[u8]) -> std::result::Result<&str, Mistake> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let (line, column) = before
            .rsplit_once('\n')
            .map_or((0, &*before), |(lines, last)| (lines.matches('\n').count() + 1, last));
        let place = (line as u64 + 1, column.chars().count() as u64 + 1);
        Mistake { at: Some(place), what: "it is not UTF-8".to_owned() }
    })
}

/// The file of a config's object: the same name with `.bpf.o`.
pub fn object_beside(config: &Path) -> PathBuf {
    config.with_extension("bpf.o")
}
