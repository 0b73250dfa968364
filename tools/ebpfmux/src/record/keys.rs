//! What tells the records of one tool apart, and the names that are made of it.

use std::borrow::Cow;

use super::{Fields, Value};

/// Fields that tell records of one tool apart even where they hold numbers.
const KEYS: [&str; 19] = [
    "disk", "op", "pid", "tid", "ppid", "uid", "comm", "parent", "cgroup", "app", "fs", "call", "kind",
    "name", "irq", "cpu", "netns", "port", "proto",
];

/// The tool's name in joined records.
pub const JOINED: &str = "ebpfmux";

/// Whether a field is a key, known as such or because it holds text.
pub fn is_key(name: &str, value: &Value<'_>) -> bool {
    !matches!(name, "ts" | "host" | "tool") && (KEYS.contains(&name) || matches!(value, Value::Text(_)))
}

/// The keys of a record that are not null, in its order.
pub fn keys<'a>(fields: &'a Fields<'_>) -> impl Iterator<Item = &'a str> {
    let there = fields.iter().filter(|(name, value)| is_key(name, value) && *value != Value::Null);
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
