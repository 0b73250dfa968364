//! Queries that wait for their answers. What a stranger or a program can make grow has a limit, and what is beyond it is
//! counted as lost.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use crate::message::{Message, Question};
use crate::query::{Outcome, Path, Query};

/// The port of multicast DNS: RFC 6762.
const MDNS: u16 = 5353;
/// Queries that wait at once and that nothing but their names tells apart.
const ALIKE: usize = 64;
/// A query is another try of one that was sent no longer ago than so many time-outs: resolvers wait for one first.
const TRIES: u64 = 2;

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

    /// An answer has come; returns whether it is one. One to no query that waits is none.
    pub fn answer(
        &mut self,
        ns: u64,
        path: Path,
        message: &Message,
        sink: &mut impl FnMut(&Query, Outcome<'_>),
    ) -> bool {
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
                return true;
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
            return true;
        }
        false
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
mod tests;
