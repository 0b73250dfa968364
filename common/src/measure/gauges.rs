//! Gauges of owners: what stands at the end of an interval, found by a walk over the tasks.

use std::collections::HashMap;

use super::counters::Delta;
use crate::owner::Owner;

/// Adds to the counter at this place of each of these owners, even if nothing else was counted for it.
pub fn add<const N: usize>(
    added: &mut Delta<N>,
    place: usize,
    found: impl IntoIterator<Item = (Owner, u64)>,
) {
    let mut places: Option<HashMap<Owner, usize>> = None;
    for (owner, number) in found {
        let places = places.get_or_insert_with(|| {
            added.iter().enumerate().map(|(place, (owner, _))| (owner.key(), place)).collect()
        });
        let at = *places.entry(owner.key()).or_insert_with(|| {
            added.push((owner, [0; N]));
            added.len() - 1
        });
        added[at].1[place] += number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_added_to_those_that_were_active_and_to_others() {
        let process = |pid, comm: &str| Owner::process(pid, comm.to_string());
        let mut added = vec![(process(7, "sh"), [1, 0]), (process(8, "sh"), [0, 0])];
        // The name of one has changed since.
        add(&mut added, 1, [(process(8, "ls"), 1), (process(9, "dd"), 3), (process(8, "ls"), 4)]);
        assert_eq!(
            added,
            [(process(7, "sh"), [1, 0]), (process(8, "sh"), [0, 5]), (process(9, "dd"), [0, 3])]
        );
    }
}
