//! The descriptors that are open at the end of an interval, by a walk over all tasks.

use std::collections::{BTreeMap, HashSet};

use cli::exit::Result;
use common::bpf::plain::{Plain, bytes_of};
use common::bpf::walk::Walk;
use common::measure::counters::{Counters, Delta};
use common::measure::gauges;
use libbpf_rs::Link;

use crate::row::{COUNTERS, FDS};
use crate::skel::types::{named_owner, table};

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for named_owner {}
// SAFETY: as above.
unsafe impl Plain for table {}

/// The walk of these links, if its hook has a rung here.
pub fn walk(links: &BTreeMap<String, Link>) -> Option<Walk<'_>> {
    Walk::of(links, "count_fds")
}

/// Adds the open descriptors to the counts, for the system or for each owner.
///
/// # Errors
/// When the kernel refuses the walk.
pub fn add(walk: Walk<'_>, added: &mut Delta<COUNTERS>, counters: &mut Counters<'_, COUNTERS>) -> Result<()> {
    let tables = once(walk.take("the tasks")?);
    if !counters.has_owners() {
        let open: u64 = tables.iter().map(|table| table.open).sum();
        added.iter_mut().for_each(|(_, added)| added[FDS] = open);
        return Ok(());
    }
    let owned = tables.iter().filter_map(|table| Some((counters.owner(bytes_of(&table.who))?, table.open)));
    gauges::add(added, FDS, owned);
    Ok(())
}

/// Each table once: several processes may share it (CLONE_FILES). It belongs to the first.
fn once(mut tables: Vec<table>) -> Vec<table> {
    let mut seen = HashSet::new();
    tables.retain(|table| seen.insert(table.id));
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_table_counts_once() {
        let one = |id, open| table { id, open, ..table::default() };
        let tables = once(vec![one(7, 3), one(8, 4), one(7, 3)]);
        assert_eq!(tables.iter().map(|table| table.open).collect::<Vec<_>>(), [3, 4]);
    }
}
