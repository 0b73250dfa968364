//! From one look to the next: what moved in between, and which sockets ended.

use std::collections::{HashMap, HashSet};

use crate::look::Look;
use crate::socket::socket_row;

/// How many sockets that no look finds are kept, until their end is told: connections of other network namespaces that
/// no process holds any more.
const MOST_UNSEEN: usize = 1 << 16;

/// What a socket moved.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moved {
    pub tx_bytes: u64,
    pub rx_bytes: u64,
    pub retransmits: u64,
    pub lost_segments: u64,
}

impl Moved {
    /// In all its life.
    pub fn by(row: &socket_row) -> Self {
        Self {
            tx_bytes: row.tx_bytes,
            rx_bytes: row.rx_bytes,
            retransmits: row.retransmits.into(),
            lost_segments: row.lost_segments.into(),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            tx_bytes: self.tx_bytes.saturating_sub(before.tx_bytes),
            rx_bytes: self.rx_bytes.saturating_sub(before.rx_bytes),
            retransmits: self.retransmits.saturating_sub(before.retransmits),
            lost_segments: self.lost_segments.saturating_sub(before.lost_segments),
        }
    }
}

/// A socket to tell of: as it is, how many processes hold it, and what it moved since the last look.
pub struct Told {
    pub row: socket_row,
    pub holders: u32,
    pub moved: Moved,
}

/// The last look, and what it did not find.
#[derive(Default)]
pub struct Follow {
    last: Look,
    /// Connections that a look before the last found.
    unseen: HashMap<u64, socket_row>,
    /// Of the current look: those at whose address another socket was before, in the same interval.
    fresh: HashSet<u64>,
}

impl Follow {
    /// The sockets that ended since the last look, in `ended` (as the kernel told) or as the looks show. `passes`:
    /// whether one that the last look did not find is wanted.
    pub fn ended(
        &mut self,
        look: &mut Look,
        ended: Vec<socket_row>,
        passes: impl Fn(&socket_row) -> bool,
    ) -> Vec<Told> {
        let mut told = Vec::new();
        let mut gone = HashSet::new();
        for row in ended {
            let id = row.id;
            // The look may have been at it a moment before its end, or at another socket at its address after it.
            let seen = look.find(id).filter(|(_, now)| now.ts_ns < row.ts_ns);
            let seen = seen.map(|(place, now)| (*now, look.holders(place)));
            let one = if let Some((now, holders)) = seen {
                look.forget(id);
                gone.insert(id);
                Some(end(row, now, holders))
            } else {
                if look.find(id).is_some() {
                    self.fresh.insert(id);
                }
                match self.last.find(id).filter(|_| gone.insert(id)) {
                    Some((place, last)) => Some(end(row, *last, self.last.holders(place))),
                    None => self.unseen.remove(&id).map(|last| end(row, last, 0)),
                }
            };
            match one {
                Some(one) => told.push(one),
                None if passes(&row) => {
                    let moved = if row.opened_ns == 0 { Moved::default() } else { Moved::by(&row) };
                    told.push(Told { row, holders: 0, moved });
                }
                None => {}
            }
        }
        for (place, row) in self.last.rows.iter().enumerate() {
            let still = look.find(row.id).is_some() || gone.contains(&row.id);
            if still || row.is_remnant() || self.last.find(row.id).is_none() {
                continue;
            }
            if !row.is_tcp() {
                // There is no tracepoint for its end.
                let (row, holders) = (row.ended(), self.last.holders(place));
                told.push(Told { row, holders, moved: Moved::default() });
            } else if self.unseen.len() < MOST_UNSEEN {
                self.unseen.insert(row.id, **row);
            }
        }
        told
    }

    /// What a socket of the current look moved since the last. What one that was open before, and was not seen then,
    /// moved until now is not known to be of this interval.
    pub fn moved(&self, row: &socket_row) -> Moved {
        let before = match self.last.find(row.id) {
            _ if self.fresh.contains(&row.id) => None,
            Some((_, last)) => Some(last),
            None => self.unseen.get(&row.id),
        };
        match before {
            Some(before) => Moved::by(row).since(Moved::by(before)),
            None if row.opened_ns == 0 => Moved::default(),
            None => Moved::by(row),
        }
    }

    /// The look becomes the last one.
    pub fn next(&mut self, look: Look) {
        self.unseen.retain(|id, _| look.find(*id).is_none());
        self.fresh.clear();
        self.last = look;
    }
}

