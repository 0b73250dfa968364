//! What a socket is, from what the BPF programs tell of it.

use std::net::IpAddr;

use common::bpf::plain::Plain;
use common::endpoints::address;

pub use crate::skel::types::socket_row;

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for socket_row {}

/// `ENDED` and `PASSES` of `bpf/sockls/describe.h`.
const ENDED: u32 = 1;
const PASSES: u32 = 2;

/// include/net/tcp_states.h.
const LISTEN: u16 = 10;
const SYN_RECV: u16 = 3;
const TIME_WAIT: u16 = 6;
const NEW_SYN_RECV: u16 = 12;

/// All that a record can have as its state: those of TCP by their numbers, from 1 on, and two of our own.
pub const STATES: [&str; 13] = [
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
    "unconnected",
    "closed",
];

/// All that a record can have as its protocol.
pub const PROTOS: [&str; 11] =
    ["tcp", "udp", "mptcp", "udplite", "icmp", "raw", "unix", "netlink", "packet", "vsock", "other"];

/// All directions.
pub const DIRECTIONS: [&str; 4] = ["listen", "in", "out", "local"];

impl socket_row {
    /// Whether the kernel has told its end.
    pub fn has_ended(&self) -> bool {
        self.marks & ENDED != 0
    }

    /// Whether the owner of a socket that ended passes `--pid` and `--cgroup`.
    pub fn owner_passes(&self) -> bool {
        self.marks & PASSES != 0
    }

    /// The same socket, of which only this is known: it is not there any more.
    pub fn ended(self) -> Self {
        Self { marks: self.marks | ENDED, ..self }
    }

    /// Whether a process holds it, or is known to have done so.
    pub fn is_held(&self) -> bool {
        self.pid != 0
    }

    /// Whether it is one of IP.
    pub fn is_ip(&self) -> bool {
        [2, 10].contains(&self.family)
    }

    /// By family, type and protocol (`linux/socket.h`, `linux/in.h`).
    pub fn proto(&self) -> &'static str {
        match (self.family, self.kind, self.protocol) {
            (1, ..) => "unix",
            (2 | 10, 3, _) => "raw",
            (2 | 10, _, 6) => "tcp",
            (2 | 10, _, 17) => "udp",
            (2 | 10, _, 136) => "udplite",
            (2 | 10, _, 262) => "mptcp",
            (2 | 10, _, 1 | 58) => "icmp",
            (16, ..) => "netlink",
            (17, ..) => "packet",
            (40, ..) => "vsock",
            _ => "other",
        }
    }

    /// Whether it is one of TCP.
    pub fn is_tcp(&self) -> bool {
        self.proto() == "tcp"
    }

    /// Whether it is all that TCP keeps of a connection: in TIME_WAIT, or one that is just coming.
    pub fn is_remnant(&self) -> bool {
        self.is_tcp() && self.kind == 0
    }

    /// Whether it is a connection of TCP of which the kernel counts bytes. What ended has no state by which a listener is
    /// known.
    pub fn is_counted(&self) -> bool {
        let listened = if self.has_ended() { !self.has_peer() } else { self.state == LISTEN };
        self.is_tcp() && !self.is_remnant() && !listened
    }

    /// Whether it waits for connections.
    pub fn listens(&self) -> bool {
        self.state == LISTEN && !self.has_ended()
    }

    /// Its state.
    pub fn state(&self) -> &'static str {
        if self.has_ended() {
            return "closed";
        }
        let number = if self.state == NEW_SYN_RECV { SYN_RECV } else { self.state };
        let of_tcp = &STATES[..usize::from(NEW_SYN_RECV) - 1];
        let state = of_tcp.get(usize::from(number).wrapping_sub(1)).copied().unwrap_or("close");
        if state == "close" && !self.is_tcp() { "unconnected" } else { state }
    }

    /// This end's address.
    pub fn local_addr(&self) -> IpAddr {
        address(self.ends.local)
    }

    /// The other end's, if it has one.
    pub fn remote_addr(&self) -> Option<IpAddr> {
        self.has_peer().then(|| address(self.ends.remote))
    }

    /// Whether it is connected to an address of IP.
    pub fn has_peer(&self) -> bool {
        self.is_ip() && self.ends.remote_port != 0
    }

    /// 4 or 6: of its packets, or before there are any, its own.
    pub fn version(&self) -> u8 {
        let v6 = match self.remote_addr() {
            Some(remote) => remote.is_ipv6(),
            None => self.family == 10 && self.local_addr().is_ipv6(),
        };
        if v6 { 6 } else { 4 }
    }

    /// Of TCP: who opened it. A connection that was accepted has its listener's backlog (sk_clone_lock() copies it).
    fn is_incoming(&self) -> Option<bool> {
        match self.state {
            LISTEN => Some(true),
            SYN_RECV | NEW_SYN_RECV => Some(true),
            TIME_WAIT if self.is_remnant() => None,
            _ => Some(self.backlog_max > 0),
        }
    }

    /// Of TCP: `listen`, `local` (both ends are here), `in` or `out`; `None` if that is not known.
    pub fn direction(&self) -> Option<&'static str> {
        if !self.is_tcp() {
            return None;
        }
        // One that ended had another state before; it had no peer then, either.
        if !self.has_peer() {
            return (self.state == LISTEN || self.backlog_max > 0).then_some("listen");
        }
        let remote = address(self.ends.remote);
        if remote.is_loopback() || remote == self.local_addr() {
            return Some("local");
        }
        self.is_incoming().map(|incoming| if incoming { "in" } else { "out" })
    }

    /// The ports by which its service is known, the best first.
    pub fn service_ports(&self) -> impl Iterator<Item = u16> {
        let (local, remote) = (self.ends.local_port, self.ends.remote_port);
        let incoming = if self.is_tcp() { self.is_incoming() } else { None };
        let ports = match incoming {
            _ if !self.is_ip() => [0, 0],
            _ if remote == 0 => [local, 0],
            Some(true) => [local, 0],
            Some(false) => [remote, 0],
            None => [remote, local],
        };
        ports.into_iter().filter(|port| *port != 0)
    }
}

