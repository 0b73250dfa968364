use super::*;
use crate::query::{Asker, End};
use crate::skel::types::named_owner;

const TIMEOUT: u64 = 5_000;

fn path(server: &str, port: u16) -> Path {
    let end = |addr: &str, port| End { addr: addr.parse().unwrap(), port };
    Path { netns: 1, tcp: false, local: end("127.0.0.1", 40_000), server: end(server, port), socket: 0 }
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
        let answer = message(0, true, name, 1);
        work.pending.answer(ns, path(from, MDNS), &answer, &mut saw(&mut work.seen));
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
