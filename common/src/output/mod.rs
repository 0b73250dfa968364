//! Records on stdout, in the one format that all tools share.

mod csv;
mod distribution;
mod json;
mod table;

pub use distribution::{Distribution, sketch};

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use cli::clock::{self, WallClock};
use cli::exit::{Failure, Result};
use cli::interval::{Footprint, ProgDelta, Tick};
use cli::signals::Stop;
use cli::stderr::note;
use cli::stdout;
use jiff::Timestamp;
use schemars::{JsonSchema, schema_for};
use serde::Serialize;

use crate::options::{Common, Output};

/// A tool's record for one key in one interval, or for one event: the fields between the header and
/// `lost`.
pub trait Row: Serialize + JsonSchema + 'static {
    /// Whether a record is for one event, not for an interval.
    const EVENT: bool = false;

    /// What a table shows first of this form of a record, beside its keys, if its user chose these: for sums.
    const FIRST: &'static [&'static str] = &[];

    /// The distribution of the one time that the record is about, if it is about one.
    fn distribution(&self) -> Option<&Distribution> {
        None
    }

    /// A small picture of the distribution beside each line: counts per factor of four from 1 µs up.
    fn sketch(&self) -> Option<Vec<u64>> {
        self.distribution().and_then(Distribution::sketch)
    }

    /// The distributions to draw below the line, each with a title: `(upper bound in µs, count)`.
    fn drawn(&self) -> Vec<(&'static str, &[(f64, u64)])> {
        self.distribution().map(Distribution::drawn).unwrap_or_default()
    }
}

