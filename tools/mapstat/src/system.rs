//! What decoders ask of the system: kernel symbols, cgroups, the PCI database. Each is read when it is first needed.

use common::owner::By;
use common::owner::cgroup_mounts::cgroup2_mount;
use common::owner::cgroups::Cgroups;

use crate::pci::{self, Names};
use crate::symbols::Symbols;

/// What the walk writes for an id that has no path.
const GONE: &str = "(gone, id ";

/// The system that decoders ask.
#[derive(Default)]
pub struct System {
    symbols: Symbols,
    cgroups: Option<Paths>,
    pci: Option<Option<Names>>,
}

impl System {
    /// With these kernel symbols.
    pub fn new(symbols: Symbols) -> Self {
        Self { symbols, ..Self::default() }
    }

    /// The kernel's symbols.
    pub fn symbols(&mut self) -> &mut Symbols {
        &mut self.symbols
    }

    /// The paths of cgroups.
    pub fn cgroups(&mut self) -> &mut Paths {
        self.cgroups.get_or_insert_with(Paths::now)
    }

    /// The names of the PCI database, if the system has one.
    pub fn pci(&mut self) -> Option<&Names> {
        self.pci.get_or_insert_with(pci::read).as_ref()
    }

    /// An interval has ended: what was not known may be by now.
    pub fn next(&mut self) {
        self.symbols.next();
        if let Some(paths) = &mut self.cgroups {
            paths.known.drop_removed();
        }
    }
}

/// The paths of cgroups by their ids.
pub struct Paths {
    known: Cgroups,
    /// Where the hierarchy is mounted.
    mount: String,
}

impl Paths {
    fn now() -> Self {
        let mount =
            cgroup2_mount().map_or_else(|| "/sys/fs/cgroup".to_owned(), |path| path.display().to_string());
        Self { known: Cgroups::of(By::Cgroup), mount }
    }

    /// The cgroups that were created in an interval, as `common` has them.
    pub fn known(&mut self) -> &mut Cgroups {
        &mut self.known
    }

    /// The path of a cgroup with that of the mount before it, as programs open it.
    pub fn path(&mut self, id: u64) -> String {
        match self.known.path(id) {
            path if path.starts_with(GONE) => format!("unknown_cgroup_id:{id}"),
            path if path == "/" => self.mount.clone(),
            path => format!("{}{path}", self.mount),
        }
    }
}
