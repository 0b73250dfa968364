//! Metrics that records describe: those of ebpf_exporter.

use std::fmt::Write;

use super::braced;
use crate::metrics::series::{Family, Kind, Total, cumulated};
use crate::serve::gofloat;

/// A family that records describe: its name is complete, and its numbers are those of ebpf_exporter.
pub(super) fn write_described(
    name: &str,
    family: &Family,
    open: bool,
    text: &mut String,
) -> std::fmt::Result {
    let (head, kind) = match (family.kind, open) {
        (Kind::Bounded, _) => (name, "histogram"),
        (Kind::Level, _) => (name, "gauge"),
        (_, false) => (name, "counter"),
        // OpenMetrics has no counters without this ending.
        (_, true) => match name.strip_suffix("_total") {
            Some(family) => (family, "counter"),
            None => (name, "unknown"),
        },
    };
    let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
    // The older format has no quotes that could end it.
    let help = if open { help.replace('"', "\\\"") } else { help };
    writeln!(text, "# HELP {head} {help}\n# TYPE {head} {kind}")?;
    for (labels, series) in &family.series {
        match &series.total {
            Total::Whole(sum) => writeln!(text, "{name}{} {}", braced(labels), gofloat::text(*sum as f64))?,
            Total::Real(value) => writeln!(text, "{name}{} {}", braced(labels), gofloat::text(*value))?,
            Total::Histogram(histogram) => {
                let count = gofloat::text(histogram.count as f64);
                let comma = if labels.is_empty() { "" } else { "," };
                for (upper, sum) in cumulated(histogram) {
                    let (upper, sum) = (gofloat::text(upper), gofloat::text(sum as f64));
                    writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{upper}\"}} {sum}")?;
                }
                writeln!(text, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}")?;
                let (labels, sum) = (braced(labels), gofloat::text(histogram.sum));
                writeln!(text, "{name}_sum{labels} {sum}\n{name}_count{labels} {count}")?;
            }
        }
    }
    Ok(())
}
