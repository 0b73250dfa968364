//! What tells the records of one tool apart, and the names that are made of it.

use std::borrow::Cow;

use record::fields::Kind;

use super::declared::Declared;
use super::{Fields, Value};

/// The tool's name in joined records.
pub const JOINED: &str = "ebpfmux";

/// Whether a field is a key: it is declared as one, or holds text.
pub fn is_key(declared: Declared<'_>, name: &str, value: &Value<'_>) -> bool {
    !matches!(name, "ts" | "host" | "tool")
        && (matches!(value, Value::Text(_)) || declared.kind(name) == Some(&Kind::Key))
}

/// What a record tells, beside when and of what it is.
pub fn values<'f, 'v>(
    declared: Declared<'f>,
    fields: &'f Fields<'v>,
) -> impl Iterator<Item = &'f (Cow<'v, str>, Value<'v>)> {
    fields.iter().filter(move |(name, value)| {
        !matches!(name.as_ref(), "ts" | "host" | "tool" | "interval_s") && !is_key(declared, name, value)
    })
}

/// The keys of a record that are not null, in its order.
pub fn keys<'a>(fields: &'a Fields<'_>) -> impl Iterator<Item = &'a str> {
    let declared = Declared::of(fields);
    let there =
        fields.iter().filter(move |(name, value)| *value != Value::Null && is_key(declared, name, value));
    there.map(|(_, value)| value.text())
}

/// `.` parts the names of a joined record, so within a name it is `%2E`, and `%` is `%25`.
pub fn escape(part: &str) -> Cow<'_, str> {
    match part.contains(['%', '.']) {
        true => part.replace('%', "%25").replace('.', "%2E").into(),
        false => part.into(),
    }
}

/// What [`escape`] made of a part, as it was.
pub fn unescape(part: &str) -> Cow<'_, str> {
    match part.contains('%') {
        true => part.replace("%2E", ".").replace("%25", "%").into(),
        false => part.into(),
    }
}
