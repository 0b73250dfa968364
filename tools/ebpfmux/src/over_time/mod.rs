//! What was recorded, summed up over time: for each tool, host and key the values of each field, in a bounded number of
//! stretches of the time line. For whatever looks at a recording as a whole: `ebpfmux diff`, `ebpfmux report`.

mod options;
mod reading;
mod series;
mod timeline;
mod tool;

use indexmap::IndexMap;

use cli::exit::{Failure, Result};

use crate::record::declared::Declared;
use crate::record::keys::is_key;
use crate::record::timestamp::Nanos;
use crate::record::{Fields, find};

pub use options::Options;
pub use reading::{Selection, read};
pub use series::{Level, Series};
pub use timeline::{Stretch, Timeline};
pub use tool::{Group, Tool};

/// Fields that number processes, sockets and the like: the same work has others the next time.
const NUMBERS: [&str; 3] = ["pid", "tid", "ppid"];

/// Which keys keep records apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// All but the host and those that only number something.
    Usual,
    /// The usual ones but these.
    Others(&'static [&'static str]),
    /// These, one of which may be the host.
    Fields(Vec<String>),
    /// Those of these that a record has.
    Known(&'static [&'static str]),
}

impl By {
    /// Of a list of fields, parted by commas.
    ///
    /// # Errors
    /// If one has no name.
    pub fn parse(list: &str) -> Result<Self> {
        let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
        match names.iter().any(String::is_empty) {
            true => Err(Failure::usage("--by: a name is empty; see --help")),
            false => Ok(Self::Fields(names)),
        }
    }

    fn keeps(&self, name: &str) -> bool {
        match self {
            Self::Usual => !NUMBERS.contains(&name),
            Self::Others(names) => !NUMBERS.contains(&name) && !names.contains(&name),
            Self::Known(names) => names.contains(&name),
            Self::Fields(names) => names.iter().any(|known| known == name),
        }
    }
}

/// What is kept of a recording.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Into how many stretches each tool's time line is divided at most; at least half as many, if there are so many
    /// intervals.
    pub stretches: usize,
    /// How many keys of each tool are kept at most.
    pub keys: usize,
    /// Which keys keep records apart.
    pub by: By,
}

/// A recording, summed up over time.
pub struct OverTime {
    shape: Shape,
    /// By their names, in the order in which they came.
    pub tools: IndexMap<String, Tool>,
    /// Records of events, which have no interval: they are not summed up.
    pub events: u64,
    /// Records of keys for which there was no room.
    pub left_out: u64,
    /// Which names of --by a record has had.
    seen: Vec<bool>,
}

impl OverTime {
    /// Nothing yet.
    pub fn new(shape: Shape) -> Self {
        let names = if let By::Fields(names) = &shape.by { &names[..] } else { &[] };
        let seen = names.iter().map(|name| matches!(name.as_str(), "tool" | "host")).collect();
        Self { shape, tools: IndexMap::new(), events: 0, left_out: 0, seen }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// If --by names a field that is not a key.
    pub fn add(&mut self, time: Nanos, fields: &Fields<'_>) -> Result<()> {
        let Some(length) = find(fields, "interval_s").and_then(|length| length.text().parse::<f64>().ok())
        else {
            self.events += 1;
            return Ok(());
        };
        let declared = Declared::of(fields);
        self.notice(declared, fields)?;
        let name = find(fields, "tool").map_or("", crate::record::Value::text);
        let tool = match self.tools.get_mut(name) {
            Some(tool) => tool,
            None => self.tools.entry(name.to_owned()).or_default(),
        };
        let kept = tool.add(time, length, declared, fields, &self.shape);
        self.left_out += u64::from(!kept);
        Ok(())
    }

    /// Looks for the names of --by.
    fn notice(&mut self, declared: Declared<'_>, fields: &Fields<'_>) -> Result<()> {
        let By::Fields(names) = &self.shape.by else { return Ok(()) };
        for (name, seen) in names.iter().zip(&mut self.seen) {
            if let Some(value) = find(fields, name).filter(|_| !*seen) {
                if !is_key(declared, name, value) {
                    return Err(Failure::usage(format!(
                        "--by: `{name}` is a value; records can be grouped by keys only"
                    )));
                }
                *seen = true;
            }
        }
        Ok(())
    }

    /// A name of --by that no record had.
    pub fn unseen(&self) -> Option<&str> {
        let By::Fields(names) = &self.shape.by else { return None };
        names.iter().zip(&self.seen).find(|(_, seen)| !**seen).map(|(name, _)| name.as_str())
    }
}
