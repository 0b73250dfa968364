//! The table for terminals: aligned columns, a heading now and then, and drawn distributions.

use std::collections::BTreeSet;
use std::io::{self, Write};

use cli::text::visible;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Row;
use super::csv::cell;
use crate::owner::Owner;

/// Lines between two headings: fewer than common screens have.
const LINES_PER_HEADING: usize = 20;
/// Eight heights of a bar.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Width of the longest bar of a drawn distribution.
const BAR: usize = 40;
/// Shown if there is no value.
const NOTHING: &str = "-";

/// Remembers the columns' widths, which only ever grow, so that lines stay aligned.
#[derive(Default)]
pub struct Table {
    widths: Vec<usize>,
    /// Columns that have held a text: aligned to the left.
    texts: BTreeSet<&'static str>,
    since_heading: usize,
}

impl Table {
    /// Writes the record as a line.
    pub fn write<R: Row>(
        &mut self,
        out: &mut impl Write,
        record: &impl Serialize,
        row: &R,
    ) -> io::Result<()> {
        let Value::Object(fields) = serde_json::to_value(record)? else {
            return Err(io::Error::other("a record is an object"));
        };
        let columns: Vec<&'static str> = shown::<R>(&fields);
        let cells: Vec<String> = columns.iter().map(|column| show(column, &fields[*column])).collect();
        self.texts.extend(columns.iter().filter(|column| fields[**column].is_string()));
        let numeric: Vec<bool> = columns.iter().map(|column| !self.texts.contains(column)).collect();
        self.widths.resize(columns.len(), 0);
        let before = self.widths.clone();
        for ((width, cell), column) in self.widths.iter_mut().zip(&cells).zip(&columns) {
            let heading = heading(column).map(|line| line.len());
            let mut widths = R::WIDTHS.iter().chain(owners_widths::<R>());
            let least = widths.find(|(name, _)| name == column).map_or(0, |(_, least)| *least);
            *width = (*width).max(cell.chars().count()).max(heading[0]).max(heading[1]).max(least);
        }
        let (tail, tail_heading) = match (row.sketch(), R::TAIL) {
            (Some(counts), _) => (draw_sketch(&counts), "1us   1ms   1s"),
            (None, Some(column)) => {
                (visible(fields.get(column).and_then(Value::as_str).unwrap_or("")).into_owned(), column)
            }
            (None, None) => (String::new(), ""),
        };
        if self.since_heading == 0 || before.len() != self.widths.len() {
            for (part, tail) in ["", tail_heading].into_iter().enumerate() {
                let cells: Vec<String> = columns.iter().map(|column| heading(column)[part].clone()).collect();
                self.line(out, &cells, &numeric, tail)?;
            }
        }
        self.since_heading = (self.since_heading + 1) % LINES_PER_HEADING;
        self.line(out, &cells, &numeric, &tail)?;
        for (title, buckets) in row.drawn() {
            draw(out, title, buckets)?;
            self.since_heading = 0;
        }
        Ok(())
    }

    fn line(&self, out: &mut impl Write, cells: &[String], numeric: &[bool], tail: &str) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, width), numeric) in cells.iter().zip(&self.widths).zip(numeric) {
            match numeric {
                true => line.push_str(&format!("{cell:>width$} ")),
                false => line.push_str(&format!("{cell:<width$} ")),
            }
        }
        line.push_str(tail);
        writeln!(out, "{}", line.trim_end())
    }
}

/// The columns of this run: time, the tool's choice, columns added by options, losses.
fn shown<R: Row>(fields: &Map<String, Value>) -> Vec<&'static str> {
    let added = ["bpf_ns", "bpf_runs", "bpf_bytes", "bpf_maps", "bpf_keys", "lost"];
    let chosen = R::TABLE.iter().flat_map(|column| match *column {
        Owner::COLUMN => &Owner::COLUMNS[..],
        _ => std::slice::from_ref(column),
    });
    let all = ["ts"].iter().chain(chosen).chain(&added);
    all.copied().filter(|column| fields.contains_key(*column)).collect()
}

/// The minimum widths of an owner's columns, if there are any.
fn owners_widths<R: Row>() -> &'static [(&'static str, usize)] {
    if R::TABLE.contains(&Owner::COLUMN) { &Owner::WIDTHS } else { &[] }
}

/// A column's heading, in two lines: `thread_exits` stands as `thread` over `exits`.
fn heading(column: &str) -> [String; 2] {
    let column = if column == "ts" { "time" } else { column };
    match column.rsplit_once('_') {
        Some((upper, lower)) => [upper.replace('_', " "), lower.to_string()],
        None => [String::new(), column.to_string()],
    }
}

fn show(column: &str, value: &Value) -> String {
    match value {
        // The date is obvious on a terminal; the time to the second is enough.
        Value::String(ts) if column == "ts" => ts.get(11..19).unwrap_or(ts).to_string(),
        Value::Null => NOTHING.to_string(),
        Value::Number(number) if number.is_f64() => significant(number.as_f64().unwrap_or_default()),
        other => visible(&cell(other)).into_owned(),
    }
}

