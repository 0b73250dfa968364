//! Records on stdout, in the one format that all tools share.

mod csv;
mod intervals;
mod json;
mod table;

pub use intervals::intervals;

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use cli::clock;
use cli::exit::{Failure, Result};
use cli::interval::{ProgDelta, Tick};
use jiff::Timestamp;
use schemars::{JsonSchema, schema_for};
use serde::Serialize;

use crate::options::{Common, Output};

/// A tool's record for one key in one interval, or for one event: the fields between the header and
/// `lost`.
pub trait Row: Serialize + JsonSchema {
    /// The fields of the table, in this order, by their names in the record; `Owner::COLUMN` for
    /// all of an owner's.
    const TABLE: &'static [&'static str];

    /// Whether a record is for one event, not for an interval.
    const EVENT: bool = false;

    /// A text of any length, shown at the end of a table's line.
    const TAIL: Option<&'static str> = None;

    /// The minimum widths of text columns, if the texts are known: so the lines of the first
    /// interval are aligned, too.
    const WIDTHS: &'static [(&'static str, usize)] = &[];

    /// A small picture of the distribution beside each line: counts per factor of four from 1 µs up.
    fn sketch(&self) -> Option<Vec<u64>> {
        None
    }

    /// The distributions to draw below the line, each with a title: `(upper bound in µs, count)`.
    fn drawn(&self) -> Vec<(&'static str, &[(f64, u64)])> {
        Vec::new()
    }
}

/// A whole record.
#[derive(Serialize, JsonSchema)]
struct Record<'a, R> {
    /// RFC 3339 in UTC with microseconds: the end of the interval, or the event's own time in the kernel.
    #[schemars(extend("x-kind" = "time", "format" = "date-time"))]
    ts: &'a str,
    /// The host's name.
    #[schemars(extend("x-kind" = "key"))]
    host: &'a str,
    /// The tool's name.
    #[schemars(extend("x-kind" = "key"))]
    tool: &'a str,
    /// The measured length of the interval, in seconds. Interval records only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "interval", "x-unit" = "seconds"))]
    interval_s: Option<f64>,
    #[serde(flatten)]
    row: &'a R,
    /// With --overhead: nanoseconds that the tool's programs ran in the interval. On its first record.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "counter", "x-unit" = "nanoseconds"))]
    bpf_ns: Option<u64>,
    /// With --overhead: how often the tool's programs ran in the interval. On its first record.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "counter"))]
    bpf_runs: Option<u64>,
    /// Events or updates that could not be recorded since the last record. 0 in health.
    #[schemars(extend("x-kind" = "counter"))]
    lost: u64,
}

/// Writes records to stdout.
pub struct Writer {
    tool: &'static str,
    host: String,
    format: Format,
    out: BufWriter<Stdout>,
    last: Timestamp,
}

enum Format {
    Json(Vec<u8>),
    Csv(csv::Csv),
    Table(table::Table),
}

impl Writer {
    /// A writer in the format that the user asked for: else a table on a terminal, else JSON.
    pub fn new(tool: &'static str, common: &Common) -> Self {
        let default = if io::stdout().is_terminal() { Output::Table } else { Output::Json };
        let format = match common.output.unwrap_or(default) {
            Output::Json => Format::Json(Vec::new()),
            Output::Csv => Format::Csv(csv::Csv::default()),
            Output::Table => Format::Table(table::Table::default()),
        };
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self {
            tool,
            host,
            format,
            out: BufWriter::with_capacity(1 << 16, io::stdout()),
            last: Timestamp::MIN,
        }
    }

    /// The records of an interval, and a flush. Losses and the programs' costs are on the first
    /// record, so that sums over records are right.
    ///
    /// # Errors
    /// When stdout cannot be written to; a reader that has closed the pipe is an ordinary end.
    pub fn interval<R: Row>(&mut self, tick: &Tick, rows: &[R], lost: u64, prog: ProgDelta) -> Result<()> {
        // The wall clock may be set back during a run; the records' times never go back.
        self.last = self.last.max(tick.at);
        let ts = clock::rfc3339(self.last);
        for (index, row) in rows.iter().enumerate() {
            let first = |value: u64| if index == 0 { value } else { 0 };
            let record = Record {
                ts: &ts,
                host: &self.host,
                tool: self.tool,
                interval_s: Some((tick.interval_s * 1e6).round() / 1e6),
                row,
                bpf_ns: prog.cost.map(|cost| first(cost.0)),
                bpf_runs: prog.cost.map(|cost| first(cost.1)),
                lost: first(lost + prog.missed),
            };
            self.format.write(&mut self.out, &record, row).map_err(Failure::stdout)?;
        }
        self.flush()
    }

    /// One event. Call `flush` when there are no more for now.
    ///
    /// # Errors
    /// As for `interval`.
    pub fn event<R: Row>(&mut self, at: Timestamp, row: &R, lost: u64) -> Result<()> {
        self.last = self.last.max(at);
        let ts = clock::rfc3339(self.last);
        let record = Record {
            ts: &ts,
            host: &self.host,
            tool: self.tool,
            interval_s: None,
            row,
            bpf_ns: None,
            bpf_runs: None,
            lost,
        };
        self.format.write(&mut self.out, &record, row).map_err(Failure::stdout)
    }

    /// Flushes what was written so far.
    ///
    /// # Errors
    /// As for `interval`.
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(Failure::stdout)
    }
}

impl Format {
    fn write<R: Row>(&mut self, out: &mut impl Write, record: &Record<'_, R>, row: &R) -> io::Result<()> {
        match self {
            Self::Json(line) => json::write(out, line, record),
            Self::Csv(csv) => csv.write(out, record),
            Self::Table(table) => table.write(out, record, row),
        }
    }
}

/// The version of the records: it changes when a field changes its meaning or is removed, not when
/// one is added.
const VERSION: u32 = 1;

/// Prints the JSON Schema of a tool's record, in which each field has its kind (`x-kind`) and unit (`x-unit`).
///
/// # Errors
/// When stdout cannot be written to.
pub fn print_schema<R: Row + 'static>(tool: &str) -> Result<()> {
    let mut schema = schema_for!(Record<'static, R>);
    let of = if R::EVENT { ":event" } else { "" };
    schema.insert("$id".to_string(), format!("urn:ebpf-filters:{tool}{of}:{VERSION}").into());
    schema.insert("title".to_string(), tool.into());
    schema.insert("version".to_string(), VERSION.into());
    if let Some(fields) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
        // An event has no length.
        fields.retain(|name, _| !(R::EVENT && matches!(name.as_str(), "interval_s" | "bpf_ns" | "bpf_runs")));
    }
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure::failed(error.to_string()))?;
    writeln!(io::stdout(), "{text}").map_err(Failure::stdout)
}

/// Refuses `--buckets` for formats that cannot express it.
///
/// # Errors
/// A usage error for `--buckets` with CSV.
pub fn check_buckets(common: &Common, buckets: bool) -> Result<()> {
    if buckets && common.output == Some(Output::Csv) {
        return Err(Failure::usage("--buckets has no CSV form: use -o json"));
    }
    Ok(())
}
