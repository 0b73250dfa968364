//! A config's BPF object: opened, loaded, and attached as its sections ask for. What cannot be attached is told, and does not
//! keep the rest from it.

mod load;
mod refusal;

use std::path::Path;

use cli::exit::Exit;
use libbpf_rs::{Link, MapCore, Object};

use crate::check::Checked;
use crate::config::Config;
use crate::maps::{Kind, Sizes};
pub use load::{load, open, text};
pub use refusal::none_left;

/// A config at work.
pub struct Loaded {
    /// The config.
    pub config: Config,
    /// For each of its metrics what its map is; none for those of samples.
    pub kinds: Vec<Option<Kind>>,
    /// The programs, as attached or not.
    pub programs: Vec<Attached>,
    /// How many cgroups its `cgroup_id_map` has at the start.
    pub cgroups: Option<usize>,
    /// What holds them.
    pub links: Vec<Link>,
    /// The maps.
    pub object: Object,
}

/// What became of a program.
pub struct Attached {
    /// Its name.
    pub name: String,
    /// Its section.
    pub section: String,
    /// Whether it is attached, and if not, why.
    pub outcome: Outcome,
}

/// Whether a program is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is.
    Attached,
    /// It is off by its section (`?`).
    Off,
    /// It is not, and why; whether a right is missing.
    Not(String, bool),
    /// Of another kernel: its files do not say, and why.
    Unknown(&'static str),
}

impl Loaded {
    /// The first program that is not attached, and why.
    pub fn first_failure(&self) -> Option<(&str, &str, bool)> {
        self.programs.iter().find_map(|program| match &program.outcome {
            Outcome::Not(why, permission) => Some((program.name.as_str(), why.as_str(), *permission)),
            _ => None,
        })
    }

    /// What `--check` says of it.
    pub fn checked(&self) -> Checked<'_> {
        let metrics = self.config.metrics.iter().filter_map(|metric| {
            let map = self.object.maps().find(|map| map.name() == metric.name.as_str())?;
            Some((metric, Sizes::of(&map)))
        });
        let spans = self.config.spans.iter().filter_map(|span| {
            let map = self.object.maps().find(|map| map.name() == span.ring.as_str())?;
            Some((span, Sizes::of(&map)))
        });
        let (config, programs) = (&self.config, &self.programs[..]);
        let (metrics, spans) = (metrics.collect(), spans.collect());
        Checked { config, programs, metrics, spans, cgroups: self.cgroups }
    }

    /// Whether any program is attached.
    pub fn works(&self) -> bool {
        self.programs.iter().any(|program| program.outcome == Outcome::Attached)
    }
}

/// Why a config cannot be used at all.
pub struct Refused {
    /// The exit status, if no config is left.
    pub exit: Exit,
    /// The reason, on one line.
    pub why: String,
}

impl Refused {
    /// For this reason.
    pub fn new(exit: Exit, why: impl Into<String>) -> Self {
        Self { exit, why: why.into() }
    }

    /// For an object without this map of a metric or of spans.
    pub fn no_map(path: &Path, map: &str) -> Self {
        Self::new(Exit::Usage, format!("{} has no map {map}", path.display()))
    }
}