/// Three significant digits, or all digits before the point; readers need no more.
fn significant(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 || size == 0.0 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.9995 => format!("{value:.2}"),
        // Seconds may be as small; no digit would be left.
        size if size < 0.0005 => format!("{value:.1e}"),
        _ => format!("{value:.3}"),
    }
}

fn draw_sketch(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &u64| match count {
        0 => '·',
        count => HEIGHTS[(count * (HEIGHTS.len() as u64 - 1)).div_ceil(most) as usize],
    };
    counts.iter().map(bar).collect()
}

/// Draws a distribution, one line for each power of two, as its readers know it from bcc.
fn draw(out: &mut impl Write, title: &str, buckets: &[(f64, u64)]) -> io::Result<()> {
    let mut octaves: Vec<(f64, u64)> = Vec::new();
    for (upper_us, count) in buckets {
        // In nanoseconds the octaves' bounds are whole numbers.
        let upper = ((upper_us * 1_000.0) as u64).next_power_of_two() as f64 / 1_000.0;
        match octaves.last_mut() {
            Some((bound, sum)) if *bound == upper => *sum += count,
            _ => octaves.push((upper, *count)),
        }
    }
    let Some(most) = octaves.iter().map(|(_, count)| *count).max() else { return Ok(()) };
    writeln!(out, "\n  {title:>11}            : {:<10} distribution", "count")?;
    let mut next = octaves.first().map_or(0.0, |(upper, _)| *upper);
    for (upper, count) in octaves {
        // Empty octaves between two filled ones are part of the shape.
        while next < upper {
            draw_octave(out, next, 0, most)?;
            next *= 2.0;
        }
        draw_octave(out, upper, count, most)?;
        next = upper * 2.0;
    }
    writeln!(out)
}

fn draw_octave(out: &mut impl Write, upper: f64, count: u64, most: u64) -> io::Result<()> {
    let bar = "*".repeat((count as u128 * BAR as u128 / most as u128) as usize);
    writeln!(
        out,
        "  {:>10} -> {:<10}: {count:<10} |{bar:<BAR$}|",
        significant(upper / 2.0),
        significant(upper)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;

    #[derive(Serialize, JsonSchema)]
    struct Sample {
        disk: &'static str,
        count: u64,
        p99_us: Option<f64>,
        hidden: u64,
        #[serde(skip)]
        buckets: Vec<(f64, u64)>,
    }

    impl Row for Sample {
        const TABLE: &'static [&'static str] = &["disk", "count", "p99_us"];
        fn drawn(&self) -> Vec<(&'static str, &[(f64, u64)])> {
            if self.buckets.is_empty() { vec![] } else { vec![("us", &self.buckets)] }
        }
    }

    fn text(samples: &[Sample]) -> String {
        let (mut table, mut out) = (Table::default(), Vec::new());
        for sample in samples {
            let mut fields = serde_json::to_value(sample).unwrap();
            fields["ts"] = "2026-11-21T06:26:35.123456Z".into();
            fields["lost"] = 0.into();
            table.write(&mut out, &fields, sample).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    fn sample(disk: &'static str, p99_us: Option<f64>) -> Sample {
        Sample { disk, count: 12_345, p99_us, hidden: 1, buckets: vec![] }
    }

    #[test]
    fn columns_align_and_the_heading_comes_once() {
        assert_eq!(
            text(&[sample("vda", Some(104.447)), sample("nvme0n1", None)]),
            "               p99\ntime     disk count us lost\n06:26:35 vda 12345 104  0\n"
                .replace("               p99\n", "                    p99\n")
                .replace("time     disk count us lost\n", "time     disk count  us lost\n")
                .replace("06:26:35 vda 12345 104  0\n", "06:26:35 vda  12345 104    0\n")
                + "06:26:35 nvme0n1 12345   -    0\n"
        );
    }

    #[test]
    fn distributions_are_drawn_by_octave_with_the_gaps() {
        let mut sample = sample("vda", None);
        sample.buckets = vec![(65.536, 2), (68.0, 1), (400.0, 6)];
        let text = text(&[sample]);
        let counts: Vec<&str> = text
            .lines()
            .filter_map(|line| Some(line.split_once(" -> ")?.1.split(':').nth(1)?.split('|').next()?.trim()))
            .collect();
        assert_eq!(counts, ["2", "1", "0", "6"]);
    }

    #[test]
    fn numbers_have_three_digits_and_names_no_control_characters() {
        assert_eq!(
            [1234.5, 99.96, 12.345, 1.2345, 0.0016, 0.000256, 0.0].map(significant),
            ["1234", "100", "12.3", "1.23", "0.002", "2.6e-4", "0"]
        );
        assert_eq!(show("comm", &"a\u{1b}[2J\u{202e}".into()), "a\\x1b[2J\\u{202e}");
    }
}
