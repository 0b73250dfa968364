//! `--check`: a row per program, whether it is attached and if not why, and a row per metric and kind of spans, what its map is.

use std::io::{self, Write};

use cli::exit::{Failure, Result};
use common::options::Output;
use mapstat::decode;
use mapstat::row::label_fields;
use serde::Serialize;

use crate::config::{self, Form};
use crate::maps::Sizes;
use crate::object::{Attached, Outcome, Refused};

/// A config that can be used.
pub struct Checked<'a> {
    /// The config.
    pub config: &'a config::Config,
    /// What became of its programs.
    pub programs: &'a [Attached],
    /// Its metrics, each with its map.
    pub metrics: Vec<(&'a config::Metric, Sizes)>,
    /// Its spans, each with its ring buffer.
    pub spans: Vec<(&'a config::Span, Sizes)>,
    /// How many cgroups its `cgroup_id_map` has.
    pub cgroups: Option<usize>,
}

#[derive(Serialize)]
struct Program<'a> {
    config: &'a str,
    program: &'a str,
    section: &'a str,
    /// Null where another kernel's files do not say.
    attached: Option<bool>,
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Metric<'a> {
    config: &'a str,
    metric: &'a str,
    r#type: &'a str,
    map: String,
    max_entries: u32,
    key_bytes: u32,
    labels: Vec<String>,
    /// Of a histogram.
    #[serde(skip_serializing_if = "Option::is_none")]
    buckets: Option<usize>,
}

#[derive(Serialize)]
struct Span<'a> {
    config: &'a str,
    span: &'a str,
    service: &'a str,
    map: &'a str,
    /// Of the ring buffer.
    bytes: u32,
    /// What a record has at least.
    record_bytes: usize,
    labels: Vec<&'a str>,
}

#[derive(Serialize)]
struct CgroupIds<'a> {
    config: &'a str,
    cgroup_id_map: &'a str,
    cgroups: usize,
}

#[derive(Serialize)]
struct Config<'a> {
    config: &'a str,
    refused: &'a str,
}

/// Prints what became of each config.
///
/// # Errors
/// When stdout cannot be written to.
pub fn print(all: &[Checked<'_>], refused: &[(String, Refused)], output: Option<Output>) -> Result<()> {
    let mut out = io::stdout().lock();
    let json = output == Some(Output::Json);
    let written = write(&mut out, all, refused, json);
    written.and_then(|()| out.flush()).map_err(Failure::stdout)
}

fn write(
    out: &mut impl Write,
    all: &[Checked<'_>],
    refused: &[(String, Refused)],
    json: bool,
) -> io::Result<()> {
    for checked in all {
        checked.programs.iter().try_for_each(|program| write_program(out, checked.config, program, json))?;
        if let (Some(ids), Some(cgroups)) = (&checked.config.cgroup_ids, checked.cgroups) {
            let row = CgroupIds { config: &checked.config.name, cgroup_id_map: &ids.name, cgroups };
            match json {
                true => writeln!(out, "{}", serde_json::to_string(&row)?)?,
                false => writeln!(out, "{}  cgroup_id_map {}  {cgroups} cgroups", row.config, ids.name)?,
            }
        }
        for (metric, map) in &checked.metrics {
            write_metric(out, checked.config, metric, *map, json)?;
        }
        for (span, map) in &checked.spans {
            write_span(out, checked.config, span, *map, json)?;
        }
    }
    for (config, Refused { why, .. }) in refused {
        match json {
            true => writeln!(out, "{}", serde_json::to_string(&Config { config, refused: why })?)?,
            false => writeln!(out, "{config}  refused: {why}")?,
        }
    }
    Ok(())
}

fn write_program(
    out: &mut impl Write,
    config: &config::Config,
    program: &Attached,
    json: bool,
) -> io::Result<()> {
    let (attached, reason, words) = match &program.outcome {
        Outcome::Attached => (Some(true), None, ""),
        Outcome::Off => (Some(false), Some("off: its section begins with ?"), "not attached: "),
        Outcome::Not(why, _) => (Some(false), Some(why.as_str()), "not attached: "),
        Outcome::Unknown(why) => (None, Some(*why), "not known: "),
    };
    let row =
        Program { config: &config.name, program: &program.name, section: &program.section, attached, reason };
    if json {
        return writeln!(out, "{}", serde_json::to_string(&row)?);
    }
    let why = reason.map(|why| format!("  {words}{why}")).unwrap_or_default();
    writeln!(out, "{}  program {}  {}{why}", row.config, row.program, row.section)
}

fn write_metric(
    out: &mut impl Write,
    config: &config::Config,
    metric: &config::Metric,
    map: Sizes,
    json: bool,
) -> io::Result<()> {
    let buckets = match &metric.form {
        Form::Histogram(buckets) => Some(buckets.bounds.len()),
        _ => None,
    };
    let row = Metric {
        config: &config.name,
        metric: &metric.name,
        r#type: metric.form.name(),
        map: format!("{:?}", map.of),
        max_entries: map.entries,
        key_bytes: map.key,
        labels: label_fields(metric).collect(),
        buckets,
    };
    if json {
        return writeln!(out, "{}", serde_json::to_string(&row)?);
    }
    let labels =
        if row.labels.is_empty() { String::new() } else { format!("  by {}", row.labels.join(", ")) };
    let buckets = buckets.map(|buckets| format!("  {buckets} buckets")).unwrap_or_default();
    writeln!(
        out,
        "{}  {} {}  {} of {}, keys of {} bytes{labels}{buckets}",
        row.config, row.r#type, row.metric, row.map, row.max_entries, row.key_bytes
    )
}

fn write_span(
    out: &mut impl Write,
    config: &config::Config,
    span: &config::Span,
    map: Sizes,
    json: bool,
) -> io::Result<()> {
    let row = Span {
        config: &config.name,
        span: &span.name,
        service: &span.service,
        map: &span.ring,
        bytes: map.entries,
        record_bytes: decode::size(&span.labels),
        labels: span.labels.iter().map(|label| label.name.as_str()).collect(),
    };
    if json {
        return writeln!(out, "{}", serde_json::to_string(&row)?);
    }
    writeln!(
        out,
        "{}  spans {} of {}  ring buffer {} of {} bytes, records of {}: {}",
        row.config,
        row.span,
        row.service,
        row.map,
        row.bytes,
        row.record_bytes,
        row.labels.join(", ")
    )
}
