//! Runs the parsers of untrusted input on arbitrary bytes: for fuzzing (`fuzz/`), and for a test on
//! a few seeds.
//!
//! Each function panics if an invariant is violated.
#![allow(clippy::expect_used, reason = "a panic is what a fuzzer looks for")]

use std::collections::HashSet;
use std::time::Duration;

use crate::filter::condition::Condition;
use crate::filter::expression::Outcome;
use crate::filter::resolve::Resolver;
use crate::filter::select::Select;
use crate::join::Join;
use crate::metrics::{Bounds, Metrics};
use crate::record::timestamp::Nanos;
use crate::record::{self, Fields};
use crate::serve::{self, negotiate};
use crate::sink::csv;
use crate::source::buffer::Buffer;
use crate::source::csv::Row;
use crate::source::lines::{Format, Found, Lines};
use crate::window::Windows;

/// The NDJSON reader, and what processes its records: windows, joins, metrics.
///
/// All bytes are passed on or left out, in order, however the input is split into reads. A record
/// that the strict reader accepts is accepted by every reader, with the same time. A record that is
/// written again is the same. No value causes a panic.
pub fn ndjson(bytes: &[u8]) {
    // Makes the format known: JSON from the first line on.
    let bytes = [b"{\"ts\":\"2026-11-21T06:00:00.000000Z\"}\n", bytes].concat();
    let (strict, _) = read(&bytes, true, bytes.len());
    let (quick, _) = read(&bytes, false, bytes.len());
    let (parts, _) = read(&bytes, false, bytes.len() / 2);
    assert_eq!(quick, parts, "whatever the reads");
    for record in &strict {
        assert!(quick.contains(record), "only the strict reader accepts {record:?}");
    }
    let mut made = Made::default();
    for (time, line) in &strict {
        let fields = record::from_json(line).expect("a strict reader has parsed it");
        written_again_is_the_same(&fields);
        made.take(*time, &fields);
    }
    for (_, line) in &quick {
        // Lines that only look valid are detected here.
        let _ = record::from_json(line);
    }
    made.finish();
}

/// The CSV reader.
///
/// As for NDJSON; and a row that is written again has the same cells.
pub fn csv(bytes: &[u8]) {
    let bytes = [b"ts,host,tool,", bytes].concat();
    let (records, format) = read(&bytes, false, bytes.len());
    let (parts, _) = read(&bytes, false, bytes.len() / 2);
    assert_eq!(records, parts, "whatever the reads");
    let Format::Csv(table) = format else { return };
    let (mut row, mut again, mut made) = (Row::default(), Row::default(), Made::default());
    for (time, line) in records {
        let Ok(fields) = table.fields(&line, &mut row) else { continue };
        let mut written = Vec::new();
        csv::row(fields.iter().map(|(_, value)| csv::cell(value)), &mut written);
        assert_eq!(again.split(&written), Some(fields.len()), "{fields:?}");
        for (at, (_, value)) in fields.iter().enumerate() {
            assert_eq!(again.field(at), Some(csv::cell(value).as_bytes()), "{fields:?}");
        }
        let mut json = Vec::new();
        record::to_json(&fields, &mut json);
        let parsed = record::from_json(&json).unwrap_or_else(|why| panic!("{why}: {fields:?}"));
        assert_eq!(parsed, fields);
        made.take(time, &fields);
    }
    made.finish();
}

/// The language of `--where` and `--assert`: the first line is an expression, the others are
/// records that it is evaluated on.
///
/// Any input gives an outcome or an error of one line.
pub fn expression(bytes: &[u8]) {
    let (text, records) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut select = Select::new(text).ok();
    let mut condition = match Condition::new("--where", text) {
        Ok(condition) => condition,
        Err(failure) => return drop(failure),
    };
    for line in records.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(fields) = record::from_json(line) else { continue };
        let record = Resolver::new(&fields);
        for first in [Outcome::True, Outcome::False] {
            if let Err(failure) = condition.judge(&record, first) {
                assert!(!failure.message.is_empty(), "{text}");
            }
        }
        if let Some(select) = &mut select {
            let _ = select.apply(&fields);
        }
    }
    let _ = condition.finish();
}