/// Of tests.
#[cfg(test)]
pub mod made {
    use super::*;
    use crate::skel::types::tuple;

    fn mapped(first: u8, last: u8) -> [u32; 4] {
        [0, 0, u32::from_ne_bytes([0, 0, 0xff, 0xff]), u32::from_ne_bytes([first, 0, 0, last])]
    }

    /// A socket of TCP, of a process, between 127.0.0.1 and, with a port there, 127.0.0.1.
    pub fn tcp(id: u64, pid: u32, state: u16, local_port: u16, remote_port: u16) -> socket_row {
        let remote = mapped(127, u8::from(remote_port != 0));
        let ends = tuple { local: mapped(127, 1), remote, local_port, remote_port };
        let of = socket_row { id, pid, fd: 3, state, ends, ..socket_row::default() };
        socket_row { family: 2, protocol: 6, kind: 1, ..of }
    }

    /// The same between 10.0.0.1 and 10.0.0.2.
    pub fn between_hosts(row: socket_row) -> socket_row {
        let ends = tuple { local: mapped(10, 1), remote: mapped(10, 2), ..row.ends };
        socket_row { ends, ..row }
    }
}

#[cfg(test)]
mod tests {
    use super::made::{between_hosts, tcp};
    use super::*;

    #[test]
    fn a_direction_is_known_from_the_socket_alone() {
        let accepted = |row| socket_row { backlog_max: 128, ..between_hosts(row) };
        let remnant = socket_row { kind: 0, ..between_hosts(tcp(1, 0, 6, 80, 4_000)) };
        let cases = [
            (tcp(1, 5, 10, 80, 0), Some("listen")),
            (tcp(1, 5, 10, 80, 0).ended(), Some("listen")),
            (tcp(1, 5, 7, 0, 0), None),
            (tcp(1, 5, 1, 80, 4_000), Some("local")),
            (accepted(tcp(1, 5, 1, 80, 4_000)), Some("in")),
            (between_hosts(tcp(1, 5, 1, 4_000, 80)), Some("out")),
            (socket_row { state: 12, ..remnant }, Some("in")),
            (remnant, None),
            (socket_row { protocol: 17, kind: 2, ..tcp(1, 5, 1, 80, 4_000) }, None),
        ];
        for (row, expected) in cases {
            assert_eq!(row.direction(), expected, "{row:?}");
        }
    }

    #[test]
    fn a_service_has_the_port_of_who_serves() {
        let ports = |row: socket_row| row.service_ports().collect::<Vec<_>>();
        let client = between_hosts(tcp(1, 5, 1, 4_000, 80));
        assert_eq!(ports(client), [80]);
        assert_eq!(ports(socket_row { backlog_max: 1, ..client }), [4_000]);
        assert_eq!(ports(tcp(1, 5, 10, 80, 0)), [80]);
        assert_eq!(ports(socket_row { protocol: 17, ..client }), [80, 4_000]);
        assert!(ports(socket_row { family: 1, ..client }).is_empty());
    }
}
