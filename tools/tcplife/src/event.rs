//! From the bytes of an event in the ring buffer to its record.

use common::bpf::bytes::{chars, text};
use common::bpf::plain::{Plain, cast};
use common::endpoints::address;

use crate::row::{Connection, DIRECTIONS};
use crate::skel::types;

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for types::event {}

/// Reads a record of the ring buffer: its time (CLOCK_MONOTONIC, nanoseconds) and the connection.
pub fn decode(bytes: &[u8]) -> Option<(u64, Connection)> {
    let (raw, _) = cast::<types::event>(bytes)?;
    let (local_addr, remote_addr) = (address(raw.tuple.local), address(raw.tuple.remote));
    let connection = Connection {
        // The idle task neither connects nor accepts.
        pid: (raw.pid != 0).then_some(raw.pid),
        comm: (raw.pid != 0).then(|| text(chars(&raw.comm))),
        family: if remote_addr.is_ipv4() { 4 } else { 6 },
        local_addr,
        local_port: raw.tuple.local_port,
        remote_addr,
        remote_port: raw.tuple.remote_port,
        direction: DIRECTIONS.get(raw.direction as usize).copied()?,
        netns: raw.netns,
        tx_bytes: raw.tx_bytes,
        rx_bytes: raw.rx_bytes,
        retransmits: raw.retransmits,
        // In eighths, rounded down as `ss` shows it.
        srtt_us: (raw.srtt_us != 0).then_some(raw.srtt_us >> 3),
        age_s: (raw.opened_ns != 0)
            .then(|| (raw.ts_ns.saturating_sub(raw.opened_ns) as f64 / 1e3).round() / 1e6),
    };
    Some((raw.ts_ns, connection))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use common::bpf::plain::bytes_of;

    use super::*;

    fn raw(opened_ns: u64, srtt_us: u32, pid: u32, direction: u32, remote: Ipv6Addr) -> types::event {
        let words = |address: Ipv6Addr| {
            let octets = address.octets();
            [0, 4, 8, 12].map(|at| u32::from_ne_bytes(octets[at..at + 4].try_into().unwrap()))
        };
        types::event {
            ts_ns: 9_500_000_000,
            opened_ns,
            tx_bytes: 101,
            rx_bytes: 202,
            retransmits: 3,
            srtt_us,
            pid,
            direction,
            tuple: types::tuple {
                local: words(Ipv6Addr::LOCALHOST),
                remote: words(remote),
                local_port: 40_000,
                remote_port: 80,
            },
            comm: b"curl\0rubbish....".map(|byte| byte as i8),
            netns: 4_026_531_840,
        }
    }

    #[test]
    fn a_connection_has_its_ends_and_byte_counts() {
        let remote: Ipv6Addr = "2001:db8::7".parse().unwrap();
        let (ns, event) = decode(bytes_of(&raw(7_000_000_000, 87, 11, 1, remote))).unwrap();
        assert_eq!((ns, event.pid, event.comm.as_deref()), (9_500_000_000, Some(11), Some("curl")));
        assert_eq!(
            (event.family, event.direction, event.remote_addr.to_string().as_str()),
            (6, "out", "2001:db8::7")
        );
        assert_eq!((event.local_port, event.remote_port, event.netns), (40_000, 80, 4_026_531_840));
        assert_eq!((event.tx_bytes, event.rx_bytes, event.retransmits), (101, 202, 3));
        assert_eq!((event.srtt_us, event.age_s), (Some(10), Some(2.5)));
    }

    #[test]
    fn what_is_not_known_is_null() {
        let event = decode(bytes_of(&raw(0, 0, 0, 0, Ipv6Addr::UNSPECIFIED))).unwrap().1;
        assert_eq!((event.pid, event.comm, event.srtt_us, event.age_s), (None, None, None, None));
        assert_eq!(event.direction, "in");
    }

    #[test]
    fn a_mapped_address_is_one_of_ipv4() {
        let event = decode(bytes_of(&raw(1, 8, 1, 0, "::ffff:192.0.2.1".parse().unwrap()))).unwrap().1;
        assert_eq!((event.family, event.remote_addr.to_string().as_str()), (4, "192.0.2.1"));
    }

    #[test]
    fn rubbish_is_no_event() {
        assert!(decode(&[]).is_none());
        assert!(decode(bytes_of(&raw(1, 8, 1, 2, Ipv6Addr::LOCALHOST))).is_none());
        assert!(decode(&bytes_of(&raw(1, 8, 1, 1, Ipv6Addr::LOCALHOST))[..90]).is_none());
    }
}
