//! A message of DNS, of which only the beginning may be known: RFC 1035, section 4. Whoever sent it wrote what he liked.

use std::net::IpAddr;

use crate::name::{self, Name};

/// Bytes of a header.
pub const HEADER: usize = 12;
/// The most questions that are passed over to find the answers.
const QUESTIONS: u16 = 16;
/// Types of records whose data is an address.
const A: u16 = 1;
const AAAA: u16 = 28;

/// A name and a type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The name, in lower case as far as it is ASCII: as names are compared.
    pub folded: Box<str>,
    /// The number of the type.
    pub qtype: u16,
}

/// A message, as far as it is known.
#[derive(Debug, PartialEq)]
pub struct Message {
    /// What the asker chose to know the answer by.
    pub id: u16,
    /// Whether it is an answer.
    pub is_answer: bool,
    /// The kind of query; 0 is a standard one.
    pub opcode: u8,
    /// Whether the answer was cut to fit a datagram.
    pub truncated: bool,
    /// The response code in the header.
    pub rcode: u8,
    /// How many questions it says it has.
    pub questions: u16,
    /// How many answers it says it has.
    pub answers: u16,
    /// The first question; none if it has none, or if that is not known.
    pub question: Option<(Name, u16)>,
    /// The name and type of the first answer.
    pub first: Option<(Name, u16)>,
    /// The addresses among the answers, in their order.
    pub addresses: Vec<IpAddr>,
    /// Whether all answers are known.
    pub complete: bool,
}

impl Message {
    /// From the bytes of its beginning; none if they are fewer than a header.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let mut message = Self {
            id: word(0),
            is_answer: header[2] & 0x80 != 0,
            opcode: header[2] >> 3 & 0xf,
            truncated: header[2] & 0x02 != 0,
            rcode: header[3] & 0xf,
            questions: word(4),
            answers: word(6),
            question: None,
            first: None,
            addresses: Vec::new(),
            complete: false,
        };
        message.complete = message.read(bytes).is_some();
        Some(message)
    }

    /// Reads what follows the header; none if it ends before the answers do.
    fn read(&mut self, bytes: &[u8]) -> Option<()> {
        let mut at = HEADER;
        for number in 0..self.questions.min(QUESTIONS) {
            let (name, after) = name::read(bytes, at)?;
            let qtype = word(bytes, after)?;
            at = after + 4;
            if number == 0 && at <= bytes.len() {
                self.question = Some((name, qtype));
            }
        }
        if self.questions > QUESTIONS || !self.is_answer {
            return (self.answers == 0 || !self.is_answer).then_some(());
        }
        for number in 0..self.answers {
            let (name, after) = name::read(bytes, at)?;
            let rtype = word(bytes, after)?;
            // Class, lifetime.
            let length = usize::from(word(bytes, after + 8)?);
            let data = bytes.get(after + 10..after + 10 + length)?;
            if number == 0 {
                self.first = Some((name, rtype));
            }
            self.addresses.extend(address(rtype, data));
            at = after + 10 + length;
        }
        Some(())
    }

    /// What the name and type of its question are compared by.
    pub fn asked(&self) -> Option<Question> {
        self.question.as_ref().map(|(name, qtype)| Question { folded: name.folded(), qtype: *qtype })
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn address(rtype: u16, data: &[u8]) -> Option<IpAddr> {
    match rtype {
        A => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
        AAAA => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with this header after the id, and what follows it.
    fn message(flags: [u8; 2], counts: [u16; 2], rest: &[u8]) -> Vec<u8> {
        let counts = counts.into_iter().chain([0, 0]).flat_map(u16::to_be_bytes);
        [0x12, 0x34].into_iter().chain(flags).chain(counts).chain(rest.iter().copied()).collect()
    }

    const QUESTION: &[u8] = b"\x01a\x02bc\0\0\x01\0\x01";

    #[test]
    fn a_query_has_a_name_and_a_type() {
        let query = Message::parse(&message([1, 0], [1, 0], QUESTION)).unwrap();
        assert_eq!((query.id, query.is_answer, query.opcode, query.complete), (0x1234, false, 0, true));
        let (name, qtype) = query.question.unwrap();
        assert_eq!((name.to_string().as_str(), qtype), ("a.bc", A));
    }

    #[test]
    fn an_answer_has_addresses() {
        let records = b"\xc0\x0c\0\x05\0\x01\0\0\0\x09\0\x02\xc0\x0e\
            \xc0\x0e\0\x01\0\x01\0\0\0\x09\0\x04\xc0\0\x02\x07\
            \xc0\x0e\0\x1c\0\x01\0\0\0\x09\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07";
        let bytes = message([0x83, 0x83], [1, 3], &[QUESTION, records].concat());
        let answer = Message::parse(&bytes).unwrap();
        assert_eq!((answer.is_answer, answer.truncated, answer.rcode, answer.answers), (true, true, 3, 3));
        assert_eq!(answer.first.as_ref().unwrap().1, 5);
        let shown = |answer: &Message| answer.addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>();
        assert_eq!((shown(&answer), answer.complete), (vec!["192.0.2.7".into(), "2001:db8::7".into()], true));
        // As much as is there.
        let cut = Message::parse(&bytes[..bytes.len() - 1]).unwrap();
        assert_eq!((shown(&cut), cut.complete, cut.answers), (vec!["192.0.2.7".into()], false, 3));
        let cut = Message::parse(&bytes[..HEADER + 3]).unwrap();
        assert_eq!((cut.question, cut.rcode, cut.complete), (None, 3, false));
    }

    #[test]
    fn less_than_a_header_is_no_message() {
        assert_eq!(Message::parse(&[0; HEADER - 1]), None);
        let nothing = Message::parse(&[0; HEADER]).unwrap();
        assert_eq!((nothing.question, nothing.complete), (None, true));
    }
}
