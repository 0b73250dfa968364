//! `ebpfmux`'s own metrics: what it left out, what it sent, and the commands that it runs.

use std::collections::BTreeMap;

use super::place::text;
use super::series::{Family, Kind, Series, Total, Unit};

/// A metric with its name, which ends in its unit. Of a counter without `_total`.
pub type Own = (&'static str, Family);

/// The names of the metrics of commands, which no field of a record gets.
pub const OF_TOOLS: [(&str, Kind); 4] = [
    ("ebpf_tool_up", Kind::Gauge),
    ("ebpf_tool_seconds_left", Kind::Gauge),
    ("ebpf_tool_restarts", Kind::Counter),
    ("ebpf_tool_rung", Kind::Gauge),
];

/// Labels, each with its value.
pub type Labels = Vec<(String, String)>;

/// A counter with one value.
pub fn counter(name: &'static str, help: &str, value: u64) -> Own {
    family(name, Kind::Counter, help, [(Vec::new(), Total::Whole(value.into()))])
}

/// A metric of commands: its values, each with its labels.
pub fn of_tools(at: usize, help: &str, values: impl IntoIterator<Item = (Labels, Total)>) -> Own {
    let (name, kind) = OF_TOOLS[at];
    family(name, kind, help, values)
}

fn family(
    name: &'static str,
    kind: Kind,
    help: &str,
    values: impl IntoIterator<Item = (Labels, Total)>,
) -> Own {
    let series = |(labels, total): (Labels, Total)| {
        (text(&labels), Series { labels, owner: 0, since: 0, touched: None, total })
    };
    let series: BTreeMap<String, Series> = values.into_iter().map(series).collect();
    (name, Family { name: name.to_owned(), unit: Unit::None, kind, help: help.to_owned(), series })
}
