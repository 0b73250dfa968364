//! The record of inetstat.

use common::hooks::plan::Plan;
use common::measure::per_key::KeyDelta;
use common::output::{Row, or_null};
use common::owner::{By, Owner};
use schemars::JsonSchema;
use serde::Serialize;

use crate::hooks;
use crate::skel::names;
pub use crate::skel::names::PROTO as PROTOS;
use crate::skel::types::{figure as Figure, proto as Proto};
use crate::totals::FAMILIES;

/// How many things are counted under a key.
pub const FIGURES: usize = names::FIGURE.len();
/// What was counted, by `enum figure` of the BPF program.
pub type Figures = [u64; FIGURES];

/// What was sent and received over a protocol in an interval, and what failed. Null: the protocol has no such thing, or
/// this kernel shows it to no program.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Sockets {
    /// tcp, udp, mptcp or udplite; null in the record of an interval without any.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7, "enum" = or_null(PROTOS)))]
    pub proto: Option<&'static str>,
    /// With --split family: 4 or 6, the version of IP that the packets have; of a socket that is not connected, its own.
    /// Null as proto is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "enum" = [Some(4), Some(6), None::<u8>]))]
    pub family: Option<Option<u8>>,
    /// The owner, with --by; null also if no process is known.
    #[serde(flatten)]
    pub owner: Owner,
    /// Calls that sent, or failed to.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3))]
    pub sends: Option<u64>,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4, "x-alarm" = true))]
    pub send_errors: Option<u64>,
    /// Bytes of data that the others took.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "bytes"))]
    pub tx_bytes: Option<u64>,
    /// Calls that received, or failed to; no peeks.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3))]
    pub receives: Option<u64>,
    /// Those that failed.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4, "x-alarm" = true))]
    pub receive_errors: Option<u64>,
    /// Bytes of data that the others returned.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "bytes"))]
    pub rx_bytes: Option<u64>,
    /// Calls, of either direction, that would have had to wait; they are not in the counts above.
    #[schemars(extend("x-kind" = "counter"))]
    pub would_block: Option<u64>,
    /// Connections that programs accepted.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3))]
    pub accepts: Option<u64>,
    /// Attempts to connect, when they begin.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3))]
    pub connects: Option<u64>,
    /// Attempts to connect that failed: refused, timed out, or given up.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-alarm" = true))]
    pub connect_errors: Option<u64>,
    /// Resets that sockets sent.
    #[schemars(extend("x-kind" = "counter"))]
    pub resets_sent: Option<u64>,
    /// Resets that sockets received.
    #[schemars(extend("x-kind" = "counter"))]
    pub resets_received: Option<u64>,
    /// Segments that were sent again.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-alarm" = true))]
    pub retransmits: Option<u64>,
    /// Bytes of data that these held.
    #[schemars(extend("x-kind" = "counter", "x-unit" = "bytes"))]
    pub retransmit_bytes: Option<u64>,
    /// Datagrams that were received and dropped, because the socket's buffer was full.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4, "x-alarm" = true))]
    pub drops: Option<u64>,
}

/// Which hooks were taken.
#[derive(Clone, Copy, Debug)]
pub struct Sees {
    sends: bool,
    receives: bool,
    accepts: bool,
    connects: bool,
    resets_sent: bool,
    resets_received: bool,
    retransmits: bool,
    drops: bool,
}

impl Sees {
    /// From the plan that was carried out.
    pub fn of(plan: &Plan) -> Self {
        let sees = |hook| plan.hooks.iter().any(|planned| planned.hook == hook && planned.rung.is_some());
        Self {
            sends: sees(hooks::SENDS),
            receives: sees(hooks::RECEIVES),
            accepts: sees(hooks::ACCEPTS),
            connects: sees(hooks::CONNECTS),
            resets_sent: sees(hooks::RESETS_SENT),
            resets_received: sees(hooks::RESETS_RECEIVED),
            retransmits: sees(hooks::RETRANSMITS),
            drops: sees(hooks::DROPS),
        }
    }
}

impl Sockets {
    /// The records of an interval: one for each protocol that was active, of each family and owner; else one of an idle
    /// interval.
    pub fn of(added: Vec<KeyDelta<Figures>>, by: By, split: bool, sees: Sees) -> Vec<Self> {
        let row = |KeyDelta { owner, key, measured }| {
            let (proto, family) = if split { (key / FAMILIES.len(), key % FAMILIES.len()) } else { (key, 0) };
            let kind = Proto(proto as u32);
            Some(Self {
                proto: Some(*PROTOS.get(proto)?),
                family: split.then_some(Some(FAMILIES[family])),
                owner: owner.or_unknown(by),
                ..Self::figures(&measured, Has::of(kind), sees)
            })
        };
        let rows: Vec<_> = added.into_iter().filter_map(row).collect();
        if rows.is_empty() { vec![Self::idle(by, split, sees)] } else { rows }
    }

    /// The tool is idle, not dead.
    fn idle(by: By, split: bool, sees: Sees) -> Self {
        let family = split.then_some(None);
        Self { family, owner: Owner::unknown(by), ..Self::figures(&[0; FIGURES], Has::ALL, sees) }
    }

