//! What a tool's own programs cost and miss, interval by interval.

use std::os::fd::{AsFd, OwnedFd};

use libbpf_rs::{Link, Object};

use crate::exit::{Failure, Result};
use crate::overhead::{self, Cost};

/// Reads the kernel's account of the tool's own programs.
pub struct Meter {
    programs: Vec<OwnedFd>,
    links: Vec<OwnedFd>,
    seen: Cost,
    /// Held for as long as the kernel shall keep statistics.
    statistics: Option<OwnedFd>,
}

impl Meter {
    /// Keeps descriptors of an object's loaded programs and of the links of its probes; `statistics` is held for as
    /// long as the kernel shall keep them.
    pub(crate) fn new<'a>(
        object: &Object,
        links: impl Iterator<Item = &'a Link>,
        statistics: Option<OwnedFd>,
    ) -> Result<Self> {
        let unkept = |error| Failure::failed(format!("cannot keep a descriptor: {error}"));
        let loaded = object.progs_mut().filter(|program| program.autoload());
        let programs = loaded.map(|program| program.as_fd().try_clone_to_owned());
        let programs = programs.collect::<std::io::Result<_>>().map_err(unkept)?;
        let links = links.map(|link| link.as_fd().try_clone_to_owned());
        let links = links.collect::<std::io::Result<_>>().map_err(unkept)?;
        Ok(Self { programs, links, seen: Cost::default(), statistics })
    }

    /// Whether the kernel tells, with the rights that are left.
    pub(crate) fn works(&self) -> bool {
        overhead::account(&self.programs).is_some()
    }

    /// What the programs cost and missed since the last call.
    pub fn account(&mut self) -> Account {
        let Some(mut now) = overhead::account(&self.programs) else { return Account::default() };
        now.missed += overhead::missed_calls(&self.links);
        let cost = now.since(self.seen);
        self.seen = now;
        Account { missed: cost.missed, cost: self.statistics.is_some().then_some((cost.ns, cost.runs)) }
    }
}

/// What came to an interval beside the tool's own numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    /// Events that the kernel did not let a program see.
    pub missed: u64,
    /// With `--overhead`: nanoseconds and runs of the tool's programs.
    pub cost: Option<(u64, u64)>,
}
