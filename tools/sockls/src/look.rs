//! A look at all sockets: the walks, and each socket once, with the number of processes that hold it.

use std::collections::{BTreeMap, HashMap};

use cli::exit::{Failure, Result};
use common::bpf::walk::Walk;
use libbpf_rs::Link;

use crate::socket::socket_row;
use crate::{FOLLOWED, READ};

/// The walks, as far as they are available here.
#[derive(Clone, Copy)]
pub struct Walks<'a> {
    files: Walk<'a>,
    tcp: Option<Walk<'a>>,
}

impl<'a> Walks<'a> {
    /// Those of a session.
    pub fn of(links: &'a BTreeMap<String, Link>) -> Result<Self> {
        let files = Walk::of(links, FOLLOWED).or_else(|| Walk::of(links, READ));
        let files = files.ok_or_else(|| Failure::failed("the walk over files is not attached"))?;
        Ok(Self { files, tcp: Walk::of(links, "list_tcp") })
    }

    /// The sockets that are open now and `wanted`.
    pub fn look(&self, wanted: impl Fn(&socket_row) -> bool) -> Result<Look> {
        let mut look = Look::default();
        self.files.each("the open files", |row| look.add(row, &wanted))?;
        if let Some(tcp) = self.tcp {
            tcp.each("the TCP sockets", |row| look.add(row, &wanted))?;
        }
        Ok(look)
    }
}

/// The sockets that a look has found.
#[derive(Default)]
pub struct Look {
    /// Each once, with the process of the lowest id that holds it.
    #[expect(
        clippy::vec_box,
        reason = "of two looks at very many, memory that is moved as it grows is most of all"
    )]
    pub rows: Vec<Box<socket_row>>,
    places: HashMap<u64, u32>,
    /// The other processes that hold a socket, by its place.
    more: HashMap<u32, Vec<u32>>,
}

impl Look {
    /// Adds what a walk has found: a socket, of one of its holders.
    pub fn add(&mut self, row: socket_row, wanted: impl Fn(&socket_row) -> bool) {
        if let Some(&place) = self.places.get(&row.id) {
            return self.held_by(place, row);
        }
        if wanted(&row) {
            self.places.insert(row.id, self.rows.len() as u32);
            self.rows.push(Box::new(row));
        }
    }

    fn held_by(&mut self, place: u32, row: socket_row) {
        let first = &mut self.rows[place as usize];
        // One walk after the other: the last knows no process.
        if row.pid == 0 {
            return;
        }
        if row.pid != first.pid && first.pid != 0 {
            let more = self.more.entry(place).or_default();
            let lower = row.pid < first.pid;
            let other = if lower { first.pid } else { row.pid };
            more.retain(|pid| !lower || *pid != row.pid);
            // Processes are visited one after the other.
            if more.last() != Some(&other) && !more.contains(&other) {
                more.push(other);
            }
        }
        if first.pid == 0 || (row.pid, row.fd) < (first.pid, first.fd) {
            **first = row;
        }
    }

    /// How many processes hold the socket at a place.
    pub fn holders(&self, place: usize) -> u32 {
        let first = self.rows.get(place).is_some_and(|row| row.is_held());
        u32::from(first) + self.more.get(&(place as u32)).map_or(0, |more| more.len() as u32)
    }

    /// The socket with this id, and its place.
    pub fn find(&self, id: u64) -> Option<(usize, &socket_row)> {
        let place = *self.places.get(&id)? as usize;
        Some((place, self.rows.get(place)?))
    }

    /// Leaves a socket out of what is found by its id.
    pub fn forget(&mut self, id: u64) {
        self.places.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::made::tcp;

    #[test]
    fn a_socket_is_there_once_with_all_its_holders() {
        let held = |pid, fd| socket_row { fd, ..tcp(7, pid, 10, 80, 0) };
        let mut look = Look::default();
        let rows =
            [held(12, 5), held(12, 4), held(14, 3), held(14, 9), held(12, 8), held(11, 6), held(14, 1)];
        rows.into_iter().for_each(|row| look.add(row, |_| true));
        look.add(tcp(7, 0, 10, 80, 0), |_| true);
        look.add(tcp(8, 0, 6, 80, 1), |_| true);
        look.add(tcp(9, 1, 1, 80, 1), |row| row.state != 1);
        let told: Vec<_> = look.rows.iter().map(|row| (row.id, row.pid, row.fd)).collect();
        assert_eq!(told, [(7, 11, 6), (8, 0, 3)]);
        assert_eq!([look.holders(0), look.holders(1), look.holders(2)], [3, 0, 0]);
        assert_eq!(look.find(8).map(|(place, _)| place), Some(1));
        look.forget(8);
        assert!(look.find(8).is_none() && look.find(9).is_none());
    }
}
