//! What each key does.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::state::Store;
use super::view::{Cover, Prompt, View};

/// The keys, for the help and the manual: the key, and what it does.
pub const KEYS: [(&str, &str); 20] = [
    ("q, Ctrl-C", "quit"),
    ("Tab, 1 to 9", "another tool (Shift-Tab: back)"),
    ("Up Down PgUp PgDn", "select a row (also k, j); Enter: all its fields"),
    ("< >", "sort by the column beside it; hidden ones come into view"),
    ("r", "the other way round"),
    ("/", "only rows with the text typed; Enter keeps, Esc drops it"),
    ("x", "numbers with all digits, or short"),
    ("h", "heat map of latencies: of the row selected, else of all"),
    ("z", "a line for each of its buckets (16 in a power of 2), or all"),
    ("[ ]", "move that down, up"),
    ("b", "another histogram of the same records"),
    ("Space", "pause, go on; a recording: play, stop"),
    ("Left Right", "an interval back, on"),
    ("Home End", "the oldest, the newest; of a recording: begin, end"),
    ("g", "jump to a time: 06:26:35, 2026-11-21 06:26, +90, -5m"),
    ("+ -", "play twice as fast, half as fast"),
    ("m", "what was said on stderr"),
    ("Ctrl-L", "draw all again"),
    ("Ctrl-Z", "stand still until fg"),
    ("?", "this help"),
];

/// What is to be done beyond the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing: the view has changed.
    Draw,
    /// To end.
    Quit,
    /// To stand still, as on SIGTSTP.
    Suspend,
    /// To draw all again.
    Clear,
    /// To pause or go on.
    Pause,
    /// An interval on (1) or back (-1).
    Step(i8),
    /// To the beginning, or the end.
    Ends(i8),
    /// To the time that was typed.
    Jump(String),
    /// To play faster or slower.
    Speed(i32),
}

/// Handles a key.
pub fn press(key: KeyEvent, view: &mut View, store: &Store) -> Option<Order> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    view.notice = None;
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Order::Quit),
            KeyCode::Char('z') => Some(Order::Suspend),
            KeyCode::Char('l') => Some(Order::Clear),
            _ => None,
        };
    }
    match std::mem::take(&mut view.prompt) {
        Prompt::None => command(key.code, view, store),
        Prompt::Filter => {
            match key.code {
                KeyCode::Enter => {}
                KeyCode::Esc => view.filter = String::new(),
                code => {
                    edit(code, &mut view.filter);
                    view.prompt = Prompt::Filter;
                }
            }
            Some(Order::Draw)
        }
        Prompt::Time(mut text) => match key.code {
            KeyCode::Enter if !text.trim().is_empty() => Some(Order::Jump(text)),
            KeyCode::Enter | KeyCode::Esc => Some(Order::Draw),
            code => {
                edit(code, &mut text);
                view.prompt = Prompt::Time(text);
                Some(Order::Draw)
            }
        },
    }
}

/// The longest text that can be typed, in bytes.
const TYPED: usize = 256;

/// Text that was pasted goes where text is typed.
pub fn paste(text: &str, view: &mut View) {
    let into = match &mut view.prompt {
        Prompt::None => return,
        Prompt::Filter => &mut view.filter,
        Prompt::Time(typed) => typed,
    };
    text.chars().for_each(|c| edit(KeyCode::Char(c), into));
}

fn edit(code: KeyCode, text: &mut String) {
    match code {
        KeyCode::Char(c) if !c.is_control() && text.len() + c.len_utf8() <= TYPED => text.push(c),
        KeyCode::Backspace => drop(text.pop()),
        _ => {}
    }
}

fn command(code: KeyCode, view: &mut View, store: &Store) -> Option<Order> {
    let page = view.page.max(1) as isize;
    match code {
        KeyCode::Char('q') => return Some(Order::Quit),
        KeyCode::Esc => {
            if view.cover == Cover::None {
                view.filter.clear();
            }
            view.cover = Cover::None;
        }
        KeyCode::Char('?') => cover(view, Cover::Help),
        KeyCode::Char('m') => cover(view, Cover::Messages),
        KeyCode::Enter => cover(view, Cover::Row),
        KeyCode::Tab => turn(view, store, 1),
        KeyCode::BackTab => turn(view, store, store.tabs.len().saturating_sub(1)),
        KeyCode::Char(digit @ '1'..='9') => {
            let tab = digit as usize - '1' as usize;
            if tab < store.tabs.len() {
                view.tab = tab;
            }
        }
        KeyCode::Up | KeyCode::Char('k') => view.select(store, -1),
        KeyCode::Down | KeyCode::Char('j') => view.select(store, 1),
        KeyCode::PageUp => view.select(store, -page),
        KeyCode::PageDown => view.select(store, page),
        KeyCode::Char('<') => sort(view, store, -1),
        KeyCode::Char('>') => sort(view, store, 1),
        KeyCode::Char('r') => view.look().reverse = !view.look().reverse,
        KeyCode::Char('/') => {
            view.filter.clear();
            view.prompt = Prompt::Filter;
        }
        KeyCode::Char('g') => view.prompt = Prompt::Time(String::new()),
        KeyCode::Char('h') => view.heat = !view.heat,
        KeyCode::Char('z') => (view.zoom, view.lift) = (!view.zoom, 0),
        KeyCode::Char(']') => view.lift += 1,
        KeyCode::Char('[') => view.lift -= 1,
        KeyCode::Char('b') => view.histogram += 1,
        KeyCode::Char('x') => view.exact = !view.exact,
        KeyCode::Char(' ' | 'p') => return Some(Order::Pause),
        KeyCode::Left => return Some(Order::Step(-1)),
        KeyCode::Right => return Some(Order::Step(1)),
        KeyCode::Home => return Some(Order::Ends(-1)),
        KeyCode::End => return Some(Order::Ends(1)),
        KeyCode::Char('+' | '=') => return Some(Order::Speed(1)),
        KeyCode::Char('-') => return Some(Order::Speed(-1)),
        _ => return None,
    }
    Some(Order::Draw)
}

fn cover(view: &mut View, what: Cover) {
    view.cover = if view.cover == what { Cover::None } else { what };
}

/// Shows the tab that is so many behind.
fn turn(view: &mut View, store: &Store, by: usize) {
    view.tab = (view.tab + by).checked_rem(store.tabs.len()).unwrap_or(0);
}

/// Sorts by the next column that can be sorted by, in the order on the screen.
fn sort(view: &mut View, store: &Store, by: isize) {
    let Some(tab) = view.shown(store) else { return };
    let columns = tab.shown();
    let order = view.order(tab);
    let now = order.column.and_then(|at| columns.iter().position(|column| *column == at));
    let count = columns.len() as isize;
    if count == 0 {
        return;
    }
    let next = now.map_or(if by > 0 { 0 } else { count - 1 }, |now| (now as isize + by).rem_euclid(count));
    let name = tab.columns[columns[next as usize]].name().to_owned();
    view.look().sort = Some(name);
}
