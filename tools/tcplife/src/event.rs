//! From the bytes of an event in the ring buffer to its record.

use std::net::{IpAddr, Ipv6Addr};

use common::bpf::bytes::{text, u32_at, u64_at};

use crate::row::{Connection, DIRECTIONS};

/// Places in `struct event` of `bpf/tcplife.bpf.c`.
const LOCAL: usize = 48;
const REMOTE: usize = 64;
const LOCAL_PORT: usize = 80;
const REMOTE_PORT: usize = 82;
const COMM: usize = 84;
const COMM_LEN: usize = 16;

/// Reads a record of the ring buffer: its time (CLOCK_MONOTONIC, nanoseconds) and the connection.
pub fn decode(bytes: &[u8]) -> Option<(u64, Connection)> {
    let (ns, opened_ns) = (u64_at(bytes, 0)?, u64_at(bytes, 8)?);
    let (pid, srtt) = (u32_at(bytes, 40)?, u32_at(bytes, 36)?);
    let (local_addr, remote_addr) = (address(bytes, LOCAL)?, address(bytes, REMOTE)?);
    let connection = Connection {
        // The idle task neither connects nor accepts.
        pid: (pid != 0).then_some(pid),
        comm: (pid != 0).then_some(text(bytes.get(COMM..COMM + COMM_LEN)?)),
        family: if remote_addr.is_ipv4() { 4 } else { 6 },
        local_addr,
        local_port: u16_at(bytes, LOCAL_PORT)?,
        remote_addr,
        remote_port: u16_at(bytes, REMOTE_PORT)?,
        direction: DIRECTIONS.get(u32_at(bytes, 44)? as usize).copied()?,
        tx_bytes: u64_at(bytes, 16)?,
        rx_bytes: u64_at(bytes, 24)?,
        retransmits: u32_at(bytes, 32)?,
        // In eighths, rounded down as `ss` shows it.
        srtt_us: (srtt != 0).then_some(srtt >> 3),
        age_s: (opened_ns != 0).then(|| (ns.saturating_sub(opened_ns) as f64 / 1e3).round() / 1e6),
    };
    Some((ns, connection))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// An address in the form of IPv6, which may be a mapped IPv4 address.
fn address(bytes: &[u8], at: usize) -> Option<IpAddr> {
    let octets: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
    Some(Ipv6Addr::from(octets).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(opened_ns: u64, srtt: u32, pid: u32, direction: u32, remote: Ipv6Addr) -> Vec<u8> {
        let mut bytes = Vec::new();
        let long: [u64; 4] = [9_500_000_000, opened_ns, 101, 202];
        long.iter().for_each(|field| bytes.extend(field.to_ne_bytes()));
        [3, srtt, pid, direction].iter().for_each(|field: &u32| bytes.extend(field.to_ne_bytes()));
        bytes.extend(Ipv6Addr::LOCALHOST.octets());
        bytes.extend(remote.octets());
        [40_000u16, 80].iter().for_each(|port| bytes.extend(port.to_ne_bytes()));
        bytes.extend(b"curl\0rubbish....");
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn a_connection_has_its_ends_and_byte_counts() {
        let remote: Ipv6Addr = "2001:db8::7".parse().unwrap();
        let (ns, event) = decode(&record(7_000_000_000, 87, 11, 1, remote)).unwrap();
        assert_eq!((ns, event.pid, event.comm.as_deref()), (9_500_000_000, Some(11), Some("curl")));
        assert_eq!(
            (event.family, event.direction, event.remote_addr.to_string().as_str()),
            (6, "out", "2001:db8::7")
        );
        assert_eq!((event.local_port, event.remote_port), (40_000, 80));
        assert_eq!((event.tx_bytes, event.rx_bytes, event.retransmits), (101, 202, 3));
        assert_eq!((event.srtt_us, event.age_s), (Some(10), Some(2.5)));
    }

    #[test]
    fn what_is_not_known_is_null() {
        let event = decode(&record(0, 0, 0, 0, Ipv6Addr::UNSPECIFIED)).unwrap().1;
        assert_eq!((event.pid, event.comm, event.srtt_us, event.age_s), (None, None, None, None));
        assert_eq!(event.direction, "in");
    }

    #[test]
    fn a_mapped_address_is_one_of_ipv4() {
        let event = decode(&record(1, 8, 1, 0, "::ffff:192.0.2.1".parse().unwrap())).unwrap().1;
        assert_eq!((event.family, event.remote_addr.to_string().as_str()), (4, "192.0.2.1"));
    }

    #[test]
    fn rubbish_is_no_event() {
        assert!(decode(&[]).is_none());
        assert!(decode(&record(1, 8, 1, 2, Ipv6Addr::LOCALHOST)).is_none());
        assert!(decode(&record(1, 8, 1, 1, Ipv6Addr::LOCALHOST)[..90]).is_none());
    }
}
