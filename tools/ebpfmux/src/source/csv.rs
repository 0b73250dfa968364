//! Reads CSV: its header, and its rows, whose cells get their JSON types back.

use std::borrow::Cow;
use std::cell::RefCell;

use csv_core::{ReadRecordResult, Reader};
use memchr::{memchr, memchr_iter};

use crate::record::declared::Declared;
use crate::record::{Fields, Value};

/// Undeclared fields that hold text even where the text looks like a number.
const TEXT: [&str; 14] = [
    "ts", "host", "tool", "disk", "op", "comm", "cgroup", "app", "fs", "call", "kind", "name", "parent",
    "path",
];

/// The header of a CSV stream.
pub struct Table {
    /// The header line as received, with its line end; a stream that restarts repeats it.
    pub header: Vec<u8>,
    /// The columns in order.
    pub names: Vec<String>,
    ts: usize,
    /// The column of the tool's name.
    tool: Option<usize>,
    /// What the tool of the last row declares.
    text: RefCell<TextColumns>,
}

/// Which columns hold text, by the declarations of one tool.
#[derive(Default)]
struct TextColumns {
    tool: Option<String>,
    columns: Vec<bool>,
}

impl TextColumns {
    fn update(&mut self, tool: &str, names: &[String]) {
        if self.tool.as_deref() == Some(tool) {
            return;
        }
        let declared = Declared::of_tool(tool, |name| names.iter().any(|known| known == name));
        let is_text = |name: &String| match declared.field(name) {
            Some((field, _)) => field.text,
            None => TEXT.contains(&name.as_str()),
        };
        self.columns = names.iter().map(is_text).collect();
        self.tool = Some(tool.to_owned());
    }
}

impl Table {
    /// Reads a line as a CSV header; `None` if it is not one with a column `ts`.
    pub fn from_header(line: &[u8]) -> Option<Self> {
        let mut row = Row::default();
        let count = row.split(line)?;
        let names: Option<Vec<String>> =
            (0..count).map(|i| Some(std::str::from_utf8(row.field(i)?).ok()?.to_owned())).collect();
        let names = names?;
        let ts = names.iter().position(|name| name == "ts")?;
        let tool = names.iter().position(|name| name == "tool");
        Some(Self { header: line.to_owned(), names, ts, tool, text: RefCell::default() })
    }

    /// The time stamp of a row, which must have as many fields as the header. The error is a
    /// message.
    pub fn ts<'a>(&self, line: &'a [u8], row: &'a mut Row) -> Result<&'a [u8], String> {
        let columns = self.names.len();
        if memchr(b'"', line).is_none() {
            let count = memchr_iter(b',', line).count() + 1;
            if count != columns {
                return Err(format!("has {count} fields, the header {columns}"));
            }
            let field = line.split(|byte| *byte == b',').nth(self.ts).unwrap_or_default();
            return Ok(field.trim_ascii_end());
        }
        match row.split(line) {
            Some(count) if count == columns => Ok(row.field(self.ts).unwrap_or_default()),
            Some(count) => Err(format!("has {count} fields, the header {columns}")),
            None => Err("is not a CSV row".into()),
        }
    }

    /// Parses a row and restores the types: an empty cell is null, and what JSON would read as a
    /// number or a boolean is one, except in columns that are declared as text.
    pub fn fields<'a>(&'a self, line: &[u8], row: &'a mut Row) -> Result<Fields<'a>, String> {
        if row.split(line) != Some(self.names.len()) {
            return Err("is not a CSV row of the header's columns".into());
        }
        let row = &*row;
        let tool = self.tool.and_then(|at| std::str::from_utf8(row.field(at)?).ok());
        let mut text = self.text.borrow_mut();
        text.update(tool.unwrap_or_default(), &self.names);
        let cells = self.names.iter().zip(&text.columns).enumerate();
        cells
            .map(|(i, (name, text))| {
                let cell =
                    std::str::from_utf8(row.field(i).unwrap_or_default()).map_err(|_| "is not UTF-8")?;
                Ok((Cow::Borrowed(name.as_str()), typed(cell, *text)))
            })
            .collect()
    }
}

