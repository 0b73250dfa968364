//! `--check`: a row per program, whether it is attached and if not why, and a row per metric, what its map is.

use std::io::{self, Write};

use cli::exit::{Failure, Result};
use common::options::Output;
use libbpf_rs::MapCore;
use mapstat::row::label_fields;
use serde::Serialize;

use crate::object::{Loaded, Outcome, Refused};

#[derive(Serialize)]
struct Program<'a> {
    config: &'a str,
    program: &'a str,
    section: &'a str,
    attached: bool,
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
pub fn print(loaded: &[Loaded], refused: &[(String, Refused)], output: Option<Output>) -> Result<()> {
    let mut out = io::stdout().lock();
    let json = output == Some(Output::Json);
    let written = write(&mut out, loaded, refused, json);
    written.and_then(|()| out.flush()).map_err(Failure::stdout)
}

fn write(
    out: &mut impl Write,
    loaded: &[Loaded],
    refused: &[(String, Refused)],
    json: bool,
) -> io::Result<()> {
    for Loaded { config, programs, object, .. } in loaded {
        for program in programs {
            let reason = match &program.outcome {
                Outcome::Attached => None,
                Outcome::Off => Some("off: its section begins with ?"),
                Outcome::Not(why, _) => Some(why.as_str()),
            };
            let row = Program {
                config: &config.name,
                program: &program.name,
                section: &program.section,
                attached: reason.is_none(),
                reason,
            };
            match (json, reason) {
                (true, _) => writeln!(out, "{}", serde_json::to_string(&row)?)?,
                (_, None) => writeln!(out, "{}  program {}  {}", row.config, row.program, row.section)?,
                (_, Some(why)) => {
                    writeln!(
                        out,
                        "{}  program {}  {}  not attached: {why}",
                        row.config, row.program, row.section
                    )?;
                }
            }
        }
        for metric in &config.metrics {
            let Some(map) = object.maps().find(|map| map.name() == metric.name.as_str()) else { continue };
            let row = Metric {
                config: &config.name,
                metric: &metric.name,
                r#type: metric.form.name(),
                map: format!("{:?}", map.map_type()),
                max_entries: map.max_entries(),
                key_bytes: map.key_size(),
                labels: label_fields(metric).collect(),
            };
            if json {
                writeln!(out, "{}", serde_json::to_string(&row)?)?;
                continue;
            }
            let labels =
                if row.labels.is_empty() { String::new() } else { format!("  by {}", row.labels.join(", ")) };
            writeln!(
                out,
                "{}  {} {}  {} of {}, keys of {} bytes{labels}",
                row.config, row.r#type, row.metric, row.map, row.max_entries, row.key_bytes
            )?;
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
