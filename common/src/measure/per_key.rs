//! Totals that the BPF programs keep for each of several keys, in banks that are emptied at each
//! read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use cli::exit::Result;
use libbpf_rs::{MapCore, Object, num_possible_cpus};

use super::halves::Halves;
use super::per_owner::{Owned, Owners};
use super::top;
use crate::bpf::mmap::MappedArray;
use crate::bpf::plain::{Plain, bytes_of};
use crate::owner::{By, Options, Owner};

/// More banks than this reduce contention no further, and only cost memory.
const MAX_BANKS: u32 = 8;

/// How many banks, for the processors of this machine: a power of two.
pub fn banks() -> u32 {
    banks_for(num_possible_cpus().unwrap_or(1) as u32)
}

/// How many entries a map of totals needs, for these numbers of keys and banks: each has two
/// halves.
pub fn entries(keys: u32, banks: u32) -> u32 {
    2 * keys * banks
}

fn banks_for(cpus: u32) -> u32 {
    cpus.next_power_of_two().min(MAX_BANKS)
}

/// The totals of one key in one bank. Without any event all bytes are 0.
pub trait Total: Plain {
    /// Words at the begin of the struct: every event changes at least one of them.
    type Head: Plain;
}

/// An array map in two halves, with the banks of a key beside each other.
pub struct Totals<'a, T> {
    entries: MappedArray<T>,
    halves: Halves<'a>,
    banks: usize,
}

impl<'a, T: Total> Totals<'a, T> {
    /// Maps the totals of a loaded object, with this many banks to a key.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has none.
    pub fn of(object: &'a Object, map: &dyn MapCore, banks: u32) -> Result<Self> {
        let halves = Halves::of(object, "filled_half")?;
        Ok(Self { entries: MappedArray::map_writable(map)?, halves, banks: banks as usize })
    }

    /// What was counted since the last call; valid until the next one.
    pub fn take(&mut self) -> Taken<'_, T> {
        let half = self.halves.flip();
        Taken { entries: &mut self.entries, half, banks: self.banks }
    }
}

/// What was counted in an interval, under each key.
pub struct Taken<'a, T> {
    entries: &'a mut MappedArray<T>,
    /// Which half it is in.
    pub half: usize,
    banks: usize,
}

impl<T: Total> Taken<'_, T> {
    /// Passes on the contents of each non-empty bank of a key, and empties it.
    pub fn each(&mut self, key: usize, mut add: impl FnMut(&T)) {
        for bank in key * self.banks..(key + 1) * self.banks {
            let entry = 2 * bank + self.half;
            // If a bank is empty, only its first cache line is read, not all of its kilobytes.
            if bytes_of(&self.entries.peek::<T::Head>(entry)).iter().any(|byte| *byte != 0) {
                add(&self.entries.read(entry));
                self.entries.clear(entry);
            }
        }
    }
}

