//! What covers the rows when it is asked for: the keys, what was said, all fields of a row.

use cli::text::visible;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use record::fields::Cut;
use table::text::{cut, pad, width};

use super::sparkline::sparkline;
use super::{Status, put, put_at};
use crate::live::keys::KEYS;
use crate::live::state::Store;
use crate::live::state::column::Role;
use crate::live::view::{Cover, View};

/// Draws it over this area.
pub fn draw(buffer: &mut Buffer, area: Rect, view: &mut View, store: &Store, status: &Status<'_>) {
    let lines = match view.cover {
        Cover::None => return,
        Cover::Help => help(usize::from(area.width)),
        Cover::Messages => {
            let none = ["nothing was said on stderr".to_owned()];
            let room = usize::from(area.width);
            let said: Vec<_> = status.messages.latest().flat_map(|line| wrapped(line, room)).collect();
            if said.is_empty() { none.into() } else { said }
        }
        Cover::Row => fields(view, store, usize::from(area.width)),
    };
    for y in 0..usize::from(area.height) {
        put(buffer, area, y, &" ".repeat(usize::from(area.width)), Style::reset());
        if let Some(line) = lines.get(y) {
            put_at(buffer, area, 0, y, &cut(line, usize::from(area.width), Cut::End), Style::new());
        }
    }
}

/// The keys, each with what it does, wrapped.
fn help(room: usize) -> Vec<String> {
    let keys = KEYS.iter().map(|(keys, _)| width(keys)).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (key, does) in KEYS {
        let mut line = pad(key, keys, false) + " ";
        for word in does.split(' ') {
            if width(&line) + 1 + width(word) > room && room > keys + 20 {
                lines.push(std::mem::replace(&mut line, " ".repeat(keys + 1)));
            }
            line = line + " " + word;
        }
        lines.push(line);
    }
    lines
}

/// A line in as many as it takes.
fn wrapped(line: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for c in line.chars() {
        let mut encoded = [0; 4];
        let c = c.encode_utf8(&mut encoded);
        if lines.last().is_some_and(|last| width(last) + width(c) > room) {
            lines.push(String::new());
        }
        if let Some(last) = lines.last_mut() {
            last.push_str(c);
        }
    }
    lines
}

/// All fields of the selected row, else of the first: name, value, its last intervals.
fn fields(view: &mut View, store: &Store, room: usize) -> Vec<String> {
    let none = || vec!["no row".to_owned()];
    let Some((tab, frame)) = view.shown(store).zip(view.frame(store)) else { return none() };
    let lines = view.lines(tab, frame);
    let selected = view.look().selected;
    let line = lines.iter().find(|line| Some(line.row.id) == selected).or_else(|| lines.first());
    let Some(line) = line else { return none() };
    let names = tab.columns.iter().map(|column| width(column.name())).max().unwrap_or(0).min(30);
    let of = |column: &crate::live::state::column::Column| {
        let name = pad(&cut(&visible(column.name()), names, Cut::End), names, false);
        match column.role {
            Role::Text => format!("{name}  {}", visible(line.row.text(column.slot))),
            Role::Number => {
                let number = pad(&column.shown(tab.numbers.number(line.sample, column.slot), true), 14, true);
                let cells = room.saturating_sub(names + 20).min(60);
                format!(
                    "{name}  {number}  {}",
                    sparkline(&tab.numbers, line.row, column.slot, frame.number, cells)
                )
            }
            Role::Buckets => format!("{name}  h: heat map"),
        }
    };
    tab.columns.iter().map(of).collect()
}
