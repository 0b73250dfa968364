//! Streams of records: NDJSON and CSV.

use std::time::Duration;

use super::exposition::{declare_odd, is_readable};
use crate::join::Join;
use crate::metrics::{Bounds, Metrics, Naming};
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
        declare_odd();
        let length = Duration::from_secs(10);
        let window = Windows::new(length, 100, None, true).expect("ten seconds");
        Self {
            window,
            join: Join::new(length, 100, true),
            metrics: Metrics::new(Bounds { series: 100, label_bytes: 256, quiet: true }, Naming::default()),
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
