//! The same fields as columns: header once, RFC 4180 quoting, an empty cell for null.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

/// Remembers whether the header was written.
#[derive(Default)]
pub struct Csv {
    headed: bool,
}

impl Csv {
    /// Writes the record as a row.
    pub fn write(&mut self, out: &mut impl Write, record: &impl Serialize) -> io::Result<()> {
        let Value::Object(fields) = serde_json::to_value(record)? else {
            return Err(io::Error::other("a record is an object"));
        };
        let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(out);
        if !self.headed {
            csv.write_record(fields.keys())?;
            self.headed = true;
        }
        csv.write_record(fields.values().map(cell))?;
        csv.flush()
    }
}

/// A value as text; strings without their JSON quotes.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn header_once_nulls_empty_and_quotes_doubled() {
        let (mut csv, mut out) = (Csv::default(), Vec::new());
        csv.write(&mut out, &json!({"ts": "t", "comm": "a,\"b\"\n", "p50_us": null, "count": 3})).unwrap();
        csv.write(&mut out, &json!({"ts": "u", "comm": "c", "p50_us": 1.5, "count": 4})).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "ts,comm,p50_us,count\nt,\"a,\"\"b\"\"\n\",,3\nu,c,1.5,4\n"
        );
    }
}
