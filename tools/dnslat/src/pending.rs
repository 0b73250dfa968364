//! Queries that wait for their answers. What a stranger or a program can make grow has a limit, and what is beyond it is
//! counted as lost.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use crate::message::{Message, Question};
use crate::skel::types::named_owner;

/// The port of multicast DNS: RFC 6762.
const MDNS: u16 = 5353;
/// Queries that wait at once and that nothing but their names tells apart.
const ALIKE: usize = 64;
/// A query is another try of one that was sent no longer ago than so many time-outs: resolvers wait for one first.
const TRIES: u64 = 2;

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
    question: Option<Question>,
    /// The packet's address, and the device that was to send it; 0 if that is not known.
    packet: (u64, u32),
    /// Whether one of several answers has come.
    answered: bool,
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

/// What queries that wait are found by.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Path(Path, u16),
    /// Of a query to many, which the asker does not know: the namespace, its port and what it asked.
    Many(u32, u16, Box<str>),
}

/// The process, and what it asks for.
#[derive(PartialEq, Eq, Hash)]
struct Asks {
    pid: u32,
    question: Question,
}

/// All that wait.
pub struct Pending {
    timeout_ns: u64,
    most: usize,
    /// By a number that is given once.
    queries: HashMap<u64, Query>,
    next: u64,
    by_key: HashMap<Key, Vec<u64>>,
    /// In the order of their time; some are answered since.
    order: VecDeque<u64>,
    /// When each was asked for last, without an answer yet.
    asks: HashMap<Asks, u64>,
    swept_ns: u64,
    /// What found no room.
    pub lost: u64,
}

impl Pending {
    /// Without any: of at most so many, for so long.
    pub fn new(timeout_ns: u64, most: usize) -> Self {
        Self {
            timeout_ns,
            most,
            queries: HashMap::new(),
            next: 0,
            by_key: HashMap::new(),
            order: VecDeque::new(),
            asks: HashMap::new(),
            swept_ns: 0,
            lost: 0,
        }
    }

