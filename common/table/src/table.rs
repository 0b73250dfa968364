//! A table as it grows: lines are gathered until [`Table::flush`], which lays them out together.

mod batch;
mod line;
mod usual;

use record::fields::{Field, Kind};

use crate::column::{Column, HOST, NOT_SHOWN, TIME};
use crate::fit::{Want, fit};
use crate::style::Tone;
use crate::text::{cut, pad};
use crate::{Options, Screen, Zone, picture};
use batch::{Batch, Row};
pub use line::{Cell, Choice, Drawn, Line};
use usual::Usual;

/// Lines that are gathered at most, and their bytes, before they are laid out.
const GATHERED: (usize, usize) = (512, 1 << 20);
/// More columns than any record of a tool has: what a stranger's records add beyond it is not shown.
const COLUMNS: usize = 512;
/// The rank of the small picture of a distribution.
const SKETCH_RANK: u8 = 3;
/// Its name, which no field has.
const SKETCH: &str = "";

/// A table of one kind of record.
pub struct Table {
    options: Options,
    choice: Choice,
    zone: Zone,
    columns: Vec<Column>,
    usual: Vec<Usual>,
    /// The widest value of each column since the heading.
    page: Vec<usize>,
    batch: Batch,
    /// The columns of the last lines, in their order, each with its width.
    shown: Vec<(usize, usize)>,
    /// Lines since the heading began; none yet if it is to be printed.
    since: Option<usize>,
    /// The width of the screen that they were laid out for.
    room: Option<Option<usize>>,
    /// How many columns were said to be left out.
    said: usize,
    /// The first host, until there is another one.
    host: Option<String>,
    /// What the last line was of: its time as written, its day, and the zone's name.
    last: Option<(String, String, String)>,
    /// How many lines the interval of the last line has.
    of_interval: usize,
}

impl Table {
    /// An empty one.
    pub fn new(options: Options, choice: Choice, zone: Zone) -> Self {
        Self {
            options,
            choice,
            zone,
            columns: Vec::new(),
            usual: Vec::new(),
            page: Vec::new(),
            batch: Batch::default(),
            shown: Vec::new(),
            since: None,
            room: None,
            said: 0,
            host: None,
            last: None,
            of_interval: 0,
        }
    }

    /// Whether so much is gathered that it is to be flushed.
    pub fn is_full(&self) -> bool {
        self.batch.rows.len() >= GATHERED.0 || self.batch.bytes >= GATHERED.1
    }

    /// Something else was printed: the next lines have a heading.
    pub fn interrupted(&mut self) {
        self.since = None;
    }

