//! The records of dnslat.

use std::net::IpAddr;

use common::measure::per_key::KeyDelta;
use common::output::{Distribution, Row, or_null};
use common::owner::{By, Owner};
use record::histogram::{Hist, micros};
use record::statistics::Latency;
use schemars::JsonSchema;
use serde::Serialize;

use crate::message::Message;
use crate::numbers::{rcode_name, type_name};
use crate::query::{Outcome, Query};
use crate::totals::{Counts, Server};

/// Addresses in a record, at most: as many as a datagram holds.
const ADDRESSES: usize = 64;

/// The transports, by whether it is TCP.
const TRANSPORTS: [&str; 2] = ["udp", "tcp"];

fn transport(tcp: bool) -> &'static str {
    TRANSPORTS[usize::from(tcp)]
}

/// What a server was asked in an interval, and what it answered. A query counts when it is sent, an answer when it comes,
/// a time-out when it is due.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Queries {
    /// The server's address; of multicast DNS the group's. Null in the record of an interval without any query or answer.
    #[schemars(with = "Option<String>")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub server_addr: Option<IpAddr>,
    /// udp or tcp; null as server_addr is.
    #[schemars(extend("x-kind" = "key", "x-rank" = 2, "enum" = or_null(TRANSPORTS)))]
    pub transport: Option<&'static str>,
    /// The owner, with --by: who asks; null also if that is not known.
    #[serde(flatten)]
    pub owner: Owner,
    /// Queries that were sent.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub queries: u64,
    /// Those of them for a name and type that the same process had asked for before, without an answer yet.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4))]
    pub retries: u64,
    /// Answers to queries.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3))]
    pub answers: u64,
    /// Queries to which no answer came in time.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-alarm" = true))]
    pub timeouts: u64,
    /// Answers that there is no such name.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3))]
    pub nxdomain: u64,
    /// Answers that the server failed.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-alarm" = true))]
    pub servfail: u64,
    /// Answers that the server refuses.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub refused: u64,
    /// Answers with another response code than 0.
    #[schemars(extend("x-kind" = "counter", "x-alarm" = true))]
    pub other_errors: u64,
    /// Answers that were cut to fit a datagram.
    #[schemars(extend("x-kind" = "counter"))]
    pub truncated: u64,
    /// From a query to its answer.
    #[serde(flatten)]
    pub duration: Latency,
    #[serde(flatten)]
    distribution: Distribution,
}

impl Queries {
    /// The records of an interval: one for each server and transport, and owner with --by; else one of an idle interval.
    pub fn of(deltas: Vec<KeyDelta<Counts>>, servers: &[Server], by: By, buckets: bool) -> Vec<Self> {
        let rows = deltas.into_iter().filter_map(|KeyDelta { owner, key, measured }| {
            Some(Self::new(*servers.get(key)?, owner, &measured, buckets))
        });
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() { vec![Self::idle(Owner::unknown(by), buckets)] } else { rows }
    }

    fn new((addr, tcp): Server, owner: Owner, counts: &Counts, buckets: bool) -> Self {
        Self {
            server_addr: Some(addr),
            transport: Some(transport(tcp)),
            owner,
            queries: counts.queries,
            retries: counts.retries,
            answers: counts.answers,
            timeouts: counts.timeouts,
            nxdomain: counts.nxdomain,
            servfail: counts.servfail,
            refused: counts.refused,
            other_errors: counts.other_errors,
            truncated: counts.truncated,
            duration: counts.duration.summary().into(),
            distribution: Distribution::of(&counts.duration, buckets),
        }
    }

    /// The record of an interval without anything: the tool is idle, not dead.
    fn idle(owner: Owner, buckets: bool) -> Self {
        Self { owner, distribution: Distribution::of(&Hist::default(), buckets), ..Self::default() }
    }
}

impl Row for Queries {
    fn distribution(&self) -> Option<&Distribution> {
        Some(&self.distribution)
    }
}

