//! The fields of a record's line. The form that the tools print is read by one pass over its bytes, anything else by the
//! parser that all of `ebpfmux` uses: with a thousand rows ten times a second, that one alone would take 3 % of a processor.

use std::borrow::Cow;

use memchr::memchr2;

use crate::live::state::template::end_of_list;
use crate::record::{self, Fields, Value};

/// Reads a line into `fields`, which is emptied before; returns whether it is a record.
pub fn read<'a>(line: &'a [u8], fields: &mut Fields<'a>) -> bool {
    fields.clear();
    if std::str::from_utf8(line).ok().and_then(|text| plain(text, fields)).is_some() {
        return true;
    }
    match record::from_json(line) {
        Ok(read) => *fields = read,
        Err(_) => return false,
    }
    true
}

/// An object without spaces between its parts, and without escapes in names.
fn plain<'a>(text: &'a str, fields: &mut Fields<'a>) -> Option<()> {
    let mut rest = text.trim_end().strip_prefix('{')?;
    loop {
        rest = rest.strip_prefix('"')?;
        let end = memchr2(b'"', b'\\', rest.as_bytes())?;
        let (name, after) = rest.split_at(end);
        rest = after.strip_prefix("\":")?;
        let (value, end) = value(rest)?;
        fields.push((Cow::Borrowed(name), value));
        rest = &rest[end..];
        match rest.as_bytes() {
            [b',', ..] => rest = &rest[1..],
            [b'}'] => return Some(()),
            _ => return None,
        }
    }
}

/// The value at the beginning of a text, and its length.
fn value(text: &str) -> Option<(Value<'_>, usize)> {
    let bytes = text.as_bytes();
    match bytes.first()? {
        b'"' => {
            let end = memchr2(b'"', b'\\', &bytes[1..])? + 1;
            // What has escapes is left to the parser.
            (bytes[end] == b'"').then(|| (Value::Text(Cow::Borrowed(&text[1..end])), end + 1))
        }
        b'[' => {
            let end = end_of_list(bytes)?;
            Some((Value::Nested(Cow::Borrowed(&text[..end])), end))
        }
        b'{' => None,
        _ => {
            let end = memchr2(b',', b'}', bytes)?;
            let value = match &text[..end] {
                "null" => Value::Null,
                "true" | "false" => Value::Plain(Cow::Borrowed(&text[..end])),
                number if is_number(number) => Value::Plain(Cow::Borrowed(number)),
                _ => return None,
            };
            Some((value, end))
        }
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
        && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways of reading agree, whatever the line.
    #[test]
    fn a_line_is_read_as_the_parser_reads_it() {
        for (line, quick) in [
            (r#"{"ts":"x","n":3,"f":-1.5e-7,"z":null,"b":[[1.5,2],[3,4]],"s":"日本","t":true}"#, true),
            (r#"{"a":[],"b":""}"#, true),
            (r#"{"a": 1}"#, false),
            (r#"{"a":"x\ny"}"#, false),
            (r#"{"a\"b":1}"#, false),
            (r#"{"a":{"b":1}}"#, false),
            (r#"{"a":["x]"]}"#, false),
            ("{}", false),
        ] {
            let mut fields = Fields::new();
            assert_eq!(plain(line, &mut fields).is_some(), quick, "{line}");
            assert!(read(line.as_bytes(), &mut fields), "{line}");
            assert_eq!(fields, record::from_json(line.as_bytes()).unwrap(), "{line}");
        }
    }

    #[test]
    fn what_is_no_record_is_none() {
        let bad: [&[u8]; 9] = [
            b"",
            b"{",
            b"{\"a\"",
            b"{\"a\":",
            b"{\"a\":1",
            b"{\"a\":1}x",
            b"{\"a\":x}",
            b"[1]",
            b"{\"a\":\"\xff\"}",
        ];
        for line in bad {
            assert!(!read(line, &mut Fields::new()), "{line:?}");
        }
    }
}
