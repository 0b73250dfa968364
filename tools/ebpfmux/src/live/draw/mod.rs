//! Draws the screen: a line of tabs, a line about what is shown, the table, the heat map, a line for keys and messages.

mod cover;
pub mod heatmap;
mod paint;
mod sparkline;
mod table;

use ::table::Zone;
use ::table::text::{cut, width};
use cli::text::visible;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use record::fields::Cut;

use super::input::messages::Messages;
use super::state::Store;
use super::state::tab::Line;
use super::view::{Cover, Prompt, View};
use crate::record::timestamp::{self, Nanos};
pub use paint::Paint;

/// What is drawn beside the view: what the clock does, and what was said.
pub struct Status<'a> {
    /// LIVE, PAUSED, PLAY ×2, …
    pub state: String,
    /// What was said on stderr.
    pub messages: &'a Messages,
    /// How many of that have been seen.
    pub seen: u64,
    /// The reader's time zone.
    pub zone: &'a Zone,
    /// What can be shown.
    pub paint: Paint,
}

/// Draws all.
pub fn draw(frame: &mut Frame<'_>, view: &mut View, store: &Store, status: &Status<'_>) {
    let (area, buffer) = (frame.area(), frame.buffer_mut());
    if area.width < 20 || area.height < 6 {
        put(buffer, area, 0, "too small", Style::new());
        return;
    }
    tabs(buffer, area, view, store, status);
    let body = Rect { y: area.y + 2, height: area.height - 3, ..area };
    match (view.shown(store), view.frame(store)) {
        (Some(tab), Some(shown)) => {
            let lines = view.lines(tab, shown);
            let missing = rows(buffer, body, view, store, &lines, status);
            info(buffer, area, view, store, &lines, missing);
        }
        _ => put(buffer, body, 1, "waiting for the first record", Style::new().add_modifier(Modifier::DIM)),
    }
    cover::draw(buffer, body, view, store, status);
    last(buffer, area, view, status);
}

/// The table, and below it the heat map if it is asked for; returns how many columns have no room.
fn rows(
    buffer: &mut Buffer,
    body: Rect,
    view: &mut View,
    store: &Store,
    lines: &[Line<'_>],
    status: &Status<'_>,
) -> usize {
    let Some((tab, shown)) = view.shown(store).zip(view.frame(store)) else { return 0 };
    let map = if view.heat { (body.height * 3 / 5).min(body.height.saturating_sub(5)) } else { 0 };
    let table = Rect { height: body.height - map, ..body };
    let missing = table::draw(buffer, table, view, tab, shown, lines, status.paint);
    let map = Rect { y: table.bottom(), height: map, ..body };
    if view.heat && view.cover == Cover::None {
        heatmap::draw(buffer, map, view, tab, shown, lines, status);
    }
    missing
}

/// The first line: the tools, the time, what the clock does.
fn tabs(buffer: &mut Buffer, area: Rect, view: &View, store: &Store, status: &Status<'_>) {
    let bar = Style::new().add_modifier(Modifier::REVERSED);
    buffer.set_style(Rect { height: 1, ..area }, bar);
    let time = view.at.or_else(|| view.frame(store).map(|frame| frame.at));
    let time = time.and_then(|time| clock(time, status.zone)).unwrap_or_default();
    let right = format!(" {time} {} ", status.state);
    let room = usize::from(area.width).saturating_sub(width(&right));
    put_at(buffer, area, room, 0, &right, status.paint.state(&status.state));
    let mut x = 0;
    for (at, tab) in store.tabs.iter().enumerate() {
        let events = if tab.events { " events" } else { "" };
        let name = format!(" {}{events} ", cut(&visible(&tab.tool), 20, Cut::End));
        let more = store.tabs.len() - at;
        if x + width(&name) > room {
            put_at(buffer, area, x, 0, &format!("+{more}"), bar);
            return;
        }
        let style = if at == view.tab { Style::new().add_modifier(Modifier::BOLD) } else { bar };
        put_at(buffer, area, x, 0, &name, style);
        x += width(&name);
    }
}

/// The second line: the host, how many rows, what is left out, what is lost.
fn info(buffer: &mut Buffer, area: Rect, view: &View, store: &Store, lines: &[Line<'_>], missing: usize) {
    let Some((tab, shown)) = view.shown(store).zip(view.frame(store)) else { return };
    let mut parts = Vec::new();
    parts.extend(tab.host().map(|host| visible(host).into_owned()));
    if !tab.events && shown.length > 0.0 {
        parts.push(format!("{:.2} s", shown.length));
    }
    let all = if tab.events || view.filter.is_empty() { lines.len() } else { tab.count_of(shown) };
    parts.push(match lines.len() {
        1 if all == 1 => "1 row".to_owned(),
        some if some == all => format!("{all} rows"),
        some => format!("{some} of {all} rows"),
    });
    if !view.filter.is_empty() && view.prompt == Prompt::None {
        parts.push(format!("filter {}", visible(&view.filter)));
    }
    let left_out = tab.left_out_of(shown);
    if left_out > 0 {
        parts.push(format!("{left_out} rows left out"));
    }
    if store.left_out > 0 {
        parts.push(format!("{} lines left out", store.left_out));
    }
    if missing > 0 {
        parts.push(format!("+{missing} columns (<>)"));
    }
    put(buffer, area, 1, &parts.join("  "), Style::new());
}

/// The last line: what is typed, what was said, or the keys.
fn last(buffer: &mut Buffer, area: Rect, view: &View, status: &Status<'_>) {
    let y = usize::from(area.height) - 1;
    let dim = Style::new().add_modifier(Modifier::DIM);
    let typed = |label: &str, text: &str| {
        format!("{label}{}_", cut(&visible(text), usize::from(area.width) / 2, Cut::Start))
    };
    let (text, style) = match &view.prompt {
        Prompt::Filter => (typed("filter: ", &view.filter), Style::new()),
        Prompt::Time(text) => {
            (typed("jump to: ", text) + "  (06:26, 2026-11-21 06:26, +90, -5m)", Style::new())
        }
        Prompt::None => match (&view.notice, status.messages.latest().next()) {
            (Some(notice), _) => (visible(notice).into_owned(), Style::new()),
            (None, Some(said)) if status.messages.count > status.seen => {
                (format!("{said}  (m: all)"), status.paint.alarm())
            }
            _ => ("?:help q:quit space:pause <>:sort /:filter h:heat Left/Right:step g:jump".to_owned(), dim),
        },
    };
    put(buffer, area, y, &cut(&text, usize::from(area.width), Cut::End), style);
}

/// A time by the reader's clock, with the zone's name.
fn clock(time: Nanos, zone: &Zone) -> Option<String> {
    let local = zone.local(&timestamp::format(time))?;
    Some(format!("{} {} {}", local.date, local.time, local.zone))
}

/// A text at the begin of a line.
fn put(buffer: &mut Buffer, area: Rect, y: usize, text: &str, style: Style) {
    put_at(buffer, area, 0, y, text, style);
}

/// A text within an area; what is beyond it is left out.
fn put_at(buffer: &mut Buffer, area: Rect, x: usize, y: usize, text: &str, style: Style) {
    if x < usize::from(area.width) && y < usize::from(area.height) {
        let (x, y) = (area.x + x as u16, area.y + y as u16);
        buffer.set_stringn(x, y, text, usize::from(area.right() - x), style);
    }
}