    fn figures(added: &Figures, has: Has, sees: Sees) -> Self {
        let of = |figure: Figure, known: bool| known.then(|| added[figure.0 as usize]);
        Self {
            sends: of(Figure::SENDS, sees.sends),
            send_errors: of(Figure::SEND_ERRORS, sees.sends),
            tx_bytes: of(Figure::TX_BYTES, sees.sends),
            receives: of(Figure::RECEIVES, sees.receives),
            receive_errors: of(Figure::RECEIVE_ERRORS, sees.receives),
            rx_bytes: of(Figure::RX_BYTES, sees.receives),
            would_block: of(Figure::WOULD_BLOCK, sees.sends && sees.receives),
            accepts: of(Figure::ACCEPTS, has.connections && sees.accepts),
            connects: of(Figure::CONNECTS, has.connections && sees.connects),
            connect_errors: of(Figure::CONNECT_ERRORS, has.connections && sees.connects),
            resets_sent: of(Figure::RESETS_SENT, has.segments && sees.resets_sent),
            resets_received: of(Figure::RESETS_RECEIVED, has.segments && sees.resets_received),
            retransmits: of(Figure::RETRANSMITS, has.segments && sees.retransmits),
            retransmit_bytes: of(Figure::RETRANSMIT_BYTES, has.segments && sees.retransmits),
            drops: of(Figure::DROPS, has.datagrams && sees.drops),
            ..Self::default()
        }
    }
}

/// What a protocol has. MPTCP's segments are those of the TCP connections beneath.
#[derive(Clone, Copy)]
struct Has {
    connections: bool,
    segments: bool,
    datagrams: bool,
}

impl Has {
    const ALL: Self = Self { connections: true, segments: true, datagrams: true };

    fn of(proto: Proto) -> Self {
        let is = |protos: [Proto; 2]| protos.contains(&proto);
        Self {
            connections: is([Proto::TCP, Proto::MPTCP]),
            segments: is([Proto::TCP; 2]),
            datagrams: is([Proto::UDP, Proto::UDPLITE]),
        }
    }
}

impl Row for Sockets {}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Sees = Sees {
        sends: true,
        receives: true,
        accepts: true,
        connects: true,
        resets_sent: true,
        resets_received: true,
        retransmits: true,
        drops: true,
    };

    fn rows(key: usize, split: bool, sees: Sees) -> Vec<Sockets> {
        let measured = std::array::from_fn(|figure| figure as u64 + 1);
        Sockets::of(vec![KeyDelta { owner: Owner::default(), key, measured }], By::System, split, sees)
    }

    #[test]
    fn figures_land_in_their_fields() {
        let [tcp] = &rows(0, false, ALL)[..] else { panic!("one record") };
        assert_eq!((tcp.proto, tcp.family), (Some("tcp"), None));
        assert_eq!((tcp.sends, tcp.send_errors, tcp.tx_bytes), (Some(1), Some(2), Some(3)));
        assert_eq!((tcp.receives, tcp.receive_errors, tcp.rx_bytes), (Some(4), Some(5), Some(6)));
        assert_eq!((tcp.would_block, tcp.accepts), (Some(7), Some(8)));
        assert_eq!((tcp.connects, tcp.connect_errors), (Some(9), Some(10)));
        assert_eq!((tcp.resets_sent, tcp.resets_received), (Some(11), Some(12)));
        assert_eq!((tcp.retransmits, tcp.retransmit_bytes, tcp.drops), (Some(13), Some(14), None));
    }

    #[test]
    fn a_protocol_has_only_what_there_is_of_it() {
        let [udp] = &rows(1, false, ALL)[..] else { panic!("one record") };
        assert_eq!((udp.proto, udp.accepts, udp.retransmits, udp.drops), (Some("udp"), None, None, Some(15)));
        let [mptcp] = &rows(2, false, ALL)[..] else { panic!("one record") };
        assert_eq!((mptcp.accepts, mptcp.resets_sent, mptcp.drops), (Some(8), None, None));
    }

    #[test]
    fn families_are_keys_of_their_own() {
        let family = |key| rows(key, true, ALL).into_iter().map(|row| (row.proto, row.family)).next();
        assert_eq!(family(0), Some((Some("tcp"), Some(Some(4)))));
        assert_eq!(family(7), Some((Some("udplite"), Some(Some(6)))));
    }

    #[test]
    fn what_no_hook_shows_is_null() {
        let [tcp] = &rows(0, false, Sees { sends: false, accepts: false, ..ALL })[..] else { panic!("one") };
        assert_eq!((tcp.sends, tcp.tx_bytes, tcp.would_block, tcp.accepts), (None, None, None, None));
        assert_eq!((tcp.receives, tcp.connects), (Some(4), Some(9)));
    }

    #[test]
    fn an_idle_interval_has_a_record() {
        let rows = Sockets::of(Vec::new(), By::Comm, true, ALL);
        let [idle] = &rows[..] else { panic!("one record") };
        assert_eq!((idle.proto, idle.family, &idle.owner), (None, Some(None), &Owner::unknown(By::Comm)));
        assert_eq!((idle.sends, idle.retransmits, idle.drops), (Some(0), Some(0), Some(0)));
    }
}
