//! The records of tcplife.

use std::net::IpAddr;

use common::bpf::mmap::words;
use common::measure::counters::{Delta, busiest};
use common::output::Row;
use common::owner::{Options, Owner};
use schemars::JsonSchema;
use serde::Serialize;

pub use crate::skel::names::DIRECTION as DIRECTIONS;
use crate::skel::types::{counter as Counter, counters};

/// How many counters there are in a bank.
pub const COUNTERS: usize = words::<counters>();
/// The place of the counter of losses.
pub const LOST: usize = Counter::LOST.0 as usize;

/// A connection that has ended, at the time of its end: of this machine's end, where both are here there are two.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Connection {
    /// The process that connected or accepted; null if none is known.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7))]
    pub pid: Option<u32>,
    /// The thread's command name, at most 15 bytes. Null as pid is.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub comm: Option<String>,
    /// 4 or 6: the version of IP that the packets have. An IPv6 socket with an IPv4 address (mapped) has 4.
    #[schemars(extend("x-kind" = "key", "enum" = [4, 6]))]
    pub family: u8,
    /// This end's address.
    #[schemars(with = "String")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 3, "x-width" = 15))]
    pub local_addr: IpAddr,
    /// This end's port.
    #[schemars(extend("x-kind" = "key", "x-rank" = 3))]
    pub local_port: u16,
    /// The other end's address.
    #[schemars(with = "String")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub remote_addr: IpAddr,
    /// The other end's port.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1))]
    pub remote_port: u16,
    /// in: incoming, to a listening port; out: this end connected.
    #[schemars(extend("x-kind" = "key", "x-rank" = 2, "enum" = DIRECTIONS))]
    pub direction: &'static str,
    /// The network namespace: its inode number, as `readlink /proc/PID/ns/net` shows it. 0 on a kernel that has none
    /// (without CONFIG_NET_NS).
    #[schemars(extend("x-kind" = "key"))]
    pub netns: u32,
    /// Bytes of data that the other end has acknowledged.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-unit" = "bytes"))]
    pub tx_bytes: u64,
    /// Bytes of data received, without gaps, whether the program read them or not.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-unit" = "bytes"))]
    pub rx_bytes: u64,
    /// Retransmitted segments.
    #[schemars(extend("x-kind" = "value", "x-rank" = 4, "x-alarm" = true))]
    pub retransmits: u32,
    /// The smoothed round-trip time as it was last, in microseconds; null where none was measured.
    #[schemars(extend("x-kind" = "value", "x-rank" = 4, "x-unit" = "microseconds"))]
    pub srtt_us: Option<u32>,
    /// From the established state to the connection's end, in seconds; null if it was open before
    /// the start.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-unit" = "seconds"))]
    pub age_s: Option<f64>,
}

impl Row for Connection {
    const EVENT: bool = true;
}

/// The connections of an interval.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Connections {
    /// The owner, with --by; null also if no process is known.
    #[serde(flatten)]
    pub owner: Owner,
    /// Accepted incoming connections; a connection that is never accepted counts when it ends.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub accepted: u64,
    /// Connections that this machine opened: attempts to connect that succeeded.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub connected: u64,
    /// Attempts to connect that failed: refused, timed out, or given up.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-alarm" = true))]
    pub failed: u64,
    /// Connections that ended, either way.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3))]
    pub closed: u64,
    /// Bytes of data that the other ends of those have acknowledged, in all of their lives.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "bytes"))]
    pub tx_bytes: u64,
    /// Bytes of data that those have received, in all of their lives.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "bytes"))]
    pub rx_bytes: u64,
    /// Segments that those retransmitted.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-alarm" = true))]
    pub retransmits: u64,
}

impl Connections {
    /// A record for each owner, those with the most closed connections first; an empty one if
    /// nothing happened.
    pub fn of(added: Delta<COUNTERS>, options: &Options) -> Vec<Self> {
        let by = options.by;
        let added = busiest(added, options, |added| added[Counter::CLOSED.0 as usize]);
        added.into_iter().map(|(owner, added)| Self::new(owner.or_unknown(by), &added)).collect()
    }

    /// From what was added to the counters.
    fn new(owner: Owner, added: &[u64; COUNTERS]) -> Self {
        let of = |counter: Counter| added[counter.0 as usize];
        Self {
            owner,
            accepted: of(Counter::ACCEPTED),
            connected: of(Counter::CONNECTED),
            failed: of(Counter::FAILED),
            closed: of(Counter::CLOSED),
            tx_bytes: of(Counter::TX_BYTES),
            rx_bytes: of(Counter::RX_BYTES),
            retransmits: of(Counter::RETRANSMITS),
        }
    }
}

impl Row for Connections {}

#[cfg(test)]
mod tests {
    use common::owner::By;

    use super::*;

    fn by(by: By) -> Options {
        Options { by, apps: None, top: None, map_size: 1 }
    }

    #[test]
    fn counters_land_in_their_fields() {
        let added = vec![(Owner::default(), [1, 2, 3, 4, 5, 6, 7, 8])];
        let [row] = &Connections::of(added, &by(By::System))[..] else { panic!("one record") };
        assert_eq!((row.accepted, row.connected, row.failed, row.closed), (1, 2, 3, 4));
        assert_eq!((row.tx_bytes, row.rx_bytes, row.retransmits), (5, 6, 7));
    }

    #[test]
    fn an_interval_without_any_has_a_record() {
        let rows = Connections::of(Vec::new(), &by(By::Comm));
        assert_eq!((rows.len(), rows[0].closed, &rows[0].owner), (1, 0, &Owner::unknown(By::Comm)));
    }
}
