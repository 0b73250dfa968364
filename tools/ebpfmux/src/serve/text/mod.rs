//! Renders `/metrics` in the text formats of Prometheus and OpenMetrics.

mod described;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use crate::metrics::own::Own;
use crate::metrics::series::{Family, Histogram, Kind, Total, Unit, classic};
use crate::metrics::{Metrics, Named};
use described::write_described;

/// Renders as OpenMetrics, or as the older text format.
pub fn text(metrics: &Metrics, own: &[Own], open: bool) -> String {
    let mut text = String::new();
    for Named { name, family, .. } in metrics.families() {
        // Writing into memory cannot fail.
        let _ = write_family(&name, family, open, &mut text);
    }
    for (name, family) in own {
        let _ = write_family(name, family, open, &mut text);
    }
    if open {
        text += "# EOF\n";
    }
    text
}

fn write_head(
    name: &str,
    kind: &str,
    help: &str,
    unit: Unit,
    open: bool,
    text: &mut String,
) -> std::fmt::Result {
    // In OpenMetrics `_total` is part of the sample's name, not of the family's.
    let total = if kind == "counter" && !open { "_total" } else { "" };
    writeln!(text, "# HELP {name}{total} {help}\n# TYPE {name}{total} {kind}")?;
    match unit.suffix(name).filter(|_| open) {
        Some(unit) => writeln!(text, "# UNIT {name} {unit}"),
        None => Ok(()),
    }
}

fn write_family(name: &str, family: &Family, open: bool, text: &mut String) -> std::fmt::Result {
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
        Kind::Named | Kind::Bounded | Kind::Level => return write_described(name, family, open, text),
    };
    write_head(name, kind, &family.help, family.unit, open, text)?;
    let total = if family.kind == Kind::Counter { "_total" } else { "" };
    for (labels, series) in &family.series {
        match &series.total {
            Total::Whole(sum) => writeln!(text, "{name}{total}{} {sum}", braced(labels))?,
            Total::Real(value) => writeln!(text, "{name}{total}{} {value}", braced(labels))?,
            Total::Histogram(histogram) => write_histogram(histogram, name, labels, family.kind, text)?,
        }
    }
    Ok(())
}

/// Labels as they stand behind a name; nothing if there are none.
fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

fn write_histogram(
    histogram: &Histogram,
    name: &str,
    labels: &str,
    kind: Kind,
    text: &mut String,
) -> std::fmt::Result {
    if kind == Kind::Histogram {
        let comma = if labels.is_empty() { "" } else { "," };
        for (upper, sum) in classic(histogram) {
            writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{}\"}} {sum}", bound(upper))?;
        }
        writeln!(text, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {}", histogram.count)?;
    }
    let labels = braced(labels);
    writeln!(text, "{name}_sum{labels} {}\n{name}_count{labels} {}", histogram.sum, histogram.count)
}

/// A bound as Prometheus formats it when it reads the other formats, so that a series has the same
/// name in all of them.
fn bound(seconds: f64) -> String {
    let text = format!("{seconds:e}");
    match text.split_once("e-").and_then(|(digits, power)| Some((digits, power.parse::<u32>().ok()?))) {
        Some((digits, power)) if power > 4 => format!("{digits}e-{power:02}"),
        _ => seconds.to_string(),
    }
}