    /// A query was sent.
    pub fn ask(&mut self, mut query: Query, sink: &mut impl FnMut(&Query, Outcome<'_>)) {
        let key = key_of(&query);
        let alike = self.by_key.get(&key).map_or(&[][..], Vec::as_slice);
        // The same packet, at the device beneath.
        let (packet, device) = query.packet;
        let is_same = |query: &Query| query.packet.0 == packet && query.packet.1 != device;
        if device != 0 && alike.iter().filter_map(|number| self.queries.get(number)).any(is_same) {
            return;
        }
        let room = self.queries.len() < self.most && alike.len() < ALIKE;
        query.is_retry = self.asks_again(&query);
        sink(&query, Outcome::Sent);
        if !room {
            self.lost += 1;
            return;
        }
        let number = self.next;
        self.next += 1;
        self.by_key.entry(key).or_default().push(number);
        self.queries.insert(number, query);
        self.order.push_back(number);
        // What is answered is taken out from time to time.
        if self.order.len() > 2 * self.queries.len() + 1024 {
            let queries = &self.queries;
            self.order.retain(|number| queries.contains_key(number));
        }
    }

    /// Whether its process asked so before; and remembers that it did.
    fn asks_again(&mut self, query: &Query) -> bool {
        let Some(question) = query.question.clone() else { return false };
        let oldest = query.ns.saturating_sub(TRIES * self.timeout_ns);
        if self.swept_ns < oldest {
            self.swept_ns = query.ns;
            self.asks.retain(|_, last| *last >= oldest);
        }
        let asks = Asks { pid: query.asker.pid, question };
        let full = self.asks.len() >= 2 * self.most;
        match self.asks.get_mut(&asks) {
            Some(last) => std::mem::replace(last, query.ns) >= oldest,
            None if full => {
                self.lost += 1;
                false
            }
            None => {
                self.asks.insert(asks, query.ns);
                false
            }
        }
    }

    /// An answer has come. One to no query that waits is none.
    pub fn answer(
        &mut self,
        ns: u64,
        path: Path,
        message: &Message,
        sink: &mut impl FnMut(&Query, Outcome<'_>),
    ) {
        let question = message.asked();
        let keys = [Some(Key::Path(path, message.id)), key_of_many(&path, message)];
        for (place, key) in keys.into_iter().enumerate() {
            let Some(key) = key else { continue };
            let Some(numbers) = self.by_key.get_mut(&key) else { continue };
            // The oldest of those that it answers.
            let answers =
                |number: &u64| match (self.queries.get(number).map(|query| &query.question), &question) {
                    (Some(Some(asked)), Some(answered)) => place == 1 || asked == answered,
                    (Some(_), _) => true,
                    (None, _) => false,
                };
            let Some(at) = numbers.iter().position(answers) else { continue };
            let number = numbers[at];
            let Some(query) = self.queries.get_mut(&number) else { continue };
            if ns > query.ns.saturating_add(self.timeout_ns) {
                // Too late. It is found as such when its time is over.
                return;
            }
            match (place, std::mem::replace(&mut query.answered, true)) {
                (_, false) => sink(query, Outcome::Answered(message, ns)),
                (_, true) => sink(query, Outcome::AnsweredAgain(message, ns)),
            }
            if let Some(question) = query.question.clone() {
                self.asks.remove(&Asks { pid: query.asker.pid, question });
            }
            // Of one to many, others may come.
            if place == 0 && !is_multicast(query.path.server.addr) {
                numbers.remove(at);
                if numbers.is_empty() {
                    self.by_key.remove(&key);
                }
                self.queries.remove(&number);
            }
            return;
        }
    }

    /// No message has come since this time but those that were passed on.
    pub fn passed(&mut self, ns: u64, sink: &mut impl FnMut(&Query, Outcome<'_>)) {
        while let Some(number) = self.order.front() {
            if let Some(query) = self.queries.get(number) {
                let over = query.ns.saturating_add(self.timeout_ns);
                if over >= ns {
                    return;
                }
                if !query.answered {
                    sink(query, Outcome::TimedOut(over));
                }
                let key = key_of(query);
                if let Some(numbers) = self.by_key.get_mut(&key) {
                    numbers.retain(|one| one != number);
                    if numbers.is_empty() {
                        self.by_key.remove(&key);
                    }
                }
                self.queries.remove(number);
            }
            self.order.pop_front();
        }
    }
}

fn is_multicast(addr: IpAddr) -> bool {
    addr.is_multicast()
}

fn key_of(query: &Query) -> Key {
    let path = query.path;
    match &query.question {
        Some(question) if path.server.port == MDNS && is_multicast(path.server.addr) => {
            Key::Many(path.netns, path.local.port, question.folded.clone())
        }
        _ => Key::Path(path, query.id),
    }
}

/// The key of a query to many that a message answers: by its question, or without any by the name of its first answer.
fn key_of_many(path: &Path, message: &Message) -> Option<Key> {
    if path.server.port != MDNS {
        return None;
    }
    let (name, _) = message.question.as_ref().or(message.first.as_ref())?;
    Some(Key::Many(path.netns, path.local.port, name.folded()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: u64 = 5_000;

    fn path(server: &str, port: u16) -> Path {
        let end = |addr: &str, port| End { addr: addr.parse().unwrap(), port };
        Path { netns: 1, tcp: false, local: end("127.0.0.1", 40_000), server: end(server, port) }
    }

    fn message(id: u16, is_answer: bool, name: &str, qtype: u8) -> Message {
        let flags = if is_answer { 0x80 } else { 0 };
        let mut bytes =
            vec![(id >> 8) as u8, id as u8, flags, 0, 0, u8::from(!name.is_empty()), 0, 0, 0, 0, 0, 0];
        if !name.is_empty() {
            name.split('.').for_each(|label| {
                bytes.push(label.len() as u8);
                bytes.extend(label.bytes());
            });
            bytes.extend([0, 0, qtype, 0, 1]);
        }
        Message::parse(&bytes).unwrap()
    }

    struct Work {
        pending: Pending,
        seen: Vec<String>,
    }

    impl Work {
        fn new(most: usize) -> Self {
            Self { pending: Pending::new(TIMEOUT, most), seen: Vec::new() }
        }

        fn asks(&mut self, ns: u64, path: Path, packet: (u64, u32), message: &Message) {
            let asker = Asker { pid: 7, comm: "dig".to_string(), who: named_owner::default() };
            let query = Query::new(ns, path, asker, packet, message, message.asked());
            self.pending.ask(query, &mut saw(&mut self.seen));
        }

        fn ask(&mut self, ns: u64, id: u16, name: &str) {
            self.asks(ns, path("192.0.2.53", 53), (ns, 0), &message(id, false, name, 1));
        }

        fn answer(&mut self, ns: u64, id: u16, name: &str) {
            self.pending.answer(
                ns,
                path("192.0.2.53", 53),
                &message(id, true, name, 1),
                &mut saw(&mut self.seen),
            );
        }

        fn passed(&mut self, ns: u64) {
            self.pending.passed(ns, &mut saw(&mut self.seen));
        }

        fn is_empty(&self) -> bool {
            self.pending.queries.is_empty() && self.pending.by_key.is_empty()
        }
    }

    fn saw(seen: &mut Vec<String>) -> impl FnMut(&Query, Outcome<'_>) + '_ {
        |query, outcome| {
            let name = query.asked.as_ref().map_or("-", |(name, _)| name);
            seen.push(match outcome {
                Outcome::Sent => format!("{name}{}", if query.is_retry { " again" } else { "" }),
                Outcome::Answered(_, ns) => format!("{name} {}", ns - query.ns),
                Outcome::AnsweredAgain(_, ns) => format!("{name} +{}", ns - query.ns),
                Outcome::TimedOut(ns) => format!("{name} over at {ns}"),
            });
        }
    }

    #[test]
    fn each_query_finds_its_answer() {
        let mut work = Work::new(9);
        // One id for two names, whose answers come in the other order; case does not matter.
        work.ask(10, 1, "a");
        work.ask(20, 1, "B");
        work.answer(30, 1, "b");
        work.answer(40, 1, "a");
        // An answer to nothing, and one that came before.
        work.answer(50, 1, "a");
        work.answer(50, 2, "c");
        assert_eq!(work.seen, ["a", "B", "B 10", "a 30"]);
        assert!(work.is_empty());
    }

    #[test]
    fn an_answer_without_a_question_is_the_oldests() {
        let mut work = Work::new(9);
        work.ask(10, 1, "a");
        work.ask(20, 1, "b");
        work.answer(30, 1, "");
        assert_eq!(work.seen, ["a", "b", "a 20"]);
    }

    #[test]
    fn without_an_answer_its_time_is_over() {
        let mut work = Work::new(9);
        work.ask(10, 1, "a");
        work.ask(20, 2, "b");
        // Too late, if only by a nanosecond.
        work.answer(10 + TIMEOUT + 1, 1, "a");
        work.passed(10 + TIMEOUT);
        assert_eq!(work.seen, ["a", "b"]);
        work.passed(11 + TIMEOUT);
        assert_eq!(work.seen[2..], ["a over at 5010"]);
        work.answer(20 + TIMEOUT, 2, "b");
        work.passed(u64::MAX);
        assert_eq!(work.seen[3..], ["b 5000"]);
        assert!(work.is_empty() && work.pending.order.is_empty());
    }

    #[test]
    fn another_try_is_told_from_another_question() {
        let mut work = Work::new(9);
        work.ask(10, 1, "a");
        work.passed(5_500);
        // As the C library does: the same after its own time-out.
        work.ask(5_600, 1, "a");
        work.ask(5_700, 2, "A");
        work.answer(5_800, 2, "a");
        work.ask(5_900, 3, "a");
        work.ask(5_900 + 2 * TIMEOUT + 1, 4, "a");
        assert_eq!(work.seen, ["a", "a over at 5010", "a again", "A again", "A 100", "a", "a"]);
    }

    #[test]
    fn a_packet_counts_once_on_its_way_through_devices() {
        let mut work = Work::new(9);
        let (path, query) = (path("192.0.2.53", 53), message(1, false, "a", 1));
        work.asks(10, path, (0xff, 3), &query);
        work.asks(11, path, (0xff, 2), &query);
        // Sent again, in memory that was free.
        work.asks(12, path, (0xff, 3), &query);
        work.asks(12, path, (0xee, 3), &query);
        assert_eq!(work.seen, ["a", "a again", "a again"]);
    }

    #[test]
    fn answers_to_many_come_from_anywhere() {
        let mut work = Work::new(9);
        let answer = |work: &mut Work, ns, from: &str, name: &str| {
            work.pending.answer(ns, path(from, MDNS), &message(0, true, name, 1), &mut saw(&mut work.seen));
        };
        work.asks(10, path("224.0.0.251", MDNS), (1, 0), &message(9, false, "x.local", 1));
        answer(&mut work, 20, "192.0.2.7", "x.local");
        answer(&mut work, 30, "192.0.2.8", "X.local");
        answer(&mut work, 40, "192.0.2.8", "y.local");
        work.passed(u64::MAX);
        assert_eq!(work.seen, ["x.local", "x.local 10", "x.local +20"]);
        assert!(work.is_empty());
    }

    #[test]
    fn what_finds_no_room_is_lost() {
        let mut work = Work::new(2);
        (0..9u16).for_each(|id| work.ask(10, id, &format!("n{id}")));
        // Seven that wait, and of nine names all but four.
        assert_eq!((work.pending.queries.len(), work.pending.asks.len(), work.pending.lost), (2, 4, 7 + 5));
        assert_eq!(work.seen.len(), 9);
        let mut work = Work::new(1_000);
        (0..ALIKE as u64 + 3).for_each(|ns| work.ask(ns, 1, "a"));
        assert_eq!((work.pending.queries.len(), work.pending.lost), (ALIKE, 3));
        // Those that are answered take no room for long.
        let mut work = Work::new(9);
        for ns in 0..5_000 {
            work.ask(ns, 1, "a");
            work.answer(ns, 1, "a");
        }
        assert!(work.is_empty() && work.pending.order.len() <= 1_025);
    }
}