/// What a tool measured, for the system or for each owner.
pub enum PerKey<'a, T> {
    /// In totals of a fixed set of keys.
    System(Totals<'a, T>),
    /// In maps with an entry for each owner.
    Owners(Owners<'a>),
}

/// What was measured under one key, and the owner.
pub struct KeyDelta<M> {
    /// The owner.
    pub owner: Owner,
    /// A number for the kind of work, which the tool defines.
    pub key: usize,
    /// The sum.
    pub measured: M,
}

impl<'a, T: Total> PerKey<'a, T> {
    /// The totals of a loaded object: in this map, with this many banks to a key, or in its banks
    /// of owners.
    pub fn of(object: &'a Object, map: &dyn MapCore, banks: u32, options: &Options) -> Result<Self> {
        match options.by {
            By::System => Ok(Self::System(Totals::of(object, map, banks)?)),
            _ => Ok(Self::Owners(Owners::of(object, options)?)),
        }
    }

    /// What was measured since the last call under each of these keys, without empty ones; for
    /// owners under all keys. `add` adds a total to a sum.
    ///
    /// # Errors
    /// When the kernel refuses the read.
    pub fn since_last<M: Default>(
        &mut self,
        keys: impl Iterator<Item = usize>,
        mut add: impl FnMut(&mut M, &T),
    ) -> Result<Vec<KeyDelta<M>>> {
        let mut deltas = Vec::new();
        match self {
            Self::System(totals) => {
                let mut taken = totals.take();
                for key in keys {
                    let mut sum = None;
                    taken.each(key, |total| add(sum.get_or_insert_default(), total));
                    deltas.extend(sum.map(|measured| KeyDelta { owner: Owner::default(), key, measured }));
                }
            }
            Self::Owners(owners) => {
                let taken = owners.flip_and_drain::<T>()?;
                if owners.repeat() {
                    let mut sums: HashMap<(Owner, usize), M> = HashMap::new();
                    for Owned { owner, key, total } in taken {
                        add(sums.entry((owner, key)).or_default(), &total);
                    }
                    let delta = |((owner, key), measured)| KeyDelta { owner, key, measured };
                    deltas.extend(sums.into_iter().map(delta));
                } else {
                    deltas.extend(taken.into_iter().map(|Owned { owner, key, total }| {
                        let mut measured = M::default();
                        add(&mut measured, &total);
                        KeyDelta { owner, key, measured }
                    }));
                }
            }
        }
        Ok(deltas)
    }
}

/// By key, and under each key the busiest owner first. With --top only the owners with the most
/// under all keys together; under each key the others come last, as one. `merge` adds one sum to
/// another.
pub fn busiest<M: Default>(
    deltas: Vec<KeyDelta<M>>,
    options: &Options,
    size: impl Fn(&M) -> u64,
    mut merge: impl FnMut(&mut M, &M),
) -> Vec<KeyDelta<M>> {
    let mut sizes: HashMap<Owner, u64> = HashMap::new();
    if options.top.is_some() {
        deltas.iter().for_each(|one| *sizes.entry(one.owner.clone()).or_default() += size(&one.measured));
    }
    let mut owners: Vec<_> = sizes.into_iter().collect();
    // Ties are broken by owner, so that all keys agree.
    owners.sort();
    let others: HashMap<Owner, u64> =
        top::split_largest(&mut owners, options.top, |(_, size)| *size).into_iter().collect();
    let (mut kept, mut together) = (Vec::new(), BTreeMap::<usize, M>::new());
    for one in deltas {
        match others.contains_key(&one.owner) {
            true => merge(together.entry(one.key).or_default(), &one.measured),
            false => kept.push(one),
        }
    }
    kept.sort_by_cached_key(|one| (one.key, Reverse(size(&one.measured))));
    let owner = Owner::others(options.by);
    kept.extend(together.into_iter().map(|(key, measured)| KeyDelta { owner: owner.clone(), key, measured }));
    // A stable sort: the order within a key is kept.
    kept.sort_by_key(|one| one.key);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_owners_of_all_keys_stay_and_the_others_are_added_up_under_each() {
        let item =
            |comm: &str, key, measured: u64| KeyDelta { owner: Owner::comm(comm.into()), key, measured };
        let all =
            || vec![item("c", 1, 2), item("a", 0, 3), item("b", 1, 9), item("b", 0, 1), item("c", 0, 4)];
        let ranked = |top| {
            let options = Options { by: By::Comm, apps: None, top, map_size: 1 };
            let kept = busiest(all(), &options, |count| *count, |sum, more| *sum += more);
            let rows = kept.into_iter().map(|one| (one.key, one.owner.comm.flatten().unwrap(), one.measured));
            rows.map(|(key, comm, count)| format!("{key}{comm}{count}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ranked(None), "0c4 0a3 0b1 1b9 1c2");
        assert_eq!(ranked(Some(2)), "0c4 0b1 0(other)3 1b9 1c2");
        assert_eq!(ranked(Some(1)), "0b1 0(other)7 1b9 1(other)2");
    }

    #[test]
    fn banks_are_a_power_of_two_and_not_too_many() {
        assert_eq!([1, 2, 3, 6, 200].map(banks_for), [1, 2, 4, 8, 8]);
    }
}
