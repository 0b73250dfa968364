//! From the bytes of the ring buffer to queries and what becomes of them.

use std::collections::HashMap;

use common::bpf::bytes::{chars, text};
use common::bpf::plain::{Plain, cast};
use common::endpoints::address;

use crate::message::{HEADER, Message};
use crate::names_filter::NamesFilter;
use crate::pending::Pending;
use crate::query::{Asker, End, Outcome, Path, Query};
use crate::skel::types::{self, way as Way};
use crate::stream::Stream;

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for types::message {}

/// Directions of connections in which a part of a message has come, at most.
const STREAMS: usize = 4096;

/// A direction of a TCP connection, by its socket's address and its ends.
type Direction = (u64, Path, bool);

/// The beginning of a message that has not come whole.
struct Begun {
    stream: Stream,
    /// When it began, and when the last part came.
    ns: u64,
    last_ns: u64,
}

/// What reads them.
pub struct Reader {
    filter: NamesFilter,
    timeout_ns: u64,
    pending: Pending,
    begun: HashMap<Direction, Begun>,
    lost: u64,
}

impl Reader {
    /// A reader of queries for these names: at most so many wait at once, for so long.
    pub fn new(filter: NamesFilter, timeout_ns: u64, most: usize) -> Self {
        let pending = Pending::new(timeout_ns, most);
        Self { filter, timeout_ns, pending, begun: HashMap::new(), lost: 0 }
    }

