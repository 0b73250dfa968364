//! The record of sockls.

use std::net::IpAddr;

use common::output::{Row, or_null};
use schemars::JsonSchema;
use serde::Serialize;

use crate::socket::{DIRECTIONS, PROTOS, STATES};
use crate::space::SPACES;

/// A field that records with `--sum` may not have.
pub type Field<T> = Option<Option<T>>;

/// What tells sockets, or sums of them, apart. With `--sum` only the fields that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Keys {
    /// The process that holds it, of several the one with the lowest id; null if none does. Of a connection that ended
    /// between two looks: the process that opened it or, if that is not known, closed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7))]
    pub pid: Field<u32>,
    /// The process's name, at most 15 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub comm: Field<String>,
    /// Its descriptor there, of several the lowest. Not with --sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key"))]
    pub fd: Field<u32>,
    /// The user who made the socket, by name or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 8))]
    pub user: Field<String>,
    /// The cgroup v2 of the process: its path below the mount point.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 9, "x-cut" = "start"))]
    pub cgroup: Field<String>,
    /// The network namespace: its inode number, as `/proc/PID/ns/net` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 9))]
    pub netns: Field<u32>,
    /// tcp, udp, mptcp, udplite, icmp, raw, unix, netlink, packet, vsock or other.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "enum" = or_null(PROTOS)))]
    pub proto: Field<&'static str>,
    /// 4 or 6, the version of IP that the packets have; null if it is no socket of IP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 9, "enum" = [Some(4), Some(6), None::<u8>]))]
    pub family: Field<u8>,
    /// The state, as in tcp(7); `unconnected` of others than TCP without a peer; `closed` of one that ended in the
    /// interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 11, "enum" = or_null(STATES)))]
    pub state: Field<&'static str>,
    /// TCP: listen; local (to an address of loopback, or to its own); in (it was accepted) or out. Null if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 3, "x-width" = 6, "enum" = or_null(DIRECTIONS)))]
    pub direction: Field<&'static str>,
    /// This end's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Field<String>", extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub local_addr: Field<IpAddr>,
    /// This end's port; 0 if it has none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 5))]
    pub local_port: Field<u16>,
    /// The other end's address; null if it has no other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Field<String>", extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub remote_addr: Field<IpAddr>,
    /// The other end's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 5))]
    pub remote_port: Field<u16>,
    /// The name of the port at which the service is: of what listens or was accepted, its own; else the other end's. Null
    /// if no file has a name for it, and with --numeric.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 3))]
    pub service: Field<String>,
    /// With --resolve: the name of remote_addr; null if there is none, or it is not known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 2))]
    pub remote_name: Field<String>,
    /// What kind of address remote_addr is: unspecified, loopback, private, shared (RFC 6598), link_local, multicast,
    /// broadcast or public.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 9, "enum" = or_null(SPACES)))]
    pub remote_space: Field<&'static str>,
    /// The device that it is bound to; 0 for any. Not with --sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key"))]
    pub ifindex: Field<u32>,
    /// The number in `/proc/PID/fd`; null if no process holds it. Not with --sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key"))]
    pub inode: Field<u64>,
    /// The kernel's number of the socket, as `ss -e` has it (in hexadecimal); before Linux 5.12 null until something else
    /// has asked for it. Not with --sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key"))]
    pub cookie: Field<u64>,
}

