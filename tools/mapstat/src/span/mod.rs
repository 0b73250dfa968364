//! From the bytes of a ring buffer's record to a span, by the rules of ebpf_exporter.

pub mod row;

use crate::config::{self, Part};
use crate::decode::{self, Without};
use crate::system::System;

/// The id of a span as ebpf_exporter's programs write it if there is none.
const NO_SPAN: &str = "0000000000000000";
/// The digits of a span's id, and of a trace's.
const SPAN_DIGITS: usize = 16;
const TRACE_DIGITS: usize = 32;

/// A span as a program has recorded it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Its trace: 32 digits. None if the program does not say it: then the span is a trace by itself.
    pub trace_id: Option<String>,
    /// Its own id: 16 digits. None if the program does not say it.
    pub span_id: Option<String>,
    /// The id of the span that it is a part of.
    pub parent_span_id: Option<String>,
    /// When it began, by the kernel's monotonic clock, in nanoseconds. None if the program does not say it.
    pub start_ns: Option<u64>,
    /// How long it was, in nanoseconds.
    pub duration_ns: u64,
    /// What it is called.
    pub name: String,
    /// The texts of its attributes, in their order.
    pub attributes: Vec<String>,
}

impl Span {
    /// From a record. What is behind its labels is not looked at.
    ///
    /// # Errors
    /// When the config leaves it out, the record ends before its labels, or one of them cannot be what it is called.
    pub fn of(config: &config::Span, record: &[u8], system: &mut System) -> Result<Self, Without> {
        let texts = decode::key(&config.labels, record, system)?;
        let mut span = Self { name: config.name.clone(), ..Self::default() };
        for ((text, part), label) in texts.into_iter().zip(&config.parts).zip(&config.labels) {
            let wrong = |what: &str| {
                let text = cli::text::visible(&text).into_owned();
                Without::Undecodable(format!("label {}: `{text}` is no {what}", label.name))
            };
            match part {
                Part::Trace if is_id(&text, TRACE_DIGITS) => span.trace_id = Some(text),
                Part::Trace => return Err(wrong("id of a trace: 32 hexadecimal digits, not all of them 0")),
                Part::Id | Part::Parent if text == NO_SPAN => {}
                Part::Id if is_id(&text, SPAN_DIGITS) => span.span_id = Some(text),
                Part::Parent if is_id(&text, SPAN_DIGITS) => span.parent_span_id = Some(text),
                Part::Id | Part::Parent => return Err(wrong("id of a span: 16 hexadecimal digits")),
                Part::Start => span.start_ns = Some(text.parse().map_err(|_| wrong("number"))?),
                Part::Duration => span.duration_ns = text.parse().map_err(|_| wrong("number"))?,
                Part::Name => span.name = text,
                Part::Attribute => span.attributes.push(text),
            }
        }
        Ok(span)
    }

    /// When it ended, by the same clock; `now` if it is not known when it began.
    pub fn end_ns(&self, now: u64) -> u64 {
        self.start_ns.map_or(now, |start| start.saturating_add(self.duration_ns))
    }

    /// Gives it ids where it has none. `random` returns numbers that differ.
    pub fn identify(&mut self, mut random: impl FnMut() -> u64) {
        // Ids of 0 are none.
        let mut digits = || format!("{:016x}", random().max(1));
        self.trace_id.get_or_insert_with(|| format!("{}{}", digits(), digits()));
        self.span_id.get_or_insert_with(digits);
    }
}

