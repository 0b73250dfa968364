//! Finds the records in a source's bytes and their times, reading as little of each as possible.
//!
//! A JSON line in the tools' own form is accepted by a few checks: it begins with `{"ts":"` and a
//! valid timestamp of fixed width, the first closing brace after that is its last byte, and it is
//! valid UTF-8 without control characters. This detects truncated lines, merged lines, and stray
//! bytes. Any other line is parsed in full, and so is every line with `strict`.

use memchr::{memchr, memchr_iter, memchr3};

use super::buffer::{Buffer, plain};
use super::csv::{Row, Table, row_end};
use super::guess::guess;
use crate::record::timestamp::{Clock, FIXED_LEN, Nanos, NoTime};
use crate::record::{self, Fields, Value};

/// A longer line is not accepted as a record, so that a source's memory is bounded.
pub const MAX_LINE: usize = 16 << 20;

/// A byte order mark, which RFC 8259 (8.1) lets a parser ignore.
const MARK: &[u8] = b"\xef\xbb\xbf";

const HEAD: &[u8] = b"{\"ts\":\"";
const STAMP_END: usize = HEAD.len() + FIXED_LEN;

/// The format of a source, detected by its first line.
pub enum Format {
    /// Nothing has been received yet.
    Unknown,
    /// One JSON object per line.
    Json,
    /// A header, then rows.
    Csv(Table),
}

impl Format {
    /// The record in a line of this format; `row` is memory for one of CSV.
    ///
    /// # Errors
    /// Why there is none.
    pub fn record<'a>(&'a self, line: &'a [u8], row: &'a mut Row) -> Result<Fields<'a>, String> {
        let fields = match self {
            Self::Csv(table) => table.fields(line, row),
            Self::Unknown | Self::Json => record::from_json(line),
        }?;
        record::check(&fields).map(|()| fields)
    }
}

/// The result for the start of the unread bytes.
#[derive(Debug, PartialEq)]
pub enum Found {
    /// A record with this time and length, including its line end.
    Record(Nanos, usize),
    /// A bad line of this length, with the reason as a message.
    Bad(usize, String),
    /// A line of this length to skip: blank, or a header.
    Skip(usize),
    /// No complete line.
    More,
}

/// The reader of one source's lines.
pub struct Lines {
    /// Its format.
    pub format: Format,
    strict: bool,
    /// Whether nothing except blank lines has been read, so that the form may be another one.
    fresh: bool,
    /// Whether a byte order mark may follow.
    first: bool,
    clock: Clock,
    row: Row,
    /// Bytes at the start of the unread that are known to hold no line end.
    scanned: usize,
    /// Whether those bytes end within the quotes of a CSV field.
    quoted: bool,
    /// The rest of a line that is too long is being skipped.
    overlong: bool,
}

impl Lines {
    /// A reader of a stream from its beginning. `strict` parses every record in full.
    pub fn new(strict: bool) -> Self {
        Self {
            format: Format::Unknown,
            strict,
            fresh: true,
            first: true,
            clock: Clock::default(),
            row: Row::default(),
            scanned: 0,
            quoted: false,
            overlong: false,
        }
    }

    /// Examines the start of the unread bytes, which are the last ones if `ended`; consumes
    /// nothing.
    pub fn next(&mut self, buffer: &Buffer, ended: bool) -> Found {
        let bytes = buffer.unread();
        let json = matches!(self.format, Format::Json);
        if json
            && self.scanned == 0
            && !self.strict
            && !self.overlong
            && let Some((time, len)) = self.quick(bytes, buffer.plain())
        {
            return Found::Record(time, len);
        }
        if self.first {
            if bytes.len() < MARK.len() && MARK.starts_with(bytes) && !ended {
                return Found::More;
            }
            self.first = false;
            if bytes.starts_with(MARK) {
                return Found::Skip(MARK.len());
            }
        }
        let resumed = self.scanned > 0;
        let Some(len) = self.line_end(bytes) else {
            if bytes.len() <= MAX_LINE && !(ended && self.quoted) {
                return Found::More;
            }
            self.scanned = 0;
            if std::mem::take(&mut self.quoted)
                && let Some(end) = memchr(b'\n', bytes)
            {
                return Found::Bad(end + 1, "has an unclosed quote".into());
            }
            if std::mem::replace(&mut self.overlong, true) {
                return Found::Skip(bytes.len());
            }
            return Found::Bad(bytes.len(), format!("is longer than {} MiB", MAX_LINE >> 20));
        };
        if std::mem::take(&mut self.overlong) {
            return Found::Skip(len);
        }
        // The result does not depend on how a line is split into reads.
        if json
            && resumed
            && !self.strict
            && let Some((time, len)) = self.quick(&bytes[..len], buffer.plain())
        {
            return Found::Record(time, len);
        }
        self.line(&bytes[..len])
    }

