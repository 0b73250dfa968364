//! Counters for the system, or for each owner.

use std::collections::HashMap;

use cli::exit::Result;
use libbpf_rs::Object;

use super::per_owner::Owners;
use super::top;
use crate::bpf::globals::map;
use crate::bpf::layouts::owner;
use crate::bpf::mmap::MappedCounters;
use crate::owner::{By, Options, Owner};

/// The owner, and what was added to each counter.
pub type Delta<const N: usize> = Vec<(Owner, [u64; N])>;

/// What a tool with `bpf/include/owned_counters.h` counts.
pub struct Counters<'a, const N: usize> {
    system: MappedCounters<N>,
    owners: Option<Owners<'a>>,
    lost: usize,
}

impl<'a, const N: usize> Counters<'a, N> {
    /// The counters of a loaded object; the counter at this index counts losses.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has none.
    pub fn of(object: &'a Object, options: &Options, lost: usize) -> Result<Self> {
        let owners = match options.by {
            By::System => None,
            _ => Some(Owners::of(object, options)?),
        };
        Ok(Self { system: MappedCounters::map(&map(object, "counters")?)?, owners, lost })
    }

    /// The same, without what the self-test did, if these counted it.
    ///
    /// # Errors
    /// As for `of`; when the kernel refuses the read.
    pub fn after_selftest(object: &'a Object, options: &Options, lost: usize, counted: bool) -> Result<Self> {
        let mut counters = Self::of(object, options, lost)?;
        if counted {
            counters.since_last()?;
        }
        Ok(counters)
    }

    /// Whether owners are tracked separately.
    pub fn has_owners(&self) -> bool {
        self.owners.is_some()
    }

    /// The owner described by the bytes of a `struct named_owner`.
    pub fn owner(&mut self, bytes: &[u8]) -> Option<Owner> {
        let (key, names) = bytes.split_at_checked(size_of::<owner>())?;
        self.owners.as_mut()?.owner(key, names)
    }

    /// What was added since the last call, and what was lost: for the system always, for owners if
    /// they were active.
    ///
    /// # Errors
    /// When the kernel refuses the read.
    pub fn since_last(&mut self) -> Result<(Delta<N>, u64)> {
        let added = self.system.since_last();
        let lost = added[self.lost];
        match &mut self.owners {
            None => Ok((vec![(Owner::default(), added)], lost)),
            Some(owners) => {
                let taken =
                    owners.flip_and_drain::<[u64; N]>()?.into_iter().map(|owned| (owned.owner, owned.total));
                if !owners.repeat() {
                    return Ok((taken.collect(), lost));
                }
                let mut sums = HashMap::new();
                for (owner, total) in taken {
                    add(sums.entry(owner).or_insert([0; N]), &total);
                }
                Ok((sums.into_iter().collect(), lost))
            }
        }
    }
}

/// The busiest owner first; with --top all others at the end, as one. If there are none, an unknown
/// owner with zeros.
pub fn busiest<const N: usize>(
    mut added: Delta<N>,
    options: &Options,
    size: impl Fn(&[u64; N]) -> u64,
) -> Delta<N> {
    top::keep_largest(
        &mut added,
        options.top,
        |(_, added)| size(added),
        |others| {
            let mut sum = [0; N];
            others.iter().for_each(|(_, added)| add(&mut sum, added));
            (Owner::others(options.by), sum)
        },
    );
    if added.is_empty() {
        added.push((Owner::unknown(options.by), [0; N]));
    }
    added
}

/// A subtraction is added as a negative number: the sums wrap.
fn add<const N: usize>(sum: &mut [u64; N], more: &[u64; N]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.wrapping_add(*more));
}