/// Whether a text is an id of so many digits: lower-case ones, as W3C Trace Context has it, and not all 0.
fn is_id(text: &str, digits: usize) -> bool {
    let all = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    text.len() == digits && all && text.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// The labels of ebpf_exporter's own test, and an attribute that is not passed by all.
    const LABELS: &str = "
tracing:
  spans:
    - ringbuf: spans
      name: potato
      labels:
        - {name: trace_id, size: 16, decoders: [{name: hex}]}
        - {name: parent_span_id, size: 8, decoders: [{name: hex}]}
        - {name: span_id, size: 8, decoders: [{name: hex}]}
        - {name: span_monotonic_timestamp_ns, size: 8, decoders: [{name: uint}]}
        - {name: span_duration_ns, size: 8, decoders: [{name: uint}]}
        - {name: lol, size: 4, decoders: [{name: string}, {name: regexp, regexps: ['^[^x]*$']}]}
";

    fn config(text: &str) -> config::Span {
        Config::parse("c".to_owned(), text).unwrap().spans.remove(0)
    }

    fn record(trace: [u8; 16], parent: u64, span: u64, start: u64, duration: u64, lol: &[u8; 4]) -> Vec<u8> {
        let ids = [parent.to_be_bytes(), span.to_be_bytes()].concat();
        let times = [start.to_ne_bytes(), duration.to_ne_bytes()].concat();
        [&trace[..], &ids, &times, lol].concat()
    }

    const TRACE: [u8; 16] = [0xbe, 0xef, 0, 0, 0, 0, 0, 0, 0xfe, 0xed, 0, 0, 0, 0, 0, 0];

    #[test]
    fn a_record_is_the_span_that_ebpf_exporter_makes_of_it() {
        let of = |bytes: &[u8]| Span::of(&config(LABELS), bytes, &mut System::default());
        let full = record(TRACE, 0xfeed << 48, 0xbeef << 48, 60_000_000_000, 4_041_727, b"haha");
        let expected = Span {
            trace_id: Some("beef000000000000feed000000000000".to_owned()),
            span_id: Some("beef000000000000".to_owned()),
            parent_span_id: Some("feed000000000000".to_owned()),
            start_ns: Some(60_000_000_000),
            duration_ns: 4_041_727,
            name: "potato".to_owned(),
            attributes: vec!["haha".to_owned()],
        };
        assert_eq!(of(&full), Ok(expected.clone()));
        assert_eq!(of(&[&full[..], &[7; 12]].concat()), Ok(expected.clone()));
        let none = Span { span_id: None, parent_span_id: None, ..expected };
        assert_eq!(of(&record(TRACE, 0, 0, 60_000_000_000, 4_041_727, b"haha")), Ok(none));
        assert_eq!(of(&record(TRACE, 0, 1, 1, 1, b"xxxx")), Err(Without::LeftOut));
        for (bytes, says) in [
            (record([0; 16], 1, 1, 1, 1, b"haha"), "label trace_id: `0000"),
            (full[..45].to_vec(), "the key ends before label span_duration_ns"),
            (Vec::new(), "the key ends before label trace_id"),
        ] {
            let why = of(&bytes);
            assert!(matches!(&why, Err(Without::Undecodable(why)) if why.starts_with(says)), "{why:?}");
        }
    }

    #[test]
    fn what_is_not_said_is_found_otherwise() {
        let bare = config("tracing: {spans: [{ringbuf: some_buf}]}");
        let mut span = Span::of(&bare, &[1, 2], &mut System::default()).unwrap();
        assert_eq!(span, Span { name: "some_buf".to_owned(), ..Span::default() });
        assert_eq!((span.end_ns(7), bare.service.as_str()), (7, "ebpf_exporter"));
        let mut numbers = 0..;
        span.identify(|| numbers.next().unwrap());
        assert_eq!(span.trace_id.as_deref(), Some("00000000000000010000000000000001"));
        assert_eq!(span.span_id.as_deref(), Some("0000000000000002"));
        let named = config(
            "tracing: {spans: [{ringbuf: b, service: s, labels: [{name: span_name, size: 4, decoders: [{name: string}]}, \
             {name: span_id, size: 3, decoders: [{name: string}]}]}]}",
        );
        assert_eq!(named.service, "s");
        let why = Span::of(&named, b"ab\0\0xyz", &mut System::default());
        assert!(matches!(&why, Err(Without::Undecodable(why)) if why.contains("`xyz` is no id of a span")));
        // Its time may be anything.
        let late = Span { start_ns: Some(u64::MAX), duration_ns: 9, ..Span::default() };
        assert_eq!(late.end_ns(7), u64::MAX);
    }
}
