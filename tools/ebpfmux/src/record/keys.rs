//! The keys of records, and the names made of them.

use std::borrow::Cow;

use record::fields::Kind;

use super::declared::Declared;
use super::{Fields, Value};

/// The tool's name in joined records.
pub const JOINED: &str = "ebpfmux";

/// Whether a field is a key: it is declared as one, or is a text that is not declared as a mere explanation.
pub fn is_key(declared: Declared<'_>, name: &str, value: &Value<'_>) -> bool {
    if matches!(name, "ts" | "host" | "tool") {
        return false;
    }
    match (declared.kind(name), value) {
        (Some(Kind::Note), _) => false,
        (kind, value) => matches!(value, Value::Text(_)) || kind == Some(&Kind::Key),
    }
}

/// The fields of a record that are values: neither keys nor common fields.
pub fn values<'f, 'v>(
    declared: Declared<'f>,
    fields: &'f Fields<'v>,
) -> impl Iterator<Item = &'f (Cow<'v, str>, Value<'v>)> {
    fields.iter().filter(move |(name, value)| {
        !matches!(name.as_ref(), "ts" | "host" | "tool" | "interval_s") && !is_key(declared, name, value)
    })
}

/// The keys of a record that are not null, in its order.
pub fn keys<'a>(fields: &'a Fields<'_>) -> impl Iterator<Item = Cow<'a, str>> {
    let declared = Declared::of(fields);
    let there =
        fields.iter().filter(move |(name, value)| *value != Value::Null && is_key(declared, name, value));
    there.map(|(_, value)| value.key())
}

/// `.` separates the parts of a joined record's names, so within a part it is written `%2E`, and
/// `%` is `%25`.
pub fn escape(part: &str) -> Cow<'_, str> {
    match part.contains(['%', '.']) {
        true => part.replace('%', "%25").replace('.', "%2E").into(),
        false => part.into(),
    }
}

/// The inverse of [`escape`].
pub fn unescape(part: &str) -> Cow<'_, str> {
    match part.contains('%') {
        true => part.replace("%2E", ".").replace("%25", "%").into(),
        false => part.into(),
    }
}
