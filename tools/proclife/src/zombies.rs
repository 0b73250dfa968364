//! The zombies at the end of an interval, by a walk over all tasks.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use cli::exit::{Failure, Result};
use common::bpf::globals::shared_u64;
use common::measure::counters::{Counters, Delta};
use common::owner::Owner;
use libbpf_rs::{Iter, Link, Object};

use crate::row::{COUNTERS, ZOMBIES};

/// The size of the record of a zombie.
const ZOMBIE: usize = Owner::RAW_BYTES;
/// How many are read at once.
const AT_ONCE: usize = 64;

/// The walk.
pub struct Zombies<'a> {
    counted: &'a AtomicU64,
}

impl<'a> Zombies<'a> {
    /// With the variables of a loaded object.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has none.
    pub fn new(object: &'a Object) -> Result<Self> {
        Ok(Self { counted: shared_u64(object, "zombies")? })
    }

    /// Adds the present zombies to the counts, for the system or for each owner, as the iterator
    /// program finds them.
    ///
    /// # Errors
    /// When the kernel refuses the walk.
    pub fn add(
        &self,
        link: Option<&Link>,
        added: &mut Delta<COUNTERS>,
        counters: &mut Counters<'_, COUNTERS>,
    ) -> Result<()> {
        let link = link.ok_or_else(|| Failure::failed("the iterator over tasks is not attached"))?;
        self.counted.store(0, Ordering::SeqCst);
        let bytes = walk(link).map_err(|error| Failure::failed(format!("cannot walk the tasks: {error}")))?;
        if !counters.has_owners() {
            added.iter_mut().for_each(|(_, added)| added[ZOMBIES] = self.counted.load(Ordering::SeqCst));
            return Ok(());
        }
        let owners = bytes.chunks_exact(ZOMBIE).filter_map(|zombie| counters.owner(zombie));
        add_to(added, owners.collect());
        Ok(())
    }
}

/// The bytes that the iterator program writes.
fn walk(link: &Link) -> io::Result<Vec<u8>> {
    let mut iterator = Iter::new(link).map_err(io::Error::other)?;
    let (mut bytes, mut some) = (Vec::new(), [0; AT_ONCE * ZOMBIE]);
    loop {
        match iterator.read(&mut some)? {
            0 => return Ok(bytes),
            read => bytes.extend(&some[..read]),
        }
    }
}

/// Adds a zombie to each of these owners, even if nothing else was counted for it.
fn add_to(added: &mut Delta<COUNTERS>, zombies: Vec<Owner>) {
    if zombies.is_empty() {
        return;
    }
    let mut places: HashMap<Owner, usize> =
        added.iter().enumerate().map(|(place, (owner, _))| (owner.key(), place)).collect();
    for zombie in zombies {
        let place = *places.entry(zombie.key()).or_insert_with(|| {
            added.push((zombie, [0; COUNTERS]));
            added.len() - 1
        });
        added[place].1[ZOMBIES] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zombies_are_added_to_those_that_were_active_and_to_others() {
        let process = |pid, comm: &str| Owner::process(pid, comm.to_string());
        let mut added = vec![(process(7, "sh"), [1; COUNTERS]), (process(8, "sh"), [0; COUNTERS])];
        // The name of one has changed since.
        add_to(&mut added, vec![process(8, "ls"), process(9, "dd")]);
        let counts: Vec<_> = added.iter().map(|(owner, added)| (owner.clone(), added[ZOMBIES])).collect();
        assert_eq!(counts, [(process(7, "sh"), 1), (process(8, "sh"), 1), (process(9, "dd"), 1)]);
    }
}
