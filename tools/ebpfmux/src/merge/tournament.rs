//! A tournament tree over the sources, which finds the earliest record.

use crate::record::timestamp::Nanos;

/// A complete binary tree whose leaves are the sources and whose inner nodes hold the smaller child.
///
/// A node packs time and source number into one integer, so that a match is one comparison without
/// a branch, and equal times are passed on in the order of the sources.
pub struct Tree {
    nodes: Vec<u128>,
    leaves: usize,
}

const NOTHING: u128 = u128::MAX;

impl Tree {
    /// A tree for this many sources, none of which has a record yet.
    pub fn new(sources: usize) -> Self {
        let leaves = sources.next_power_of_two();
        Self { nodes: vec![NOTHING; leaves * 2], leaves }
    }

    /// Sets the time of a source's earliest record, `None` if it has none.
    pub fn set(&mut self, source: usize, time: Option<Nanos>) {
        let mut at = self.leaves + source;
        self.nodes[at] = time.map_or(NOTHING, |time| pack(time, source));
        while at > 1 {
            at /= 2;
            self.nodes[at] = self.nodes[at * 2].min(self.nodes[at * 2 + 1]);
        }
    }

    /// The source with the earliest record.
    pub fn first(&self) -> Option<usize> {
        // With one leaf there is no inner node: index 1 is the leaf itself.
        let first = self.nodes[1];
        (first != NOTHING).then_some(first as u64 as usize)
    }
}

fn pack(time: Nanos, source: usize) -> u128 {
    // Flipping the sign bit makes times before 1970 sort first.
    let time = (time as u64) ^ (1 << 63);
    u128::from(time) << 64 | source as u128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_wins_and_ties_go_by_source() {
        for sources in 1..9 {
            let mut tree = Tree::new(sources);
            assert_eq!(tree.first(), None);
            for source in 0..sources {
                tree.set(source, Some(7));
            }
            assert_eq!(tree.first(), Some(0));
            tree.set(sources - 1, Some(-3));
            assert_eq!(tree.first(), Some(sources - 1));
            tree.set(sources - 1, None);
            assert_eq!(tree.first(), (sources > 1).then_some(0));
        }
    }
}
