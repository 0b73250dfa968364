//! `--join`: one wide record per window of time, on a grid that is the same everywhere.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use common::exit::Result;

use crate::csv_out;
use crate::output::Output;
use crate::record::{Fields, json_string};
use crate::tally::note;
use crate::ts::{self, Nanos};
use crate::window::{Cell, Window};

/// Windows looked at before the CSV header is fixed: the first may hold some of the tools only.
const HEADER_WINDOWS: usize = 3;

/// A record that is ready to go out: names and values in order.
type Wide = Vec<(String, Cell)>;

/// The join, as a sink of the merge.
pub struct Join {
    length: Nanos,
    csv: bool,
    quiet: bool,
    open: Option<(Nanos, Window)>,
    /// When the open window got its last record.
    touched: Instant,
    /// The only host so far, or that there are several: then every name begins with its host.
    host: Option<String>,
    several: bool,
    waiting: VecDeque<Wide>,
    columns: HashMap<String, usize>,
    dropped: u64,
    line: Vec<u8>,
}

impl Join {
    /// Windows of this length.
    pub fn new(length: Duration, csv: bool, quiet: bool) -> Self {
        Self {
            length: Nanos::try_from(length.as_nanos()).unwrap_or(Nanos::MAX),
            csv,
            quiet,
            open: None,
            touched: Instant::now(),
            host: None,
            several: false,
            waiting: VecDeque::new(),
            columns: HashMap::new(),
            dropped: 0,
            line: Vec::new(),
        }
    }

    /// When the open window, should nothing more come, is over by the clock.
    pub fn closes(&self) -> Option<Instant> {
        let length = Duration::from_nanos(self.length.unsigned_abs());
        self.open.is_some().then(|| self.touched + length)
    }

    /// Puts a record into the window whose end is the next point of the grid at or after its time. A record of an
    /// earlier window than the open one gets a window of its own, so that it is not lost.
    pub fn add(&mut self, time: Nanos, fields: &Fields<'_>, out: &mut Output) -> Result<()> {
        if self.csv {
            csv_out::refuse_nested(fields)?;
        }
        let end = window_end(time, self.length);
        self.touched = Instant::now();
        match &mut self.open {
            Some((open, window)) if *open == end => {
                window.add(fields);
                return Ok(());
            }
            Some((open, _)) if end < *open => {
                let mut window = Window::default();
                window.add(fields);
                return self.print(end, window, out);
            }
            _ => {}
        }
        self.close(out)?;
        let mut window = Window::default();
        window.add(fields);
        self.open = Some((end, window));
        Ok(())
    }

    /// Prints the open window.
    pub fn close(&mut self, out: &mut Output) -> Result<()> {
        match self.open.take() {
            Some((end, window)) => self.print(end, window, out),
            None => Ok(()),
        }
    }

    /// Prints all that is left.
    pub fn finish(&mut self, out: &mut Output) -> Result<()> {
        self.close(out)?;
        if !self.waiting.is_empty() {
            self.print_header(out)?;
        }
        if self.dropped > 0 && !self.quiet {
            note(&format!(
                "--join: {} values left out, for which the CSV header has no column",
                self.dropped
            ));
        }
        Ok(())
    }

    fn print(&mut self, end: Nanos, window: Window, out: &mut Output) -> Result<()> {
        for host in &window.hosts {
            self.several |= self.host.get_or_insert_with(|| host.clone()) != host;
        }
        let wide = self.widen(end, window);
        if !self.csv {
            self.line.clear();
            json(&wide, &mut self.line);
            return out.push(&self.line);
        }
        if !self.columns.is_empty() {
            return self.print_row(wide, out);
        }
        self.waiting.push_back(wide);
        if self.waiting.len() == HEADER_WINDOWS { self.print_header(out) } else { Ok(()) }
    }

    fn widen(&self, end: Nanos, window: Window) -> Wide {
        let quoted = |text: &str| {
            let mut json = Vec::new();
            json_string(text, &mut json);
            Cell::Json(String::from_utf8_lossy(&json).into_owned())
        };
        let mut wide = vec![("ts".to_owned(), quoted(&ts::format(end)))];
        if let Some(host) = self.host.as_deref().filter(|host| !self.several && !host.is_empty()) {
            wide.push(("host".to_owned(), quoted(host)));
        }
        wide.push(("tool".to_owned(), quoted("ebpfmux")));
        let length = self.length as f64 / 1e9;
        wide.push(("interval_s".to_owned(), Cell::Json(format!("{length:?}"))));
        wide.extend(window.cells.into_iter().map(|(name, cell)| match name.split_once('.') {
            Some((host, rest)) if !self.several || host.is_empty() => (rest.to_owned(), cell),
            _ => (name, cell),
        }));
        wide
    }

    fn print_header(&mut self, out: &mut Output) -> Result<()> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.waiting.iter().flatten() {
            if !self.columns.contains_key(name) {
                self.columns.insert(name.clone(), names.len());
                names.push(name);
            }
        }
        self.line.clear();
        csv_out::row(names.into_iter(), &mut self.line);
        out.push(&self.line)?;
        while let Some(wide) = self.waiting.pop_front() {
            self.print_row(wide, out)?;
        }
        Ok(())
    }

    fn print_row(&mut self, wide: Wide, out: &mut Output) -> Result<()> {
        let mut cells = vec![String::new(); self.columns.len()];
        for (name, cell) in wide {
            match self.columns.get(&name) {
                Some(at) => cells[*at] = bare(cell),
                None => {
                    self.dropped += 1;
                    if self.dropped == 1 && !self.quiet {
                        let remedy = "left out, more such values are only counted; -o json keeps them";
                        note(&format!("--join: `{name}` is new after the CSV header; {remedy}"));
                    }
                }
            }
        }
        self.line.clear();
        csv_out::row(cells.iter().map(String::as_str), &mut self.line);
        out.push(&self.line)
    }
}

/// The first point of the grid at or after a time.
fn window_end(time: Nanos, length: Nanos) -> Nanos {
    let past = time.rem_euclid(length);
    if past == 0 { time } else { time.saturating_add(length - past) }
}

fn json(wide: &Wide, line: &mut Vec<u8>) {
    let mut open = b'{';
    for (name, cell) in wide {
        line.push(open);
        open = b',';
        json_string(name, line);
        line.push(b':');
        match cell {
            Cell::Count(count) => line.extend_from_slice(count.to_string().as_bytes()),
            Cell::Json(json) => line.extend_from_slice(json.as_bytes()),
        }
    }
    line.extend_from_slice(b"}\n");
}

/// The value as a CSV cell.
fn bare(cell: Cell) -> String {
    match cell {
        Cell::Count(count) => count.to_string(),
        Cell::Json(json) if json == "null" => String::new(),
        Cell::Json(json) if json.starts_with('"') => serde_json::from_str(&json).unwrap_or(json),
        Cell::Json(json) => json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_at_the_grid_and_contains_its_end() {
        assert_eq!(window_end(1, 10), 10);
        assert_eq!(window_end(10, 10), 10);
        assert_eq!(window_end(11, 10), 20);
        assert_eq!(window_end(-1, 10), 0);
    }
}
