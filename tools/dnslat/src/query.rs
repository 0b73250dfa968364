//! A query, its ends, who asks, and what becomes of it.

use std::net::{IpAddr, Ipv4Addr};

use crate::message::{Message, Question};
use crate::skel::types::named_owner;

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// The address; one of IPv4 also where the socket is of IPv6.
    pub addr: IpAddr,
    /// The port.
    pub port: u16,
}

/// Where a message was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// The network namespace.
    pub netns: u32,
    /// Whether by TCP.
    pub tcp: bool,
    /// The asker's end.
    pub local: End,
    /// The server's.
    pub server: End,
    /// Of a query that opens its connection (TCP Fast Open), the socket's address: its own end is not known yet. Else 0.
    pub socket: u64,
}

impl Path {
    /// That of a query which opened this connection, over a socket with this address.
    pub fn opened_by(self, socket: u64) -> Self {
        Self { local: End { addr: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0 }, socket, ..self }
    }
}

/// Who asks.
#[derive(Clone)]
pub struct Asker {
    /// The process; 0 if it is not known.
    pub pid: u32,
    /// The thread's name.
    pub comm: String,
    /// With --by, as the BPF programs describe it.
    pub who: named_owner,
}

/// A query.
pub struct Query {
    /// When it was sent.
    pub ns: u64,
    /// Between which ends.
    pub path: Path,
    /// Who asks.
    pub asker: Asker,
    /// What the asker chose to know the answer by.
    pub id: u16,
    /// The name as it was asked for, and the type; none if they cannot be read.
    pub asked: Option<(String, u16)>,
    /// Whether the process had asked so before, without an answer yet.
    pub is_retry: bool,
    /// What its name and type are compared by.
    pub(crate) question: Option<Question>,
    /// The packet's address, and the device that was to send it; 0 if that is not known.
    pub(crate) packet: (u64, u32),
    /// Whether one of several answers has come.
    pub(crate) answered: bool,
}

impl Query {
    /// From a message, and what it asks.
    pub fn new(
        ns: u64,
        path: Path,
        asker: Asker,
        packet: (u64, u32),
        message: &Message,
        question: Option<Question>,
    ) -> Self {
        let asked = message.question.as_ref().map(|(name, qtype)| (name.to_string(), *qtype));
        Self { ns, path, asker, id: message.id, asked, is_retry: false, question, packet, answered: false }
    }
}

/// What has become of a query.
pub enum Outcome<'a> {
    /// It was sent.
    Sent,
    /// The first answer, or the only one, and when it came.
    Answered(&'a Message, u64),
    /// Another answer to a query that was sent to many.
    AnsweredAgain(&'a Message, u64),
    /// No answer came in time, until this moment.
    TimedOut(u64),
}
