//! Names that somebody else gave, beside a record's own fields.

/// The fields of a record of a span that are not its attributes, those of all records and of a table among them.
pub const SPAN_FIELDS: [&str; 16] = [
    "ts",
    "host",
    "tool",
    "clock_step_s",
    "event",
    "config",
    "service",
    "span",
    "trace_id",
    "span_id",
    "parent_span_id",
    "start",
    "duration_us",
    "labels",
    "interval_s",
    "lost",
];

/// Stands before a name that is called like a field.
const BEFORE: &str = "label_";

/// The field of a label in records that have these fields as well: `label_` stands before one that is called like one of them.
pub fn field_of(fields: &[&str], label: &str) -> String {
    if fields.contains(&label) { format!("{BEFORE}{label}") } else { label.to_owned() }
}

/// The label of a field: the inverse.
pub fn label_of<'a>(fields: &[&str], field: &'a str) -> &'a str {
    field.strip_prefix(BEFORE).filter(|label| fields.contains(label)).unwrap_or(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_comes_back() {
        for label in SPAN_FIELDS.into_iter().chain(["cpu", "label_x", "label_"]) {
            let field = field_of(&SPAN_FIELDS, label);
            assert!(!SPAN_FIELDS.contains(&field.as_str()), "{label}");
            assert_eq!(label_of(&SPAN_FIELDS, &field), label);
        }
    }
}