fn typed(cell: &str, text: bool) -> Value<'_> {
    match cell {
        "" => Value::Null,
        _ if text => Value::Text(cell.into()),
        "true" | "false" => Value::Plain(cell.into()),
        _ if is_number(cell.as_bytes()) => Value::Plain(cell.into()),
        _ => Value::Text(cell.into()),
    }
}

/// Whether this is a number in JSON's grammar: `007` and `+1` are text.
fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || whole > 1 && text[0] == b'0' {
        return false;
    }
    let mut rest = &text[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

/// The end of the row at the start of `bytes`, including its line end and respecting quoted line
/// ends; `None` if it is not in `bytes`. The search starts at `from`; `quoted` is whether that is
/// within quotes, and is updated for a later call.
pub fn row_end(bytes: &[u8], from: usize, quoted: &mut bool) -> Option<usize> {
    for at in memchr::memchr2_iter(b'\n', b'"', &bytes[from..]) {
        match bytes[from + at] {
            b'"' => *quoted = !*quoted,
            _ if !*quoted => return Some(from + at + 1),
            _ => {}
        }
    }
    None
}

/// The fields of one row, with reused memory.
#[derive(Default)]
pub struct Row {
    /// Created for the first row: streams of JSON need none.
    reader: Option<Box<Reader>>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Row {
    /// Splits a line into its fields and returns their number; `None` if it is not one whole row.
    pub fn split(&mut self, line: &[u8]) -> Option<usize> {
        // Unquoting only shortens, and a field takes at least one byte: this room is always
        // sufficient.
        self.text.resize(line.len() + 1, 0);
        self.ends.resize(line.len() + 1, 0);
        let reader = self.reader.get_or_insert_with(|| Box::new(Reader::new()));
        reader.reset();
        let (mut read, mut written, mut count) = (0, 0, 0);
        loop {
            let input = line.get(read..)?;
            let (result, nin, nout, nends) =
                reader.read_record(input, &mut self.text[written..], &mut self.ends[count..]);
            (read, written, count) = (read + nin, written + nout, count + nends);
            match result {
                // The next iteration has no input, which the reader takes as the end.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record => {
                    return (read == line.len() || line[read..] == *b"\n").then_some(count);
                }
                _ => return None,
            }
        }
    }

    /// A field of the last row.
    pub fn field(&self, index: usize) -> Option<&[u8]> {
        let start = if index == 0 { 0 } else { *self.ends.get(index - 1)? };
        self.text.get(start..*self.ends.get(index)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_typed_back() {
        let table = Table::from_header(b"ts,comm,count,mean_us,ok,note\r\n").unwrap();
        let mut row = Row::default();
        let line = b"2026-11-21T06:26:35.123456Z,12,3,,true,\"a,\"\"b\"\"\n c\"\r\n";
        assert_eq!(row_end(line, 0, &mut false), Some(line.len()));
        assert_eq!(table.ts(line, &mut row).unwrap(), b"2026-11-21T06:26:35.123456Z");
        let fields = table.fields(line, &mut row).unwrap();
        let mut json = Vec::new();
        crate::record::to_json(&fields, &mut json);
        let expected = r#"{"ts":"2026-11-21T06:26:35.123456Z","comm":"12","count":3,"mean_us":null,"ok":true,"note":"a,\"b\"\n c"}"#;
        assert_eq!(String::from_utf8(json).unwrap().trim_end(), expected);
    }

    #[test]
    fn a_row_of_another_width_is_refused() {
        let table = Table::from_header(b"ts,a\n").unwrap();
        let mut row = Row::default();
        for line in [&b"x\n"[..], b"x,1,2\n", b"x,\"1\",2\n", b"\"x,1\n"] {
            assert!(table.ts(line, &mut row).is_err());
        }
        assert!(Table::from_header(b"time,a\n").is_none());
    }

    #[test]
    fn numbers_are_those_of_json() {
        for good in ["0", "-1", "10.50", "1e5", "1.5E-3", "18446744073709551616"] {
            assert!(is_number(good.as_bytes()), "{good}");
        }
        for bad in ["", "-", "007", "+1", "1.", ".5", "1e", "0x1", "1 ", "NaN", "1e+"] {
            assert!(!is_number(bad.as_bytes()), "{bad}");
        }
    }
}
