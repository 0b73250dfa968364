//! A record parsed into its fields, for when the raw line is not sufficient.

pub mod bounds;
pub mod buckets;
pub mod decimal;
pub mod declared;
pub mod keys;
pub mod lock;
pub mod moment;
pub mod number;
pub mod recording;
pub mod span;
pub mod timestamp;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A field's value. Numbers keep their text, so that converting does not change their digits.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// A number or a boolean, as written in JSON.
    Plain(Cow<'a, str>),
    /// An array or an object, as written in JSON.
    Nested(Cow<'a, str>),
}

impl Value<'_> {
    /// The same value, owned.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Text(text) => Value::Text(text.into_owned().into()),
            Self::Plain(raw) => Value::Plain(raw.into_owned().into()),
            Self::Nested(raw) => Value::Nested(raw.into_owned().into()),
        }
    }

    /// A number as JSON: null if it is not finite, as JSON has no such numbers.
    pub fn number(number: f64) -> Value<'static> {
        match number.is_finite() {
            true => Value::Plain(serde_json::to_string(&number).unwrap_or_default().into()),
            false => Value::Null,
        }
    }

    /// The whole number that it is, if it is one, however it is written.
    pub fn whole(&self) -> Option<i128> {
        match self {
            Self::Plain(raw) => number::whole(raw),
            _ => None,
        }
    }

    /// The value as a key: text in which equal numbers are equal.
    pub fn key(&self) -> Cow<'_, str> {
        match self {
            Self::Plain(raw) if raw.contains(['.', 'e', 'E']) => {
                number::whole(raw).map_or(raw.as_ref().into(), |whole| whole.to_string().into())
            }
            Self::Null => "".into(),
            _ => self.text().into(),
        }
    }

    /// The value as text: a string without quotes, anything else as in JSON.
    pub fn text(&self) -> &str {
        match self {
            Self::Null => "null",
            Self::Text(text) => text,
            Self::Plain(raw) | Self::Nested(raw) => raw,
        }
    }
}

/// The value of the field of this name.
pub fn find<'a, 'b>(fields: &'b Fields<'a>, name: &str) -> Option<&'b Value<'a>> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The fields in the order of the line.
pub type Fields<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// Parses a JSON object. The error message says what is wrong with the line.
pub fn from_json(line: &[u8]) -> Result<Fields<'_>, String> {
    if line.contains(&0) {
        return Err("holds a NUL byte".into());
    }
    let text = std::str::from_utf8(line).map_err(|_| "is not UTF-8")?;
    let object: Object = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => "is not a JSON object".to_owned(),
        _ => format!("is not valid JSON (column {})", error.column()),
    })?;
    Ok(object.0)
}

/// The first name that occurs twice.
pub fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

/// Checks what is needed to combine records. The error message says what is wrong with the record.
pub fn check(fields: &Fields<'_>) -> Result<(), String> {
    match find(fields, "interval_s") {
        Some(Value::Plain(raw)) if raw.parse().is_ok_and(|length: f64| !length.is_finite()) => {
            Err(format!("has an `interval_s` that is out of range: {:.40}", raw))
        }
        _ => Ok(()),
    }
}

/// Appends the record as one JSON line.
pub fn to_json(fields: &Fields<'_>, line: &mut Vec<u8>) {
    let mut open = b'{';
    for (name, value) in fields {
        line.push(open);
        open = b',';
        json_string(name, line);
        line.push(b':');
        match value {
            Value::Null => line.extend_from_slice(b"null"),
            Value::Text(text) => json_string(text, line),
            Value::Plain(raw) | Value::Nested(raw) => line.extend_from_slice(raw.as_bytes()),
        }
    }
    line.extend_from_slice(if fields.is_empty() { b"{}\n" } else { b"}\n" });
}

/// Appends a string in quotes, escaped.
pub fn json_string(text: &str, line: &mut Vec<u8>) {
    // Writing a string into memory cannot fail.
    let _ = serde_json::to_writer(line, text);
}

struct Object<'a>(Fields<'a>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::with_capacity(24);
                while let Some((Name(name), raw)) = members.next_entry::<Name<'de>, &'de RawValue>()? {
                    fields.push((name, value(raw.get())));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A member's name, borrowed from the line unless it holds an escape.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

fn value(raw: &str) -> Value<'_> {
    match raw.as_bytes() {
        b"null" => Value::Null,
        [b'"', .., b'"'] => Value::Text(match raw.contains('\\') {
            false => Cow::Borrowed(&raw[1..raw.len() - 1]),
            // A lone surrogate is not valid text; the escape is kept.
            true => {
                Cow::Owned(serde_json::from_str(raw).unwrap_or_else(|_| raw[1..raw.len() - 1].to_owned()))
            }
        }),
        [b'[' | b'{', ..] => Value::Nested(raw.into()),
        _ => Value::Plain(raw.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_survive_the_round_trip() {
        let line = "{\"ts\":\"x\",\"n\":18446744073709551616,\"f\":1.50,\"e\":1e-7,\"z\":null,\"b\":[[1,2]],\"s\":\"a\\n\\\"ü\"}\n";
        let fields = from_json(line.as_bytes()).unwrap();
        let mut again = Vec::new();
        to_json(&fields, &mut again);
        assert_eq!(String::from_utf8(again).unwrap(), line);
    }

    #[test]
    fn what_is_no_object_is_said() {
        for line in
            ["[1]", "{", "", "{\"a\":1}{", "nul", "{\"a\":\"\u{1}\"}", "{\"a\":1,}", "{\"a\":\"x\0\"}"]
        {
            assert!(from_json(line.as_bytes()).is_err(), "{line:?}");
        }
        assert!(from_json(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        let line = format!("{{\"a\":{}{}}}", "[".repeat(500_000), "]".repeat(500_000));
        assert!(matches!(from_json(line.as_bytes()).unwrap()[0].1, Value::Nested(_)));
    }
}