    fn line_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let end = match self.format {
            Format::Csv(_) if !self.overlong => row_end(bytes, self.scanned, &mut self.quoted),
            _ => memchr(b'\n', &bytes[self.scanned..]).map(|at| self.scanned + at + 1),
        };
        self.scanned = if end.is_none() { bytes.len() } else { 0 };
        self.quoted &= end.is_none();
        end
    }

    /// The time and length of a record in the tools' own form; `None` means that the line needs a
    /// full parse.
    fn quick(&mut self, bytes: &[u8], all_plain: bool) -> Option<(Nanos, usize)> {
        if bytes.len() <= STAMP_END || !bytes.starts_with(HEAD) || bytes[STAMP_END] != b'"' {
            return None;
        }
        let stamp = <&[u8; FIXED_LEN]>::try_from(&bytes[HEAD.len()..STAMP_END]).ok()?;
        let time = self.clock.fixed(stamp)?;
        if !matches!(bytes[STAMP_END + 1..], [b',', b'"', ..] | [b'}', ..]) {
            return None;
        }
        let brace = STAMP_END + 1 + memchr3(b'}', b'{', b'\n', &bytes[STAMP_END + 1..])?;
        if bytes[brace] != b'}' || bytes.get(brace + 1) != Some(&b'\n') {
            return None;
        }
        let line = &bytes[..brace + 2];
        (all_plain || plain(line) || is_text(line)).then_some((time, line.len()))
    }

    fn line(&mut self, line: &[u8]) -> Found {
        if line.trim_ascii().is_empty() {
            return Found::Skip(line.len());
        }
        if let Format::Unknown = self.format {
            if line.trim_ascii_start().starts_with(b"{") {
                self.format = Format::Json;
            } else if let Some(table) = Table::from_header(line) {
                self.format = Format::Csv(table);
            }
        }
        let time = match &self.format {
            Format::Csv(table) if table.header == line => {
                let names = table.names.iter().map(String::as_str);
                match record::repeated(names).filter(|_| self.strict) {
                    None => return Found::Skip(line.len()),
                    Some(name) => Err(twice(name)),
                }
            }
            Format::Csv(table) => csv_time(table, line, &mut self.row, &mut self.clock),
            _ => json_time(line, &mut self.clock, self.strict),
        };
        let fresh = std::mem::take(&mut self.fresh);
        match time {
            Ok(time) => Found::Record(time, line.len()),
            // A bad row over several lines is probably a stray quote: only its first line is
            // dropped.
            Err(why) => {
                let len = memchr(b'\n', line).map_or(line.len(), |end| end + 1);
                let other_form = fresh.then(|| guess(line)).flatten();
                Found::Bad(len, other_form.unwrap_or(why))
            }
        }
    }
}

fn json_time(line: &[u8], clock: &mut Clock, strict: bool) -> Result<Nanos, String> {
    let fields = record::from_json(line)?;
    if strict {
        record::check(&fields)?;
        if let Some(name) = record::repeated(fields.iter().map(|(name, _)| name.as_ref())) {
            return Err(twice(name));
        }
    }
    match record::find(&fields, "ts") {
        Some(Value::Text(text)) => clock.any(text.as_bytes()).map_err(|why| bad_time(why, text)),
        Some(_) => Err("has a `ts` that is not a string".into()),
        None => Err("has no `ts`".into()),
    }
}

fn csv_time(table: &Table, line: &[u8], row: &mut Row, clock: &mut Clock) -> Result<Nanos, String> {
    if !plain(line) && std::str::from_utf8(line).is_err() {
        return Err("is not UTF-8".into());
    }
    if memchr(0, line).is_some() {
        return Err("holds a NUL byte".into());
    }
    let ts = table.ts(line, row)?;
    clock.any(ts).map_err(|why| bad_time(why, &String::from_utf8_lossy(ts)))
}

fn bad_time(why: NoTime, text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    match why {
        NoTime::Form => format!("has a `ts` that is not an RFC 3339 time: {shown:?}"),
        NoTime::Range => format!("has a `ts` that is out of range (1678 to 2262): {shown:?}"),
    }
}

fn twice(name: &str) -> String {
    format!("has `{name:.40}` twice")
}

/// Whether a line is valid UTF-8 without control characters except its line end.
fn is_text(line: &[u8]) -> bool {
    line[..line.len() - 1].iter().all(|byte| *byte >= 0x20) && std::str::from_utf8(line).is_ok()
}

/// The number of line ends in a line, more than one in a CSV row with line ends in quotes.
pub fn line_ends(line: &[u8]) -> u64 {
    memchr_iter(b'\n', line).count() as u64
}
