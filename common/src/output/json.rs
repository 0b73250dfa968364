//! One JSON object per line.

use std::io::{self, Write};

use serde::Serialize;

/// Writes the record as a line, in one call, so that lines of several writers to one pipe do not mix.
pub fn write(out: &mut impl Write, line: &mut Vec<u8>, record: &impl Serialize) -> io::Result<()> {
    line.clear();
    serde_json::to_writer(&mut *line, record)?;
    line.push(b'\n');
    out.write_all(line)
}