/// A socket that was found before it ended: its holder is the one that was found then.
fn end(row: socket_row, before: socket_row, holders: u32) -> Told {
    let moved = Moved::by(&row).since(Moved::by(&before));
    let held = before.is_held();
    let owner = if held { before } else { row };
    let ends = if row.ends.remote_port == 0 { before.ends } else { row.ends };
    let opened_ns = if row.opened_ns == 0 { before.opened_ns } else { row.opened_ns };
    let row = socket_row {
        pid: owner.pid,
        fd: before.fd,
        inode: before.inode,
        cgroup: owner.cgroup,
        comm: owner.comm,
        uid: before.uid,
        ends,
        opened_ns,
        ..row
    };
    Told { row, holders, moved }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::made::tcp;

    /// From this look on.
    fn from(look: Look) -> Follow {
        Follow { last: look, ..Follow::default() }
    }

    fn look(rows: &[socket_row]) -> Look {
        let mut look = Look::default();
        rows.iter().for_each(|row| look.add(*row, |_| true));
        look
    }

    fn at(ts_ns: u64, tx_bytes: u64, row: socket_row) -> socket_row {
        socket_row { ts_ns, tx_bytes, ..row }
    }

    fn told(told: &[Told]) -> Vec<(u64, u32, u64)> {
        told.iter().map(|told| (told.row.id, told.row.pid, told.moved.tx_bytes)).collect()
    }

    #[test]
    fn a_socket_moves_what_it_moved_since_the_last_look() {
        let (old, new) = (tcp(1, 5, 1, 80, 4_000), socket_row { opened_ns: 15, ..tcp(2, 5, 1, 80, 4_001) });
        let mut follow = from(look(&[at(10, 7, old)]));
        let unknown = tcp(3, 0, 4, 80, 4_002);
        let mut now = look(&[at(20, 9, old), at(20, 3, new), at(20, 11, unknown)]);
        assert!(follow.ended(&mut now, vec![], |_| true).is_empty());
        assert_eq!(now.rows.iter().map(|row| follow.moved(row).tx_bytes).collect::<Vec<_>>(), [2, 3, 0]);
        follow.next(now);
        assert_eq!(follow.moved(&at(30, 12, unknown)).tx_bytes, 1);
    }

    #[test]
    fn ends_are_told_once_and_with_who_held_it() {
        let held = tcp(1, 5, 1, 80, 4_000);
        let end = |ts_ns, bytes, row: socket_row| at(ts_ns, bytes, socket_row { pid: 0, ..row }).ended();
        let mut follow = from(look(&[at(10, 7, held)]));
        // One that lived in between, of a process that is known, and one whose is not.
        let short = socket_row { opened_ns: 12, ..tcp(2, 6, 1, 81, 4_000) };
        let other = socket_row { opened_ns: 12, ..tcp(3, 0, 1, 82, 4_000) };
        let mut now = look(&[]);
        let ended = vec![end(11, 9, held), at(14, 4, short).ended(), end(15, 2, other)];
        let ended = follow.ended(&mut now, ended, |row| row.pid != 0);
        assert_eq!(told(&ended), [(1, 5, 2), (2, 6, 4)]);
        assert!(ended.iter().all(|one| one.row.state() == "closed"));
        follow.next(now);
        assert!(follow.ended(&mut look(&[]), vec![], |_| true).is_empty());
    }

    #[test]
    fn a_socket_that_ends_after_it_was_looked_at_counts_from_there() {
        let held = tcp(1, 5, 1, 80, 4_000);
        let mut follow = from(look(&[at(10, 7, held)]));
        let mut now = look(&[at(20, 9, held)]);
        let ended = follow.ended(&mut now, vec![at(21, 10, held).ended()], |_| true);
        assert_eq!(told(&ended), [(1, 5, 1)]);
        assert_eq!(follow.moved(&now.rows[0]).tx_bytes, 2);
        follow.next(now);
        assert!(follow.ended(&mut look(&[]), vec![], |_| true).is_empty());
    }

    #[test]
    fn another_socket_at_the_same_address_begins_anew() {
        let held = tcp(1, 5, 1, 80, 4_000);
        let mut follow = from(look(&[at(10, 7, held)]));
        let next = socket_row { opened_ns: 16, ..tcp(1, 6, 1, 80, 4_001) };
        let mut now = look(&[at(20, 8, next)]);
        let ended = follow.ended(&mut now, vec![at(15, 9, held).ended()], |_| true);
        assert_eq!((told(&ended), follow.moved(&now.rows[0]).tx_bytes), (vec![(1, 5, 2)], 8));
        follow.next(now);
        assert_eq!(follow.moved(&at(30, 9, next)).tx_bytes, 1);
    }

    #[test]
    fn other_sockets_end_when_no_process_holds_them_and_connections_are_kept() {
        let udp = socket_row { protocol: 17, kind: 2, ..tcp(1, 5, 7, 53, 0) };
        let (orphan, remnant) = (tcp(2, 5, 1, 80, 4_000), socket_row { kind: 0, ..tcp(3, 0, 6, 80, 1) });
        let mut follow = from(look(&[udp, at(10, 7, orphan), remnant]));
        let mut now = look(&[]);
        assert_eq!(told(&follow.ended(&mut now, vec![], |_| true)), [(1, 5, 0)]);
        follow.next(now);
        let mut now = look(&[]);
        assert!(follow.ended(&mut now, vec![], |_| true).is_empty());
        follow.next(now);
        let ended = vec![at(40, 9, orphan).ended()];
        assert_eq!(told(&follow.ended(&mut look(&[]), ended, |_| true)), [(2, 5, 2)]);
    }
}
