//! The rows: the columns that have room, the most important ones and that which they are sorted by, and a sparkline of it.

use cli::text::visible;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use table::fit::{Want, fit};
use table::text::{cut, pad, width};

use super::paint::Paint;
use super::sparkline::sparkline;
use super::{put, put_at};
use crate::live::state::Order;
use crate::live::state::column::{Column, Role};
use crate::live::state::tab::{Line, Tab};
use crate::live::state::times::Frame;
use crate::live::view::View;

/// The lines of the heading.
const HEADING: u16 = 2;
/// The share of the width that sparklines have, and the fewest cells of one.
const SPARK: (usize, usize) = (6, 8);

/// A column on the screen.
struct Shown<'a> {
    column: &'a Column,
    x: usize,
    width: usize,
    sorted: bool,
}

/// Draws the rows around the selected one; returns how many columns have no room.
pub fn draw(
    buffer: &mut Buffer,
    area: Rect,
    view: &mut View,
    tab: &Tab,
    frame: Frame,
    lines: &[Line<'_>],
    paint: Paint,
) -> usize {
    let height = usize::from(area.height.saturating_sub(HEADING));
    view.page = height;
    let order = view.order(tab);
    let (exact, look) = (view.exact, view.look());
    let selected = look.selected.and_then(|id| lines.iter().position(|line| line.row.id == id));
    if let Some(selected) = selected {
        look.top = look.top.clamp((selected + 1).saturating_sub(height), selected);
    }
    look.top = look.top.min(lines.len().saturating_sub(height));
    let top = look.top;
    let visible_lines = &lines[top..lines.len().min(top + height)];
    let columns: Vec<&Column> = tab.shown().into_iter().map(|at| &tab.columns[at]).collect();
    let spark = (usize::from(area.width) / SPARK.0).max(SPARK.1);
    let room = usize::from(area.width).saturating_sub(spark + 1);
    let sorted = order.column.map(|at| tab.columns[at].name());
    let mut known: Vec<usize> =
        columns.iter().map(|column| look.widths.get(column.name()).copied().unwrap_or(0)).collect();
    let wants = |known: &[usize]| {
        let want = |(column, known): (&&Column, &usize)| {
            let want = column.look.want(*known);
            let marked = usize::from(sorted == Some(column.name()));
            let rank = if marked == 1 { 0 } else { column.rank().saturating_add(1) };
            Want {
                rank: Some(rank),
                least: want.least + marked,
                tight: want.tight + marked,
                whole: want.whole + marked,
            }
        };
        columns.iter().zip(known).map(want).collect::<Vec<_>>()
    };
    // Only those that may have room are laid out: that is most of the work.
    let may = fit(&wants(&known), Some(room));
    let cells: Vec<Vec<String>> = visible_lines
        .iter()
        .map(|line| {
            let cell = |(column, may): (&&Column, &Option<usize>)| {
                may.map_or_else(String::new, |_| cell(tab, column, line, exact))
            };
            columns.iter().zip(&may).map(cell).collect()
        })
        .collect();
    for (at, column) in columns.iter().enumerate().filter(|(at, _)| may[*at].is_some()) {
        let widest = cells.iter().map(|row| width(&row[at])).max().unwrap_or(0);
        // A text that is cut anyway does not widen its column for ever.
        known[at] = widest.max(if column.role == Role::Number { known[at] } else { 0 });
        if look.widths.get(column.name()) != Some(&known[at]) {
            look.widths.insert(column.name().to_owned(), known[at]);
        }
    }
    let mut widths = fit(&wants(&known), Some(room));
    widths.iter_mut().zip(&may).filter(|(_, may)| may.is_none()).for_each(|(width, _)| *width = None);
    let mut x = 0;
    let mut shown = Vec::with_capacity(columns.len());
    for (at, width) in widths.iter().enumerate().filter_map(|(at, width)| Some((at, (*width)?))) {
        shown.push((at, Shown { column: columns[at], x, width, sorted: sorted == Some(columns[at].name()) }));
        x += width + 1;
    }
    heading(buffer, area, &shown, order, paint);
    let pictured =
        order.column.filter(|at| tab.columns[*at].role == Role::Number).or_else(|| tab.main_column());
    if let Some(at) = pictured.filter(|_| !tab.events) {
        let name = cut(
            &tab.columns[at].look.heading.join(" ").trim().replace("  ", " "),
            spark,
            record::fields::Cut::End,
        );
        put_at(buffer, area, x, 1, &name, paint.heading());
    }
    for (y, (line, row)) in visible_lines.iter().zip(&cells).enumerate() {
        let y = y + usize::from(HEADING);
        let is_selected = selected == Some(top + y - usize::from(HEADING));
        let style = if is_selected { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
        if is_selected {
            put(buffer, area, y, &" ".repeat(usize::from(area.width)), style);
        }
        for (at, shown) in &shown {
            let text = cut(&row[*at], shown.width, shown.column.look.cut);
            let text = pad(&text, shown.width, aligned_right(shown.column));
            put_at(buffer, area, shown.x, y, &text, style.patch(tone(tab, shown.column, line, paint)));
        }
        if let Some(at) = pictured.filter(|_| !tab.events) {
            let picture = sparkline(&tab.numbers, line.row, tab.columns[at].slot, frame.number, spark);
            put_at(buffer, area, x, y, &picture, style.patch(paint.picture()));
        }
    }
    columns.len() - shown.len()
}

/// Numbers, and keys that are numbers, are aligned to the right.
fn aligned_right(column: &Column) -> bool {
    !column.look.text && (column.role == Role::Number || column.look.kind.is_some())
}

fn cell(tab: &Tab, column: &Column, line: &Line<'_>, exact: bool) -> String {
    match column.role {
        Role::Number => column.shown(tab.numbers.number(line.sample, column.slot), exact),
        _ => visible(line.row.text(column.slot)).into_owned(),
    }
}

fn tone(tab: &Tab, column: &Column, line: &Line<'_>, paint: Paint) -> Style {
    if column.role != Role::Number {
        return Style::new();
    }
    match tab.numbers.number(line.sample, column.slot) {
        nothing if nothing.is_nan() || nothing == 0.0 => paint.nothing(),
        _ if column.look.alarm || column.name() == "lost" => paint.alarm(),
        _ => Style::new(),
    }
}

fn heading(buffer: &mut Buffer, area: Rect, shown: &[(usize, Shown<'_>)], order: Order, paint: Paint) {
    for (_, shown) in shown {
        let mark = match (shown.sorted, order.reverse) {
            (false, _) => "",
            (true, false) => "▼",
            (true, true) => "▲",
        };
        let [upper, lower] = &shown.column.look.heading;
        let right = aligned_right(shown.column);
        for (y, text) in [(0, upper.clone()), (1, format!("{lower}{mark}"))] {
            let text = pad(&cut(&text, shown.width, record::fields::Cut::End), shown.width, right);
            let style = if shown.sorted {
                paint.heading().add_modifier(Modifier::UNDERLINED)
            } else {
                paint.heading()
            };
            put_at(buffer, area, shown.x, y, &text, style);
        }
    }
}
