//! What decoders ask of the system: kernel symbols, cgroups, the PCI database. Each is read when it is first needed.

use std::collections::HashMap;

use cli::kernel_files::cgroup2_mount;
use common::owner::By;
use common::owner::cgroups::Cgroups;
use common::owner::new_cgroups::NewCgroup;

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
            paths.next();
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

    /// An interval has ended: what was not known may be looked for again.
    pub fn next(&mut self) {
        self.known.next(std::iter::empty());
    }

    /// Adds a cgroup that was created. Returns its path with that of the mount before it; `None` if it is not mounted here.
    pub fn created(&mut self, cgroup: NewCgroup) -> Option<String> {
        let path = self.known.created(cgroup)?;
        Some(self.full(&path))
    }

    /// The ids and full paths of all that are known.
    pub fn all(&self) -> Vec<(u64, String)> {
        self.known.known().map(|(id, path)| (id, self.full(path))).collect()
    }

    /// The ids and full paths of those that exist now; `None` if it is too early for another walk.
    pub fn existing(&mut self) -> Option<HashMap<u64, String>> {
        let existing = self.known.existing()?;
        Some(existing.into_iter().map(|(id, path)| (id, self.full(&path))).collect())
    }

    fn full(&self, path: &str) -> String {
        if path == "/" { self.mount.clone() } else { format!("{}{path}", self.mount) }
    }

    /// The path of a cgroup with that of the mount before it, as programs open it.
    pub fn path(&mut self, id: u64) -> String {
        match self.known.path(id) {
            path if path.starts_with(GONE) => format!("unknown_cgroup_id:{id}"),
            path => self.full(&path),
        }
    }
}