/// The records in these bytes, which are read in two parts, with their times; and the detected
/// format.
fn read(bytes: &[u8], strict: bool, first: usize) -> (Vec<(Nanos, Vec<u8>)>, Format) {
    let (mut buffer, mut lines, mut records) = (Buffer::new(false), Lines::new(strict), Vec::new());
    let (first, second) = bytes.split_at(first);
    let mut consumed = 0;
    for (part, last) in [(first, false), (second, true)] {
        buffer.feed(part);
        if last && !buffer.unread().is_empty() && !bytes.ends_with(b"\n") {
            buffer.close_line();
        }
        loop {
            let len = match lines.next(&buffer, last) {
                Found::More => break,
                Found::Record(time, len) => {
                    records.push((time, buffer.unread()[..len].to_vec()));
                    len
                }
                Found::Bad(len, why) => {
                    assert!(!why.is_empty());
                    len
                }
                Found::Skip(len) => len,
            };
            assert!((1..=buffer.unread().len()).contains(&len), "{len} bytes");
            assert_eq!(buffer.unread()[len - 1], b'\n', "whole lines");
            consumed += len;
            buffer.consume(len);
        }
    }
    assert!(buffer.unread().is_empty(), "all is read");
    assert!((bytes.len()..=bytes.len() + 1).contains(&consumed), "{consumed} bytes");
    (records, lines.format)
}

fn written_again_is_the_same(fields: &Fields<'_>) {
    let (mut line, mut again) = (Vec::new(), Vec::new());
    record::to_json(fields, &mut line);
    let parsed = record::from_json(&line).unwrap_or_else(|why| panic!("{why}: {fields:?}"));
    record::to_json(&parsed, &mut again);
    assert_eq!(line, again, "{fields:?}");
}

/// What processes several records.
struct Made {
    window: Windows,
    join: Join,
    metrics: Metrics,
}

impl Default for Made {
    fn default() -> Self {
        let length = Duration::from_secs(10);
        let window = Windows::new(length, 100, None, true).expect("ten seconds");
        Self {
            window,
            join: Join::new(length, 100, true),
            metrics: Metrics::new(Bounds { series: 100, label_bytes: 256, quiet: true }),
        }
    }
}

impl Made {
    fn take(&mut self, time: Nanos, fields: &Fields<'_>) {
        self.metrics.take(time, fields);
        self.join.add(time, fields).iter().for_each(written_again_is_the_same);
        if let Ok(complete) = self.window.add(time, fields) {
            complete.iter().flat_map(|(_, records)| records).for_each(written_again_is_the_same);
        }
    }

    fn finish(mut self) {
        self.join.close().iter().for_each(written_again_is_the_same);
        let complete = self.window.close();
        complete.iter().flat_map(|(_, records)| records).for_each(written_again_is_the_same);
        let text = serve::render(&self.metrics, &[], negotiate::Format::Plain);
        is_readable(&String::from_utf8(text).expect("text"));
    }
}

/// Checks metrics in Prometheus's text format: all names are valid, each family is there once and
/// has only its own samples, and no sample is there twice.
fn is_readable(text: &str) {
    let (mut families, mut samples, mut family) = (HashSet::new(), HashSet::new(), "");
    let mut latencies = Vec::new();
    for line in text.split('\n').filter(|line| !line.is_empty() && !line.starts_with("# HELP ")) {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            let (name, kind) = head.split_once(' ').expect("a name and a type");
            assert!(is_name(name) && families.insert(name), "{line}");
            latencies.extend(matches!(kind, "histogram" | "summary").then_some(name));
            family = name;
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(value.parse::<f64>().is_ok() && samples.insert(sample), "{line}");
        let (name, mut labels) = sample.split_once('{').expect("labels");
        let end = name.strip_prefix(family).unwrap_or("?");
        assert!(matches!(end, "" | "_bucket" | "_sum" | "_count"), "{line} of {family}");
        let mut names = HashSet::new();
        while labels != "}" {
            let (name, rest) = labels.split_once("=\"").expect("a label");
            assert!(is_name(name) && !name.starts_with("__") && names.insert(name), "{line}");
            let mut escaped = false;
            let value = rest.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            labels = &rest[value.expect("the value ends") + 1..];
            labels = labels.strip_prefix(',').unwrap_or(labels);
        }
    }
    for name in latencies {
        let samples = ["_bucket", "_sum", "_count"].map(|end| format!("{name}{end}"));
        assert!(!samples.iter().any(|sample| families.contains(sample.as_str())), "{name}");
    }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(fits) && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}
