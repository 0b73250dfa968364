//! The zombies at the end of an interval, by a walk over all tasks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use cli::exit::{Failure, Result};
use common::bpf::globals::shared_u64;
use common::bpf::walk::Walk;
use common::measure::counters::{Counters, Delta};
use common::measure::gauges;
use common::owner::Owner;
use libbpf_rs::{Link, Object};

use crate::row::{COUNTERS, ZOMBIES};

/// The record of a zombie.
type Zombie = [u8; Owner::RAW_BYTES];

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
        links: &BTreeMap<String, Link>,
        added: &mut Delta<COUNTERS>,
        counters: &mut Counters<'_, COUNTERS>,
    ) -> Result<()> {
        let walk = Walk::of(links, "count_zombies");
        let walk = walk.ok_or_else(|| Failure::failed("the iterator over tasks is not attached"))?;
        self.counted.store(0, Ordering::SeqCst);
        let zombies: Vec<Zombie> = walk.take("the tasks")?;
        if !counters.has_owners() {
            added.iter_mut().for_each(|(_, added)| added[ZOMBIES] = self.counted.load(Ordering::SeqCst));
            return Ok(());
        }
        let owners = zombies.iter().filter_map(|zombie| Some((counters.owner(zombie)?, 1)));
        gauges::add(added, ZOMBIES, owners);
        Ok(())
    }
}
