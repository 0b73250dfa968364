//! The sections of a manual besides the options: the parts of the text after them, the records'
//! fields, the exit statuses.

use clap::Command;
use record::fields::{self, Field, Kind, Unit};

/// What signals do, the same in all programs.
pub const SIGNALS: &str = "\
SIGINT, SIGTERM and SIGHUP end it in order: what is complete is printed, of a tool also the current interval, and it exits \
with status 0. If the reader of stdout then reads nothing for 5 s, it exits with status 1 and says that records are lost. \
A second signal kills it at once. A signal that was ignored when it started (nohup, a background job of a script) stays \
ignored.";

/// A part of the text after the options, under a heading of its own.
pub struct Section {
    /// `Examples`.
    pub heading: String,
    /// Its lines, as shown.
    pub lines: Vec<String>,
}

/// The parts of the text that `--help` shows after the options.
pub fn behind_options(command: &Command) -> Vec<Section> {
    let text = command.get_after_long_help().or(command.get_after_help());
    let text = text.map(ToString::to_string).unwrap_or_default();
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        match (heading(line), sections.last_mut()) {
            (Some(heading), _) => sections.push(Section { heading: heading.to_owned(), lines: Vec::new() }),
            (None, Some(section)) => section.lines.push(line.to_owned()),
            (None, None) => {
                sections.push(Section { heading: "Notes".to_owned(), lines: vec![line.to_owned()] })
            }
        }
    }
    for section in &mut sections {
        while section.lines.last().is_some_and(|line| line.trim().is_empty()) {
            section.lines.pop();
        }
    }
    sections
}

/// `Examples:` at the beginning of a line.
fn heading(line: &str) -> Option<&str> {
    line.strip_suffix(':').filter(|words| words.starts_with(|c: char| c.is_uppercase()))
}

/// The records of a tool: a title for each form, and its fields in their order.
pub fn records(tool: &str) -> Vec<(&'static str, impl Iterator<Item = (String, Field)>)> {
    let title = |events| if events { "A record of an event" } else { "A record of an interval" };
    fields::documents(tool).into_iter().map(|(events, fields)| (title(events), fields.into_iter())).collect()
}

/// What a field is, in words: `counter, bytes`.
pub fn kind(field: &Field) -> String {
    let kind = match &field.kind {
        Kind::Time => "time",
        Kind::Interval => "length of the interval",
        Kind::Step => "step of the clock",
        Kind::Key => "key",
        Kind::Text | Kind::Note => "text",
        Kind::Value => "value",
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Minimum => "minimum",
        Kind::Maximum => "maximum",
        Kind::Mean(_) => "mean",
        Kind::Percentile(_) => "percentile",
        Kind::Ratio(..) => "ratio",
        Kind::Difference(_) => "difference",
        Kind::Buckets | Kind::Bounds => "histogram",
    };
    match unit(field.unit) {
        "" => kind.to_owned(),
        unit => format!("{kind}, {unit}"),
    }
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "",
        Unit::Bytes => "bytes",
        Unit::Pages => "pages",
        Unit::Seconds => "seconds",
        Unit::Microseconds => "microseconds",
        Unit::Nanoseconds => "nanoseconds",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_begin_sections() {
        let command =
            Command::new("tool").after_help("Examples:\n  tool 1\n\nBounds:\n  none\nOrder: is kept\n");
        let found: Vec<_> =
            behind_options(&command).into_iter().map(|part| (part.heading, part.lines.join("|"))).collect();
        let expected = [("Examples", "  tool 1"), ("Bounds", "  none|Order: is kept")];
        assert_eq!(found, expected.map(|(heading, lines)| (heading.to_owned(), lines.to_owned())));
    }

    #[test]
    fn each_tools_records_are_described() {
        let found = records("proclife");
        assert_eq!(found.len(), 2);
        let zombies = found.into_iter().flat_map(|(_, fields)| fields).find(|(name, _)| name == "zombies");
        assert_eq!(zombies.map(|(_, field)| kind(&field)).as_deref(), Some("gauge"));
    }
}