    /// Adds a record. `declared` tells what its schema says of a field.
    pub fn push<'f>(&mut self, line: Line<'_>, declared: impl Fn(&str) -> Option<&'f Field>) {
        let mut row = Row::default();
        row.drawn = line.drawn;
        for (name, cell) in &line.fields {
            if NOT_SHOWN.contains(name) || *cell == Cell::Nested {
                continue;
            }
            let Some(at) = self.column(name, || Column::new(name, declared(name))) else { continue };
            let column = &mut self.columns[at];
            column.text |= matches!(cell, Cell::Text(_));
            match (*name, cell) {
                (TIME, Cell::Text(ts)) => {
                    row.at(ts, self.zone.local(ts));
                    let time = row.time.clone();
                    row.set(at, time, Tone::Plain);
                }
                (HOST, Cell::Text(host)) => {
                    let first = self.host.get_or_insert_with(|| (*host).to_owned());
                    if first != host {
                        column.rank = Some(1);
                    }
                    row.cell(at, column, cell, &mut self.usual[at], self.options.exact);
                }
                _ => row.cell(at, column, cell, &mut self.usual[at], self.options.exact),
            }
        }
        if let Some(counts) = line.sketch
            && let Some(at) = self.column(SKETCH, sketch_column)
        {
            row.set(at, picture::sketch(&counts), Tone::Plain);
        }
        self.batch.push(row);
    }

    /// The place of a column, a new one if there is none of this name yet.
    fn column(&mut self, name: &str, new: impl FnOnce() -> Column) -> Option<usize> {
        let known = self.columns.iter().position(|column| column.name == name);
        if known.is_some() || self.columns.len() == COLUMNS {
            return known;
        }
        let mut column = new();
        let order = u8::try_from(self.columns.len()).unwrap_or(u8::MAX);
        column.rank = match column.name.as_str() {
            TIME => Some(0),
            HOST => None,
            _ if self.choice.in_order => Some(order.max(1)),
            _ if self.choice.all => column.rank.or(Some(u8::MAX)),
            name if self.choice.first.contains(&name) => Some(1),
            _ if !self.choice.first.is_empty() && column.kind == Some(Kind::Key) => Some(1),
            _ => column.rank,
        };
        self.columns.push(column);
        self.usual.push(Usual::default());
        self.page.push(0);
        Some(self.columns.len() - 1)
    }

    /// Writes what was gathered, as this screen has room for it.
    pub fn flush(&mut self, screen: &Screen, out: &mut String) {
        let batch = std::mem::take(&mut self.batch);
        let Some(first) = batch.rows.first() else { return };
        let widest = batch.widest(self.columns.len());
        // A heading stands above a whole interval, if a screen has room for one.
        let turns = |since: usize| screen.rows.is_some_and(|rows| since + batch.rows.len() >= rows);
        let resized = self.room.replace(screen.columns) != Some(screen.columns);
        if self.since.is_none_or(turns) || self.zone_changed(first) || resized {
            self.since = None;
            self.page = widest;
        } else {
            self.page.iter_mut().zip(&widest).for_each(|(page, widest)| *page = (*page).max(*widest));
        }
        self.lay_out(screen);
        for (index, row) in batch.rows.iter().enumerate() {
            self.between(row, batch.of_interval(index), screen, out);
            if self.since.is_none_or(|since| screen.rows.is_some_and(|rows| since + 1 >= rows.max(5))) {
                self.heading(row, screen, out);
            }
            let cells = self.shown.iter().map(|(at, _)| row.of(*at)).collect::<Vec<_>>();
            self.line(&cells, screen, out);
            let room = screen.columns.filter(|_| !self.choice.all);
            row.drawn.iter().for_each(|(title, buckets)| picture::draw(out, title, buckets, room));
            self.since = match row.drawn.iter().any(|(_, buckets)| !buckets.is_empty()) {
                true => None,
                false => self.since.map(|since| since + 1),
            };
            self.last = Some((row.ts.clone(), row.date.clone(), row.zone.clone()));
        }
    }

    fn zone_changed(&self, row: &Row) -> bool {
        self.last.as_ref().is_some_and(|(_, _, zone)| *zone != row.zone)
    }

    /// Chooses the columns and their widths. Others than before need a heading.
    fn lay_out(&mut self, screen: &Screen) {
        for (column, usual) in self.columns.iter_mut().zip(&self.usual) {
            // What went wrong is seen. Where many things do, those that a table would not have are no more than its main
            // numbers.
            if usual.alarmed && !column.raised {
                column.rank = Some(if column.rank.is_some_and(|rank| rank <= 3) { 1 } else { 2 });
                column.raised = true;
            }
        }
        let columns = self.columns.iter().zip(&self.page).enumerate();
        let wants: Vec<Want> =
            columns.map(|(at, (column, widest))| self.below_heading(at, column.want(*widest))).collect();
        let widths = fit(&wants, screen.columns.filter(|_| !self.choice.all));
        let mut order: Vec<usize> = (0..self.columns.len()).collect();
        order.sort_by_key(|at| self.columns[*at].place);
        let shown: Vec<(usize, usize)> = order.into_iter().filter_map(|at| Some((at, widths[at]?))).collect();
        if !shown.iter().map(|(at, _)| at).eq(self.shown.iter().map(|(at, _)| at)) {
            self.since = None;
        }
        self.shown = shown;
    }

    /// What a column asks for where its heading may stand already: lines below it keep the heading's columns, as far as they
    /// still fit, and longer texts take no more room than before. What went wrong comes at once.
    fn below_heading(&self, at: usize, want: Want) -> Want {
        let shown = self.shown.iter().find(|(shown, _)| *shown == at);
        match (self.since, shown) {
            (None, _) => want,
            (_, Some((_, width))) if self.columns[at].text => {
                Want { least: want.least.min(*width), tight: want.tight.min(*width), ..want }
            }
            (_, None) if want.rank > Some(1) && !self.usual[at].alarmed => Want { rank: None, ..want },
            _ => want,
        }
    }

    /// What stands between two lines: nothing, an empty line between intervals of several lines, the day if it changed.
    fn between(&mut self, row: &Row, of_interval: usize, screen: &Screen, out: &mut String) {
        let last = self.last.as_ref();
        let begins = last.is_none_or(|(ts, ..)| *ts != row.ts);
        if begins {
            let several = row.of_interval && (self.of_interval > 1 || of_interval > 1);
            if several && last.is_some() && self.since.is_some() {
                out.push('\n');
                self.since = self.since.map(|since| since + 1);
            }
            self.of_interval = 0;
        }
        self.of_interval += 1;
        let day = last.map(|(_, date, _)| date.as_str());
        if !row.date.is_empty() && day.map_or(self.choice.dated, |day| day != row.date) {
            out.push_str(&Tone::Heading.paint(&row.date, screen.colours));
            out.push('\n');
            self.since = self.since.map(|since| since + 1);
        }
    }

    fn heading(&mut self, row: &Row, screen: &Screen, out: &mut String) {
        let hidden = |(at, column): &(usize, &Column)| {
            !matches!(column.name.as_str(), HOST | SKETCH) && !self.shown.iter().any(|(shown, _)| shown == at)
        };
        let hidden = self.columns.iter().enumerate().filter(hidden).count();
        let mut lines = 3;
        if screen.columns.is_some() && hidden > 0 && hidden != self.said {
            let plural = if hidden == 1 { "" } else { "s" };
            out.push_str(&Tone::Nothing.paint(&format!("+{hidden} column{plural}: -o wide"), screen.colours));
            out.push('\n');
            lines += 1;
        }
        self.said = hidden;
        for part in 0..2 {
            let cells: Vec<(&str, Tone)> = self
                .shown
                .iter()
                .map(|(at, _)| {
                    let column = &self.columns[*at];
                    let upper =
                        if column.name == TIME { row.zone.as_str() } else { column.heading[0].as_str() };
                    (if part == 0 { upper } else { column.heading[1].as_str() }, Tone::Heading)
                })
                .collect();
            self.line(&cells, screen, out);
        }
        self.since = Some(lines);
    }

    fn line(&self, cells: &[(&str, Tone)], screen: &Screen, out: &mut String) {
        // Nothing ends with spaces.
        let end = cells.iter().rposition(|(text, _)| !text.is_empty()).map_or(0, |last| last + 1);
        for (index, ((text, tone), (at, width))) in cells[..end].iter().zip(&self.shown).enumerate() {
            let column = &self.columns[*at];
            let text = cut(text, *width, column.cut);
            let last = index + 1 == end && column.text;
            let text = if last { text } else { pad(&text, *width, !column.text) };
            out.push_str(&tone.paint(&text, screen.colours));
            if index + 1 < end {
                out.push(' ');
            }
        }
        out.push('\n');
    }
}

