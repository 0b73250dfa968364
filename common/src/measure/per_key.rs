//! Totals that the kernel's side keeps for each of several keys, in banks, and what came to them since the last look.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use cli::exit::Result;
use libbpf_rs::{MapCore, Object, num_possible_cpus};

use super::per_owner::{Owned, Owners};
use super::top;
use crate::bpf::mmap::{Banks, Plain};
use crate::owner::{By, Options, Owner};

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
    pub fn of(object: &'a Object, map: &dyn MapCore, banks: u32, options: &Options) -> Result<Self> {
        match options.by {
            By::System => Ok(Self::System(Totals::map(map, banks)?)),
            _ => Ok(Self::Owners(Owners::of(object, options)?)),
        }
    }

    /// What came since the last call under each of these keys, where anything did; of owners under all. `add` adds the
    /// difference of two states of a total to a sum.
    ///
    /// # Errors
    /// When the kernel does not let it be read.
    pub fn since_last<M: Default>(
        &mut self,
        keys: impl Iterator<Item = usize>,
        mut add: impl FnMut(&mut M, &T, &T),
    ) -> Result<Vec<Came<M>>> {
        let mut came = Vec::new();
        match self {
            Self::System(totals) => {
                for key in keys {
                    let mut sum = None;
                    totals.since_last(key, |now, before| add(sum.get_or_insert_default(), now, before));
                    came.extend(sum.map(|measured| Came { owner: Owner::default(), key, measured }));
                }
            }
            Self::Owners(owners) if owners.repeat() => {
                let mut sums: HashMap<(Owner, usize), M> = HashMap::new();
                for Owned { owner, key, total } in owners.take::<T>()? {
                    add(sums.entry((owner, key)).or_default(), &total, T::EMPTY);
                }
                came.extend(sums.into_iter().map(|((owner, key), measured)| Came { owner, key, measured }));
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

/// By key, and under each key the busiest owner first. With --top only those owners that have the most under all keys
/// together; under each key the others come last, as one. `merge` adds one sum to another.
pub fn busiest<M: Default>(
    came: Vec<Came<M>>,
    options: &Options,
    size: impl Fn(&M) -> u64,
    mut merge: impl FnMut(&mut M, &M),
) -> Vec<Came<M>> {
    let mut sizes: HashMap<Owner, u64> = HashMap::new();
    if options.top.is_some() {
        came.iter().for_each(|one| *sizes.entry(one.owner.clone()).or_default() += size(&one.measured));
    }
    let mut owners: Vec<_> = sizes.into_iter().collect();
    // The smaller owner first where two have done as much, so that all keys agree.
    owners.sort();
    let others: HashMap<Owner, u64> =
        top::split_largest(&mut owners, options.top, |(_, size)| *size).into_iter().collect();
    let (mut kept, mut together) = (Vec::new(), BTreeMap::<usize, M>::new());
    for one in came {
        match others.contains_key(&one.owner) {
            true => merge(together.entry(one.key).or_default(), &one.measured),
            false => kept.push(one),
        }
    }
    kept.sort_by_cached_key(|one| (one.key, Reverse(size(&one.measured))));
    let owner = Owner::others(options.by);
    kept.extend(together.into_iter().map(|(key, measured)| Came { owner: owner.clone(), key, measured }));
    // It leaves those of a key in their order.
    kept.sort_by_key(|one| one.key);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_owners_of_all_keys_stay_and_the_others_are_added_up_under_each() {
        let came = |comm: &str, key, measured: u64| Came { owner: Owner::comm(comm.into()), key, measured };
        let all =
            || vec![came("c", 1, 2), came("a", 0, 3), came("b", 1, 9), came("b", 0, 1), came("c", 0, 4)];
        let told = |top| {
            let options = Options { by: By::Comm, apps: None, top, map_size: 1 };
            let came = busiest(all(), &options, |count| *count, |sum, more| *sum += more);
            let told = came.into_iter().map(|one| (one.key, one.owner.comm.flatten().unwrap(), one.measured));
            told.map(|(key, comm, count)| format!("{key}{comm}{count}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(None), "0c4 0a3 0b1 1b9 1c2");
        assert_eq!(told(Some(2)), "0c4 0b1 0(other)3 1b9 1c2");
        assert_eq!(told(Some(1)), "0b1 0(other)7 1b9 1(other)2");
    }

    #[test]
    fn banks_are_a_power_of_two_and_not_too_many() {
        assert_eq!([1, 2, 3, 6, 200].map(banks_for), [1, 2, 4, 8, 8]);
    }
}
