//! Totals that the kernel's side keeps for each of several keys, in banks, and what came to them since the last look.

use std::collections::BTreeMap;

use libbpf_rs::{MapCore, Object, num_possible_cpus};

use crate::banks::{Banks, Plain};
use crate::exit::Result;
use crate::owner::{By, Owner};
use crate::owners::{Owned, Owners};

/// More banks than this spare no more contention, only cost memory.
const MAX_BANKS: u32 = 8;

/// How many banks, for the processors of this machine: a power of two.
pub fn banks() -> u32 {
    banks_for(num_possible_cpus().unwrap_or(1) as u32)
}

fn banks_for(cpus: u32) -> u32 {
    cpus.next_power_of_two().min(MAX_BANKS)
}

/// The totals of one key in one bank.
pub trait Total: Plain + 'static {
    /// Before anything came.
    const EMPTY: &'static Self;

    /// Words at the begin of the struct, of which no event leaves all as they were.
    type Head: Plain + PartialEq;

    /// These words.
    fn head(&self) -> Self::Head;
}

impl<const N: usize> Total for [u64; N] {
    const EMPTY: &'static Self = &[0; N];

    /// All of them.
    type Head = Self;

    fn head(&self) -> Self {
        *self
    }
}

/// An array map with the banks of a key beside each other, and what was seen there at the last look.
pub struct Totals<T> {
    now: Banks<T>,
    seen: BTreeMap<usize, Box<T>>,
    banks: usize,
}

impl<T: Total> Totals<T> {
    /// Maps the totals, so many banks to a key.
    pub fn map(map: &dyn MapCore, banks: u32) -> Result<Self> {
        Ok(Self { now: Banks::map(map)?, seen: BTreeMap::new(), banks: banks as usize })
    }

    /// Hands on what each bank of a key is now and what it was at the last look, of those that changed.
    pub fn since_last(&mut self, key: usize, mut add: impl FnMut(&T, &T)) {
        for entry in key * self.banks..(key + 1) * self.banks {
            let before = self.seen.get(&entry).map_or(T::EMPTY, Box::as_ref);
            // Of a bank that did not change, its first cache line is read, not all of its kilobytes.
            if self.now.peek::<T::Head>(entry) == before.head() {
                continue;
            }
            let now = Box::new(self.now.read(entry));
            add(&now, before);
            self.seen.insert(entry, now);
        }
    }
}

/// What a tool measured, of the system or of each owner.
pub enum Kept<'a, T> {
    /// In totals that are never reset.
    System(Totals<T>),
    /// In banks that are emptied at each interval.
    Owners(Owners<'a>),
}

/// What came of one key, and whose it was.
pub struct Came<M> {
    /// Whose.
    pub owner: Owner,
    /// The tool's own number for what was done.
    pub key: usize,
    /// The sum.
    pub measured: M,
}

impl<'a, T: Total> Kept<'a, T> {
    /// What a loaded object keeps: in this map, so many banks to a key, or in its banks of owners.
    pub fn of(object: &'a Object, map: &dyn MapCore, banks: u32, by: By) -> Result<Self> {
        match by {
            By::System => Ok(Self::System(Totals::map(map, banks)?)),
            _ => Ok(Self::Owners(Owners::of(object, by)?)),
        }
    }

    /// What came since the last call under each of so many keys, where anything did. `add` adds the difference of two
    /// states of a total to a sum.
    ///
    /// # Errors
    /// When the kernel does not let it be read.
    pub fn since_last<M: Default>(
        &mut self,
        keys: usize,
        mut add: impl FnMut(&mut M, &T, &T),
    ) -> Result<Vec<Came<M>>> {
        let mut came = Vec::new();
        match self {
            Self::System(totals) => {
                for key in 0..keys {
                    let mut sum = None;
                    totals.since_last(key, |now, before| add(sum.get_or_insert_default(), now, before));
                    came.extend(sum.map(|measured| Came { owner: Owner::default(), key, measured }));
                }
            }
            Self::Owners(owners) => {
                for Owned { owner, key, total } in owners.take::<T>()? {
                    let mut measured = M::default();
                    add(&mut measured, &total, T::EMPTY);
                    came.push(Came { owner, key, measured });
                }
            }
        }
        Ok(came)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banks_are_a_power_of_two_and_not_too_many() {
        assert_eq!([1, 2, 3, 6, 200].map(banks_for), [1, 2, 4, 8, 8]);
    }
}