/// The column of small pictures.
fn sketch_column() -> Column {
    let mut column = Column::new(SKETCH, None);
    column.heading = [String::new(), picture::SKETCH_HEADING.to_owned()];
    (column.text, column.rank, column.place) = (true, Some(SKETCH_RANK), u8::MAX);
    column
}

#[cfg(test)]
mod tests {
    use record::fields::Schema;

    use super::*;

    #[test]
    fn what_goes_wrong_does_not_drive_away_what_matters() {
        let text = include_str!("../../record/schemas/vfsstat.json");
        let (_, schema) = Schema::parse(text).unwrap();
        let digits: Vec<(&str, Cell<'_>)> = [
            ("reads", Cell::Number("4000")),
            ("read_bytes", Cell::Number("4096000")),
            ("read_errors", Cell::Number("9")),
            ("writes", Cell::Number("2000")),
            ("write_errors", Cell::Number("9")),
            ("open_errors", Cell::Number("81")),
            ("mkdir_errors", Cell::Number("9")),
            ("unlink_errors", Cell::Number("9")),
            ("lost", Cell::Number("0")),
        ]
        .to_vec();
        let options = Options { utc: true, ..Options::default() };
        let mut table = Table::new(options, Choice::default(), Zone::new(true));
        let ts = ("ts", Cell::Text("2026-11-21T06:26:35.123456Z"));
        let line = Line { fields: [vec![ts], digits].concat(), sketch: None, drawn: Vec::new() };
        let mut out = String::new();
        for _ in 0..2 {
            let line = Line { fields: line.fields.clone(), sketch: None, drawn: Vec::new() };
            table.push(line, |name| schema.field(name));
            table.flush(&Screen { columns: Some(40), rows: Some(24), colours: false }, &mut out);
        }
        assert_eq!(
            out,
            "+4 columns: -o wide\nUTC             read   read   open\ntime     reads bytes errors errors  lost\n\
             06:26:35  4000 3.91M      9     81     0\n06:26:35  4000 3.91M      9     81     0\n"
        );
    }
}