/// A socket, or with `--sum` the sum of those that have the same keys.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Socket {
    #[serde(flatten)]
    pub keys: Keys,
    /// How many sockets the record is of: 1, more with --sum, 0 if there is none.
    #[schemars(extend("x-kind" = "gauge"))]
    pub sockets: u64,
    /// How many processes hold it. Not with --sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "gauge"))]
    pub holders: Option<u32>,
    /// TCP, with INTERVAL: since it connected, listened, or its connection was established; null if that was before the
    /// tool started. With --sum, of the oldest.
    #[schemars(extend("x-kind" = "maximum", "x-unit" = "seconds"))]
    pub age_s: Option<f64>,
    /// Bytes received and not read yet; of others than TCP, the memory that they take.
    #[schemars(extend("x-kind" = "gauge", "x-rank" = 4, "x-unit" = "bytes"))]
    pub rx_queue_bytes: u64,
    /// Bytes written and not acknowledged yet; of others than TCP, the memory of what was not sent yet.
    #[schemars(extend("x-kind" = "gauge", "x-rank" = 4, "x-unit" = "bytes"))]
    pub tx_queue_bytes: u64,
    /// TCP: bytes of data sent, each once; with INTERVAL since the last look, else in the life of the connection. Null of
    /// others.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "bytes"))]
    pub tx_bytes: Option<u64>,
    /// TCP: bytes of data received; as tx_bytes.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "bytes"))]
    pub rx_bytes: Option<u64>,
    /// TCP: segments sent again; as tx_bytes.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 5, "x-alarm" = true))]
    pub retransmits: Option<u64>,
    /// TCP: segments that were held for lost; as tx_bytes.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub lost_segments: Option<u64>,
    /// TCP: the smoothed round-trip time; null if none was measured. With --sum, the longest.
    #[schemars(extend("x-kind" = "maximum", "x-rank" = 3, "x-unit" = "microseconds"))]
    pub srtt_us: Option<u32>,
    /// TCP: its mean deviation. Not with --sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "gauge", "x-unit" = "microseconds"))]
    pub rttvar_us: Field<u32>,
    /// TCP: the round-trip time as the receiver estimates it. With --sum, the longest.
    #[schemars(extend("x-kind" = "maximum", "x-unit" = "microseconds"))]
    pub rcv_rtt_us: Option<u32>,
    /// TCP: the shortest round-trip time of the last minutes. With --sum, the shortest of all.
    #[schemars(extend("x-kind" = "minimum", "x-unit" = "microseconds"))]
    pub min_rtt_us: Option<u32>,
    /// TCP: the congestion window, in segments. Not with --sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "gauge"))]
    pub cwnd: Field<u32>,
    /// TCP: bytes of a segment. Not with --sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "gauge", "x-unit" = "bytes"))]
    pub mss: Field<u32>,
    /// TCP: bytes a second at which it may send; null without a limit. Not with --sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "gauge", "x-unit" = "bytes"))]
    pub pacing_bytes: Field<u64>,
    /// TCP, of a socket that listens: connections that wait to be accepted.
    #[schemars(extend("x-kind" = "gauge"))]
    pub backlog: Option<u64>,
    /// How many may wait. Not with --sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "gauge"))]
    pub backlog_max: Field<u32>,
}

impl Socket {
    /// The record of a look that found none: all keys are null.
    pub fn none(resolves: bool) -> Self {
        Self {
            keys: Keys::unknown(resolves),
            sockets: 0,
            holders: Some(0),
            age_s: None,
            rx_queue_bytes: 0,
            tx_queue_bytes: 0,
            tx_bytes: Some(0),
            rx_bytes: Some(0),
            retransmits: Some(0),
            lost_segments: Some(0),
            srtt_us: None,
            rttvar_us: Some(None),
            rcv_rtt_us: None,
            min_rtt_us: None,
            cwnd: Some(None),
            mss: Some(None),
            pacing_bytes: Some(None),
            backlog: None,
            backlog_max: Some(None),
        }
    }
}

impl Keys {
    fn unknown(resolves: bool) -> Self {
        Self {
            pid: Some(None),
            comm: Some(None),
            fd: Some(None),
            user: Some(None),
            cgroup: Some(None),
            netns: Some(None),
            proto: Some(None),
            family: Some(None),
            state: Some(None),
            direction: Some(None),
            local_addr: Some(None),
            local_port: Some(None),
            remote_addr: Some(None),
            remote_port: Some(None),
            service: Some(None),
            remote_name: resolves.then_some(None),
            remote_space: Some(None),
            ifindex: Some(None),
            inode: Some(None),
            cookie: Some(None),
        }
    }
}

impl Row for Socket {}

/// The same with `--sum`, for which a table shows first the keys that were asked for.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Sum(pub Socket);

impl Row for Sum {
    const FIRST: &'static [&'static str] = &["sockets"];
}
