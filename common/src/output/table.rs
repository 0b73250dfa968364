//! The table for people: a record's fields, with what the tool's schema says of them, as a line.

use std::io::{self, Write};

use record::fields::Schema;
use serde::Serialize;
use serde_json::Value;
use table::{Cell, Choice, Line, Options, Screen, Zone};

use super::{Row, schema};

/// The table of a tool's records.
pub struct Table {
    tool: &'static str,
    options: Options,
    all: bool,
    /// Made with the first record, which says of which form they are.
    of_form: Option<(Schema, table::Table)>,
}

impl Table {
    /// An empty one; `all`: with all columns.
    pub fn new(tool: &'static str, options: Options, all: bool) -> Self {
        Self { tool, options, all, of_form: None }
    }

    /// Adds a record. What is complete is written to `out`; the rest waits for the next flush.
    pub fn write<R: Row>(
        &mut self,
        out: &mut impl Write,
        record: &impl Serialize,
        row: &R,
    ) -> io::Result<()> {
        let Value::Object(fields) = serde_json::to_value(record)? else {
            return Err(io::Error::other("a record is an object"));
        };
        let (options, choice) =
            (self.options, Choice { all: self.all, first: R::FIRST, ..Choice::default() });
        let (schema, table) = match &mut self.of_form {
            Some(made) => made,
            none => none.insert((
                schema_of::<R>(self.tool)?,
                table::Table::new(options, choice, Zone::new(options.utc)),
            )),
        };
        let texts: Vec<(&str, &Value, String)> =
            fields.iter().map(|(name, value)| (name.as_str(), value, digits(value))).collect();
        let cells = texts.iter().map(|(name, value, digits)| (*name, cell(value, digits)));
        let drawn = row.drawn().into_iter().map(|(title, buckets)| (title.to_owned(), buckets.to_vec()));
        let line = Line { fields: cells.collect(), sketch: row.sketch(), drawn: drawn.collect() };
        table.push(line, |name| schema.field(name));
        if table.is_full() { out.write_all(self.flush().as_bytes()) } else { Ok(()) }
    }

    /// The lines that have waited.
    pub fn flush(&mut self) -> String {
        let mut text = String::new();
        if let Some((_, table)) = &mut self.of_form {
            table.flush(&Screen::now(self.options.color), &mut text);
        }
        text
    }
}

/// What a tool says of the fields of its records.
fn schema_of<R: Row>(tool: &str) -> io::Result<Schema> {
    let text = serde_json::to_string(&schema::<R>(tool))?;
    Schema::parse(&text).map(|(_, schema)| schema).map_err(io::Error::other)
}

/// What stands without quotes in JSON.
fn digits(value: &Value) -> String {
    match value {
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => String::new(),
    }
}

fn cell<'a>(value: &'a Value, digits: &'a str) -> Cell<'a> {
    match value {
        Value::Null => Cell::Null,
        Value::String(text) => Cell::Text(text),
        Value::Number(_) | Value::Bool(_) => Cell::Number(digits),
        Value::Array(_) | Value::Object(_) => Cell::Nested,
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::*;

    #[derive(Serialize, JsonSchema)]
    struct Sample {
        #[schemars(extend("x-kind" = "key", "x-rank" = 1))]
        disk: Option<&'static str>,
        #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-unit" = "bytes"))]
        bytes: u64,
        #[schemars(extend("x-kind" = "maximum", "x-rank" = 2))]
        p99_us: Option<f64>,
        #[schemars(extend("x-kind" = "counter"))]
        hidden: u64,
    }

    impl Row for Sample {}

    #[test]
    fn a_record_is_a_line_with_what_its_schema_says() {
        let options = Options { utc: true, ..Options::default() };
        let (mut table, mut out) = (Table::new("sample", options, false), Vec::new());
        for (disk, p99_us) in [(Some("vda"), Some(104.447)), (None, None)] {
            let sample = Sample { disk, bytes: 8_163_328, p99_us, hidden: 1 };
            let mut fields = serde_json::to_value(&sample).unwrap();
            fields["ts"] = "2026-11-21T06:26:35.123456Z".into();
            fields["interval_s"] = 1.into();
            fields["lost"] = 0.into();
            table.write(&mut out, &fields, &sample).unwrap();
        }
        assert!(out.is_empty());
        let text = table.flush();
        assert_eq!(
            text,
            "UTC                   p99\ntime     disk bytes    us  lost\n06:26:35 vda  7.79M   104     0\n\
             06:26:35 -    7.79M     -     0\n"
        );
    }
}