/// A query, when its answer came, or when its time was over without one (`--events`).
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Event {
    /// The process that asks; null if it is not known.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7))]
    pub pid: Option<u32>,
    /// The thread's command name, at most 15 bytes. Null as pid is.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub comm: Option<String>,
    /// A, AAAA, …: the type of the records that were asked for; one without a name is TYPE and its number. Null as name
    /// is.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 5))]
    pub query_type: Option<String>,
    /// The name as it was asked for, without a dot at the end; the root is a dot. What is no printable ASCII character
    /// is \DDD, its value in decimal; a dot within a label is \., a backslash \\. Null if the query has none.
    #[schemars(extend("x-kind" = "text", "x-rank" = 1, "x-cut" = "middle"))]
    pub name: Option<String>,
    /// NOERROR, NXDOMAIN, SERVFAIL, REFUSED, …: the response code; one without a name is RCODE and its number. Null
    /// without an answer.
    #[schemars(extend("x-kind" = "key", "x-rank" = 2, "x-width" = 8))]
    pub rcode: Option<String>,
    /// How many records the answer has, as its header says. Null without one.
    #[schemars(extend("x-kind" = "value", "x-rank" = 4))]
    pub answers: Option<u16>,
    /// The addresses among them (A, AAAA), with commas between; … at the end if not all records are known. Null without
    /// an answer.
    #[schemars(extend("x-kind" = "text", "x-cut" = "end"))]
    pub addresses: Option<String>,
    /// From the query to its answer, in microseconds. Null without one.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-width" = 8, "x-unit" = "microseconds"))]
    pub duration_us: Option<f64>,
    /// The server's address; of multicast DNS the group's.
    #[schemars(with = "String")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 3, "x-width" = 15))]
    pub server_addr: IpAddr,
    /// The server's port.
    #[schemars(extend("x-kind" = "key"))]
    pub server_port: u16,
    /// udp or tcp.
    #[schemars(extend("x-kind" = "key", "x-rank" = 5, "enum" = TRANSPORTS))]
    pub transport: &'static str,
    /// 4 or 6: the version of IP.
    #[schemars(extend("x-kind" = "key", "enum" = [4, 6]))]
    pub family: u8,
    /// The number that the asker chose to know the answer by.
    #[schemars(extend("x-kind" = "value"))]
    pub id: u16,
    /// 1 if the answer was cut to fit a datagram, else 0. Null without one.
    #[schemars(extend("x-kind" = "value"))]
    pub truncated: Option<u8>,
    /// 1 if the process had asked for the same name and type before, without an answer yet; else 0.
    #[schemars(extend("x-kind" = "value"))]
    pub retry: u8,
    /// The network namespace: its inode number, as `readlink /proc/PID/ns/net` shows it. 0 on a kernel that has none
    /// (without CONFIG_NET_NS).
    #[schemars(extend("x-kind" = "key"))]
    pub netns: u32,
}

impl Event {
    /// The event of what became of a query, and its time; none when it is sent.
    pub fn of(query: &Query, outcome: &Outcome<'_>) -> Option<(u64, Self)> {
        let (ns, answer) = match outcome {
            Outcome::Sent => return None,
            Outcome::Answered(answer, ns) | Outcome::AnsweredAgain(answer, ns) => (*ns, Some(*answer)),
            Outcome::TimedOut(ns) => (*ns, None),
        };
        let (pid, server) = (query.asker.pid, query.path.server);
        let event = Self {
            pid: (pid != 0).then_some(pid),
            comm: (pid != 0).then(|| query.asker.comm.clone()),
            query_type: query.asked.as_ref().map(|(_, qtype)| type_name(*qtype).into_owned()),
            name: query.asked.as_ref().map(|(name, _)| name.clone()),
            rcode: answer.map(|answer| rcode_name(answer.rcode).into_owned()),
            answers: answer.map(|answer| answer.answers),
            addresses: answer.map(addresses),
            duration_us: answer.map(|_| micros(ns.saturating_sub(query.ns))),
            server_addr: server.addr,
            server_port: server.port,
            transport: transport(query.path.tcp),
            family: if server.addr.is_ipv4() { 4 } else { 6 },
            id: query.id,
            truncated: answer.map(|answer| answer.truncated.into()),
            retry: query.is_retry.into(),
            netns: query.path.netns,
        };
        Some((ns, event))
    }
}

fn addresses(answer: &Message) -> String {
    let mut shown: Vec<String> = answer.addresses.iter().take(ADDRESSES).map(IpAddr::to_string).collect();
    if !answer.complete || answer.addresses.len() > ADDRESSES {
        shown.push("…".to_string());
    }
    shown.join(",")
}

impl Row for Event {
    const EVENT: bool = true;
}