    /// What found no room or could not be read, since the last call.
    pub fn lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost) + std::mem::take(&mut self.pending.lost)
    }

    /// Takes a record of the ring buffer.
    pub fn record(&mut self, bytes: &[u8], sink: &mut impl FnMut(&Query, Outcome<'_>)) {
        let Some((raw, known)) = cast::<types::message>(bytes) else { return };
        let known = known.get(..raw.captured as usize).unwrap_or(known);
        let asks = raw.way == Way::UDP_QUERY.0 || raw.way == Way::TCP_QUERY.0;
        let tcp = raw.way == Way::TCP_QUERY.0 || raw.way == Way::TCP_ANSWER.0;
        let path = Path {
            netns: raw.netns,
            tcp,
            local: End { addr: address(raw.tuple.local), port: raw.tuple.local_port },
            server: End { addr: address(raw.tuple.remote), port: raw.tuple.remote_port },
            socket: 0,
        };
        let opens = tcp && asks && path.local.port == 0;
        let path = if opens { path.opened_by(raw.object) } else { path };
        match tcp {
            false => self.message(raw, raw.ts_ns, path, asks, (raw.len as usize, known), sink),
            true => self.part(raw, path, asks, known, sink),
        }
    }

    /// No record has come since this time (CLOCK_MONOTONIC, nanoseconds) but those that were taken.
    pub fn passed(&mut self, ns: u64, sink: &mut impl FnMut(&Query, Outcome<'_>)) {
        self.pending.passed(ns, sink);
    }

    /// A part of a direction of a connection.
    fn part(
        &mut self,
        raw: &types::message,
        path: Path,
        asks: bool,
        known: &[u8],
        sink: &mut impl FnMut(&Query, Outcome<'_>),
    ) {
        let direction = (raw.object, path, asks);
        if self.begun.len() >= STREAMS && !self.begun.contains_key(&direction) {
            let oldest = raw.ts_ns.saturating_sub(self.timeout_ns);
            self.begun.retain(|_, begun| begun.last_ns >= oldest);
            if self.begun.len() >= STREAMS {
                self.lost += 1;
                return;
            }
        }
        let begun = self.begun.entry(direction).or_insert_with(|| Begun {
            stream: Stream::default(),
            ns: raw.ts_ns,
            last_ns: 0,
        });
        begun.last_ns = raw.ts_ns;
        let mut begins = std::mem::replace(&mut begun.ns, raw.ts_ns);
        let mut messages = Vec::new();
        let taken = begun.stream.take(raw.len as usize, known, |size, bytes| {
            messages.push((std::mem::replace(&mut begins, raw.ts_ns), size, bytes.to_vec()));
        });
        // It goes on with the first one.
        begun.ns = begins;
        if begun.stream.is_idle() {
            self.begun.remove(&direction);
        }
        self.lost += u64::from(taken.is_err());
        for (begins, size, bytes) in messages {
            let ns = if asks { begins } else { raw.ts_ns };
            self.message(raw, ns, path, asks, (size, &bytes), sink);
        }
    }

    /// A message: its size, and what is known of it.
    fn message(
        &mut self,
        raw: &types::message,
        ns: u64,
        path: Path,
        asks: bool,
        (size, known): (usize, &[u8]),
        sink: &mut impl FnMut(&Query, Outcome<'_>),
    ) {
        let Some(message) = Message::parse(known) else {
            // Too short for a message, or not known.
            self.lost += u64::from(size >= HEADER);
            return;
        };
        if message.opcode != 0 || message.is_answer == asks {
            return;
        }
        if !asks {
            if !self.pending.answer(ns, path, &message, sink) && path.tcp {
                self.pending.answer(ns, path.opened_by(raw.object), &message, sink);
            }
            return;
        }
        let question = message.asked();
        if self.filter.passes(question.as_ref()) {
            let asker = Asker { pid: raw.pid, comm: text(chars(&raw.comm)), who: raw.who };
            let packet = (raw.object, raw.ifindex);
            self.pending.ask(Query::new(ns, path, asker, packet, &message, question), sink);
        }
    }
}

#[cfg(test)]
mod tests {
    use common::bpf::plain::bytes_of;

    use super::*;

    const QUERY: &[u8] = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";
    const ANSWER: &[u8] = b"\0\x07\x81\x83\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";

    /// A record of the ring buffer, aligned as it is there.
    fn record(way: Way, ns: u64, len: usize, known: &[u8]) -> Vec<u64> {
        let address = [0, 0, 0xffff_u32.to_be(), 0x7f00_0001_u32.to_be()];
        let raw = types::message {
            ts_ns: ns,
            pid: 11,
            comm: b"dig\0rubbish.....".map(|byte| byte as i8),
            tuple: types::tuple { local: address, remote: address, local_port: 40_000, remote_port: 53 },
            way: way.0,
            len: len as u32,
            captured: known.len() as u32,
            ..types::message::default()
        };
        let mut bytes = [bytes_of(&raw), known].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0xee);
        bytes.chunks_exact(8).map(|eight| u64::from_ne_bytes(eight.try_into().unwrap())).collect()
    }

    fn read(records: &[Vec<u64>]) -> (Vec<String>, u64) {
        let mut reader = Reader::new(NamesFilter::default(), 1_000, 9);
        let mut seen = Vec::new();
        for words in records {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            // A Vec of bytes of this size is aligned well enough on the platforms that run this.
            reader.record(&bytes, &mut |query, outcome| {
                let (name, qtype) = query.asked.clone().unwrap();
                let server = query.path.server;
                seen.push(match outcome {
                    Outcome::Sent => {
                        format!("{} {name} {qtype} {}:{}", query.asker.comm, server.addr, server.port)
                    }
                    Outcome::Answered(answer, ns) => {
                        format!("{} {} in {}", query.id, answer.rcode, ns - query.ns)
                    }
                    _ => "else".to_string(),
                });
            });
        }
        (seen, reader.lost())
    }

    #[test]
    fn a_query_and_its_answer_are_read() {
        let (seen, lost) = read(&[
            record(Way::UDP_QUERY, 100, QUERY.len(), QUERY),
            record(Way::UDP_ANSWER, 130, ANSWER.len(), ANSWER),
        ]);
        assert_eq!((seen, lost), (vec!["dig a 1 127.0.0.1:53".to_string(), "7 3 in 30".to_string()], 0));
    }

    #[test]
    fn messages_of_a_connection_are_put_together() {
        let with_length = |message: &[u8]| [&(message.len() as u16).to_be_bytes()[..], message].concat();
        let (query, answer) = (with_length(QUERY), with_length(ANSWER));
        let (seen, lost) = read(&[
            record(Way::TCP_QUERY, 100, 2, &query[..2]),
            record(Way::TCP_QUERY, 101, query.len() - 2, &query[2..]),
            record(Way::TCP_ANSWER, 120, 5, &answer[..5]),
            record(Way::TCP_ANSWER, 130, answer.len() - 5, &answer[5..]),
        ]);
        assert_eq!((seen, lost), (vec!["dig a 1 127.0.0.1:53".to_string(), "7 3 in 30".to_string()], 0));
    }

    #[test]
    fn a_query_that_opens_its_connection_has_no_end_of_its_own_yet() {
        let with_length = |message: &[u8]| [&(message.len() as u16).to_be_bytes()[..], message].concat();
        let (query, answer) = (with_length(QUERY), with_length(ANSWER));
        let of = |way: Way, ns: u64, bytes: &[u8], port: u16, socket: u64| {
            let mut words = record(way, ns, bytes.len(), bytes);
            let at = |offset: usize| offset / 8;
            words[at(std::mem::offset_of!(types::message, object))] = socket;
            let ports =
                std::mem::offset_of!(types::message, tuple) + std::mem::offset_of!(types::tuple, local_port);
            let (word, shift) = (at(ports), 8 * (ports % 8));
            words[word] = words[word] & !(0xffff << shift) | u64::from(port) << shift;
            words
        };
        let (seen, lost) = read(&[
            of(Way::TCP_QUERY, 100, &query, 0, 5),
            // Of another socket; and of this one.
            of(Way::TCP_ANSWER, 110, &answer, 40_001, 6),
            of(Way::TCP_ANSWER, 130, &answer, 40_000, 5),
        ]);
        assert_eq!((seen, lost), (vec!["dig a 1 127.0.0.1:53".to_string(), "7 3 in 30".to_string()], 0));
    }

    #[test]
    fn what_cannot_be_read_is_lost_and_what_is_no_message_is_nothing() {
        assert_eq!(read(&[record(Way::UDP_QUERY, 1, 40, &[])]), (vec![], 1));
        assert_eq!(read(&[record(Way::TCP_QUERY, 1, 40, &[])]), (vec![], 1));
        // Too short; an answer that goes to a server; another kind of query.
        assert_eq!(read(&[record(Way::UDP_QUERY, 1, 5, b"short")]), (vec![], 0));
        assert_eq!(read(&[record(Way::UDP_QUERY, 1, ANSWER.len(), ANSWER)]), (vec![], 0));
        let update = [&QUERY[..2], &[5 << 3], &QUERY[3..]].concat();
        assert_eq!(read(&[record(Way::UDP_QUERY, 1, update.len(), &update)]), (vec![], 0));
        let mut reader = Reader::new(NamesFilter::default(), 1, 1);
        reader.record(&[0; 50], &mut |_, _| panic!("no record"));
    }

    #[test]
    fn unfinished_messages_have_a_limit() {
        let mut reader = Reader::new(NamesFilter::default(), 1_000, 9);
        let mut part = |ns: u64, socket: u64| {
            let mut words = record(Way::TCP_QUERY, ns, 1, b"\0");
            // Its place in `struct message`.
            words[std::mem::offset_of!(types::message, object) / 8] = socket;
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            reader.record(&bytes, &mut |_, _| ());
            (reader.begun.len(), reader.lost())
        };
        (0..STREAMS as u64).for_each(|socket| _ = part(5, socket));
        assert_eq!(part(6, u64::MAX), (STREAMS, 1));
        assert_eq!(part(1_006, u64::MAX), (1, 0));
    }
}
