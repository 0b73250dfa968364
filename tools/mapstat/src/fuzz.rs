//! Runs what takes a stranger's text or bytes on arbitrary ones: for fuzzing (`fuzz/`), and for a test on a few seeds.
//!
//! Each function panics if an invariant is violated.
#![allow(clippy::expect_used, reason = "a panic is what a fuzzer looks for")]

use std::borrow::Cow;
use std::cell::RefCell;

use crate::config::Config;
use crate::decode::Without;
use crate::re2;
use crate::span::Span;
use crate::state::{Keys, State};
use crate::system::System;

/// A text, and the bytes behind a line `---keys`.
fn parted(bytes: &[u8]) -> (Cow<'_, str>, &[u8]) {
    const KEYS: &[u8] = b"---keys\n";
    let split = bytes.windows(KEYS.len()).position(|window| window == KEYS);
    let (text, keys) = split.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + KEYS.len()..]));
    (String::from_utf8_lossy(text), keys)
}

/// A config, and after a line `---keys` the keys of its maps, one after the other.
///
/// Any text is a config, or a line of it is wrong and said so in one line. Any key is decoded, left out or lost; none is
/// counted twice.
pub fn configs(bytes: &[u8]) {
    let (text, mut keys) = parted(bytes);
    let config = match Config::parse("fuzzed".to_owned(), &text) {
        Ok(config) => config,
        Err(mistake) => {
            // To YAML a carriage return alone ends a line, too.
            let lines = text.replace("\r\n", "\n").split(['\n', '\r']).count() as u64 + 1;
            assert!(!mistake.what.contains('\n'), "{mistake:?}");
            assert!(mistake.at.is_none_or(|(line, _)| (0..=lines).contains(&line)), "{mistake:?} of {lines}");
            return;
        }
    };
    let mut system = System::default();
    for metric in &config.metrics {
        let size = crate::decode::size(&metric.labels).clamp(1, 256);
        let mut state = State::new(Keys::Coming);
        let mut distinct = std::collections::HashSet::new();
        for _ in 0..4 {
            let (key, rest) = keys.split_at(size.min(keys.len()));
            keys = rest;
            distinct.insert(key.to_vec());
            state.take(metric, key, 3, true, &mut system);
        }
        let interval = state.end();
        let counted: u64 = interval.values.values().map(crate::state::Values::size).sum();
        if metric.form == crate::config::Form::Counter {
            assert!(counted + interval.lost <= 3 * distinct.len() as u64, "{interval:?}");
        }
        assert_eq!(interval.lost > 0, interval.why.is_some(), "{interval:?}");
    }
}

/// A config of spans, and after a line `---keys` the records of its ring buffers, one after the other.
///
/// Any record is a span with its ids, or left out or lost with a reason on one line.
pub fn spans(bytes: &[u8]) {
    let (text, mut records) = parted(bytes);
    let Ok(config) = Config::parse("fuzzed".to_owned(), &text) else { return };
    let mut system = System::default();
    for of in &config.spans {
        let size = crate::decode::size(&of.labels).clamp(1, 256);
        for _ in 0..4 {
            let (record, rest) = records.split_at(size.min(records.len()));
            records = rest;
            match Span::of(of, record, &mut system) {
                Ok(mut span) => {
                    span.identify(|| 0);
                    let ids = [span.trace_id, span.span_id, span.parent_span_id.or(Some("1".repeat(16)))];
                    let digits = ids.map(|id| id.map_or(0, |id| id.trim_start_matches('0').len()));
                    assert!(digits.iter().all(|digits| *digits > 0), "{digits:?}");
                    assert_eq!(span.attributes.len(), of.attributes().count());
                }
                Err(Without::LeftOut) => {}
                Err(Without::Undecodable(why)) => assert!(!why.is_empty() && !why.contains('\n'), "{why}"),
            }
        }
    }
}

/// One of each decoder.
const ALL: &str = "metrics: {counters: [{name: a, labels: [{name: l, size: 1, decoders: [{name: uint}, {name: string}, \
    {name: hex}, {name: inet_ip}, {name: dname}, {name: ifname}, {name: majorminor}, {name: ksym}, {name: kstack}, \
    {name: errno}, {name: syscall}, {name: cgroup}, {name: pci_vendor}, {name: pci_device}, {name: pci_class}, \
    {name: pci_subclass}, {name: static_map, static_map: {1: one, 61: two}}, \
    {name: regexp, regexps: ['^(a|1)', '[0-9]+$']}]}]}]}";

/// Two numbers of decoders, and the bytes that the first is given; the second is given what that makes of them.
///
/// Any bytes have a text, or there is a reason on one line.
pub fn decoders(bytes: &[u8]) {
    thread_local! {
        static KNOWN: RefCell<(Config, System)> =
            RefCell::new((Config::parse("fuzzed".to_owned(), ALL).expect("a config"), System::default()));
    }
    let [first, second, bytes @ ..] = bytes else { return };
    KNOWN.with_borrow_mut(|(config, system)| {
        let all = &config.metrics[0].labels[0].decoders;
        let mut texts = Ok(bytes.to_vec());
        for number in [first, second] {
            let decoder = &all[usize::from(*number) % all.len()];
            texts = texts.and_then(|bytes| decoder.decode(bytes, system));
        }
        if let Err(Without::Undecodable(why)) = texts {
            assert!(!why.is_empty() && !why.contains('\n'), "{why}");
        }
    });
}

/// A regular expression, and behind the first line a text that it is tried on.
pub fn patterns(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (expression, text) = text.split_once('\n').unwrap_or((&text, ""));
    match re2::compile(expression) {
        Ok(regex) => drop(regex.captures(text)),
        Err(why) => assert!(!why.is_empty() && !why.contains('\n'), "{why}"),
    }
}

#[cfg(test)]
#[path = "../../../common/fuzz/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    fn folder(target: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target)
    }

    #[test]
    fn any_config_is_read_or_refused() {
        super::seeds::every(&folder("configs"), super::configs);
    }

    #[test]
    fn any_record_is_a_span_or_none() {
        super::seeds::every(&folder("spans"), super::spans);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused() {
        super::seeds::every(&folder("decoders"), super::decoders);
        // Each after each, and of few bytes and many.
        for (first, second) in (0..18).flat_map(|first| (0..18).map(move |second| (first, second))) {
            for bytes in
                [&b""[..], &[0], &[0xff; 4], b"12345678", &[b'1'; 40], b"\x03www\x02eu\0", &[0xc0; 64]]
            {
                super::decoders(&[&[first, second], bytes].concat());
            }
        }
    }

    #[test]
    fn any_expression_is_compiled_or_refused() {
        super::seeds::every(&folder("patterns"), super::patterns);
    }
}
