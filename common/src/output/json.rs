//! One JSON object per line.

use std::io::{self, Write};

use serde::Serialize;

/// Writes the record as a line.
pub fn write(out: &mut impl Write, record: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}
