//! Counters of the system, or of each owner.

use libbpf_rs::Object;

use crate::banks::Counters;
use crate::exit::Result;
use crate::globals::map;
use crate::owner::{By, Owner};
use crate::owners::Owners;

/// Whose counters, and what was added to each.
pub type Added<const N: usize> = Vec<(Owner, [u64; N])>;

/// What a tool with `bpf/include/owned_counters.h` counts.
pub struct Counted<'a, const N: usize> {
    system: Counters<N>,
    owners: Option<Owners<'a>>,
    lost: usize,
}

impl<'a, const N: usize> Counted<'a, N> {
    /// The counters of a loaded object, of which the one at this place counts what was lost.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has none.
    pub fn of(object: &'a Object, by: By, lost: usize) -> Result<Self> {
        let owners = if by == By::System { None } else { Some(Owners::of(object, by)?) };
        Ok(Self { system: Counters::map(&map(object, "counters")?)?, owners, lost })
    }

    /// What was added since the last call, and what was lost: of the system always, of owners where they were active.
    ///
    /// # Errors
    /// When the kernel does not let it be read.
    pub fn since_last(&mut self) -> Result<(Added<N>, u64)> {
        let added = self.system.since_last();
        let lost = added[self.lost];
        match &mut self.owners {
            None => Ok((vec![(Owner::default(), added)], lost)),
            Some(owners) => {
                let taken = owners.take::<[u64; N]>()?;
                Ok((taken.into_iter().map(|owned| (owned.owner, owned.total)).collect(), lost))
            }
        }
    }
}