/// The values of a field that is one of these names, or null: for its schema.
pub fn or_null<const N: usize>(names: [&'static str; N]) -> Vec<Option<&'static str>> {
    names.into_iter().map(Some).chain([None]).collect()
}

/// A whole record.
#[derive(Serialize, JsonSchema)]
struct Record<'a, R> {
    /// RFC 3339 in UTC with microseconds: the end of the interval, or the event's own time in the kernel.
    #[schemars(extend("x-kind" = "time", "x-rank" = 0, "format" = "date-time"))]
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
    /// Seconds that the wall clock was set forward by (back: negative) since the record before, on the first record after
    /// that; only where it was more than a second, and not in CSV. Records stay in the order of the kernel's monotonic clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "step", "x-unit" = "seconds"))]
    clock_step_s: Option<f64>,
    #[serde(flatten)]
    row: &'a R,
    /// With --overhead: nanoseconds that the tool's programs ran in the interval. On its first record.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-unit" = "nanoseconds"))]
    bpf_ns: Option<u64>,
    /// With --overhead: how often the tool's programs ran in the interval. On its first record.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3))]
    bpf_runs: Option<u64>,
    /// With --overhead: kernel memory of the tool's programs and maps at the end of the interval, as the kernel accounts for
    /// it in /proc/PID/fdinfo. On its first record; null on the others, and without /proc.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "gauge", "x-rank" = 3, "x-unit" = "bytes"))]
    bpf_bytes: Option<Option<u64>>,
    /// With --overhead: how many BPF maps the tool has. On the interval's first record; null on the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "gauge", "x-rank" = 5))]
    bpf_maps: Option<Option<u64>>,
    /// With --overhead: entries in the tool's hash maps at the end of the interval, before those of owners are emptied: with
    /// --by the owners, and what is under way. On the interval's first record; null on the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "gauge", "x-rank" = 5))]
    bpf_keys: Option<Option<u64>>,
    /// Events or updates that could not be recorded since the last record. 0 in health.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 1, "x-alarm" = true))]
    lost: u64,
}

/// Writes records to stdout.
pub struct Writer {
    tool: &'static str,
    host: String,
    format: Format,
    /// What is written of a batch of records.
    out: Vec<u8>,
    stdout: stdout::Output,
    quiet: bool,
    /// The clocks when they were last read.
    clock: WallClock,
    /// A step of the wall clock that no record tells of yet.
    step: Option<f64>,
    /// The time of the last record.
    last: Timestamp,
}

enum Format {
    Json,
    Csv(csv::Csv),
    /// Its lines are laid out when they are flushed.
    Table(Box<table::Table>),
}

impl Writer {
    /// A writer in the format that the user asked for: else a table on a terminal, else JSON. A reader that takes nothing
    /// does not keep the tool from ending when it is asked to, or when its `--duration` is over.
    pub fn new(tool: &'static str, common: &Common, stop: &Stop) -> Self {
        let default = if io::stdout().is_terminal() { Output::Table } else { Output::Json };
        let format = match common.output.unwrap_or(default) {
            Output::Json => Format::Json,
            Output::Csv => Format::Csv(csv::Csv::default()),
            Output::Table => Format::Table(Box::new(table::Table::new(tool, common.table, false))),
            Output::Wide => Format::Table(Box::new(table::Table::new(tool, common.table, true))),
        };
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let mut stdout = stdout::Output::stdout();
        stdout.heed(stop.clone(), common.duration.and_then(|duration| Instant::now().checked_add(duration)));
        Self {
            tool,
            host,
            format,
            out: Vec::new(),
            stdout,
            quiet: common.quiet,
            clock: WallClock::now(),
            step: None,
            last: Timestamp::MIN,
        }
    }

    /// The records of an interval, and a flush. Losses and the programs' costs are on the first
    /// record, so that sums over records are right; so is what the tool occupies. Each is written before the next is asked
    /// for.
    ///
    /// # Errors
    /// When stdout cannot be written to; a reader that has closed the pipe is an ordinary end.
    pub fn interval<R: Row>(
        &mut self,
        tick: &Tick,
        rows: impl IntoIterator<Item = R>,
        lost: u64,
        prog: ProgDelta,
        footprint: Option<Footprint>,
    ) -> Result<()> {
        self.read(tick.at);
        let ts = self.ts(tick.at.wall());
        let step = self.take_step();
        for (index, row) in rows.into_iter().enumerate() {
            let first = |value: u64| if index == 0 { value } else { 0 };
            let level = |value: fn(Footprint) -> Option<u64>| {
                footprint.map(|footprint| value(footprint).filter(|_| index == 0))
            };
            let record = Record {
                ts: &ts,
                host: &self.host,
                tool: self.tool,
                clock_step_s: step.filter(|_| index == 0),
                interval_s: Some((tick.interval_s * 1e6).round() / 1e6),
                row: &row,
                bpf_ns: prog.cost.map(|cost| first(cost.0)),
                bpf_runs: prog.cost.map(|cost| first(cost.1)),
                bpf_bytes: level(|footprint| footprint.bytes),
                bpf_maps: level(|footprint| Some(footprint.maps)),
                bpf_keys: level(|footprint| footprint.keys),
                lost: first(lost + prog.missed),
            };
            self.format.write(&mut self.out, &record, &row).map_err(Failure::stdout)?;
            hand_on(&mut self.out, &mut self.stdout)?;
        }
        self.flush()
    }

    /// Reads the clocks, by which events that come now have their times: to be called before each batch of them.
    pub fn read_clocks(&mut self) {
        self.read(WallClock::now());
    }

    fn read(&mut self, clock: WallClock) {
        if let Some(step) = clock.step_since(self.clock) {
            // The records' times follow.
            self.last = Timestamp::MIN;
            self.step = Some(self.step.unwrap_or(0.0) + step);
            if !self.quiet {
                let way = if step < 0.0 { "back" } else { "forward" };
                note(&format!("the wall clock was set {way} by {:.3} s", step.abs()));
            }
        }
        self.clock = clock;
    }

    /// The text of a time, which is not before that of the last record unless the clock was set back.
    fn ts(&mut self, at: Timestamp) -> String {
        self.last = self.last.max(at);
        clock::rfc3339(self.last)
    }

    /// The step that a record is to tell of. CSV has no column for it, for its columns are those of the first record.
    fn take_step(&mut self) -> Option<f64> {
        let step = self.step.take().map(|step| (step * 1e6).round() / 1e6);
        step.filter(|_| !matches!(self.format, Format::Csv(_)))
    }

    /// One event, by its time in the kernel's monotonic clock. Call `flush` when there are no more for now.
    ///
    /// # Errors
    /// As for `interval`.
    pub fn event<R: Row>(&mut self, monotonic_ns: u64, row: &R, lost: u64) -> Result<()> {
        let ts = self.ts(self.clock.at(monotonic_ns));
        let clock_step_s = self.take_step();
        let record = Record {
            ts: &ts,
            host: &self.host,
            tool: self.tool,
            clock_step_s,
            interval_s: None,
            row,
            bpf_ns: None,
            bpf_runs: None,
            bpf_bytes: None,
            bpf_maps: None,
            bpf_keys: None,
            lost,
        };
        self.format.write(&mut self.out, &record, row).map_err(Failure::stdout)?;
        hand_on(&mut self.out, &mut self.stdout)
    }

    /// Flushes what was written so far.
    ///
    /// # Errors
    /// As for `interval`.
    pub fn flush(&mut self) -> Result<()> {
        if let Format::Table(table) = &mut self.format {
            self.stdout.push(table.flush().as_bytes())?;
        }
        self.stdout.finish()
    }
}

/// Adds what was written to what is gathered for stdout.
fn hand_on(out: &mut Vec<u8>, stdout: &mut stdout::Output) -> Result<()> {
    stdout.push(out)?;
    out.clear();
    Ok(())
}

impl Format {
    fn write<R: Row>(&mut self, out: &mut impl Write, record: &Record<'_, R>, row: &R) -> io::Result<()> {
        match self {
            Self::Json => json::write(out, record),
            Self::Csv(csv) => csv.write(out, record),
            Self::Table(table) => table.write(out, record, row),
        }
    }
}

/// The version of the records: it changes when a field changes its meaning or is removed, not when
/// one is added.
const VERSION: u32 = 1;

/// The JSON Schema of a tool's record.
fn schema<R: Row>(tool: &str) -> schemars::Schema {
    let mut schema = schema_for!(Record<'static, R>);
    let of = if R::EVENT { ":event" } else { "" };
    schema.insert("$id".to_string(), format!("urn:ebpf-filters:{tool}{of}:{VERSION}").into());
    schema.insert("title".to_string(), tool.into());
    schema.insert("version".to_string(), VERSION.into());
    if let Some(fields) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
        // An event has no length.
        fields.retain(|name, _| !(R::EVENT && (name == "interval_s" || name.starts_with("bpf_"))));
    }
    schema
}

/// Prints the JSON Schema of a tool's record, in which each field has its kind (`x-kind`) and unit (`x-unit`).
///
/// # Errors
/// When stdout cannot be written to.
pub fn print_schema<R: Row>(tool: &str) -> Result<()> {
    print_schema_with::<R>(tool, |_| ())
}

/// The same of a tool whose records have fields that only this run knows: `add` adds them to the properties.
///
/// # Errors
/// When stdout cannot be written to.
pub fn print_schema_with<R: Row>(
    tool: &str,
    add: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>),
) -> Result<()> {
    let mut schema = schema::<R>(tool);
    if let Some(fields) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
        add(fields);
    }
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure::failed(error.to_string()))?;
    writeln!(io::stdout(), "{text}").map_err(Failure::stdout)
}

/// Prints the JSON Schema of a tool that has two forms of records: of its events, or of its intervals.
///
/// # Errors
/// When stdout cannot be written to.
pub fn print_schema_of<Event: Row, Interval: Row>(tool: &str, events: bool) -> Result<()> {
    if events { print_schema::<Event>(tool) } else { print_schema::<Interval>(tool) }
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
