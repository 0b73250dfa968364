//! What of all that is known is on the screen: the tab, the interval, the order of rows, what was typed.

use std::collections::HashMap;

use super::draw::heatmap::Known;
use super::state::row::Row;
use super::state::tab::{Line, Tab};
use super::state::times::Frame;
use super::state::{Order, Store};
use crate::record::timestamp::Nanos;

/// What covers the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cover {
    /// Nothing.
    #[default]
    None,
    /// The keys.
    Help,
    /// What was said on stderr.
    Messages,
    /// All fields of the selected row.
    Row,
}

/// What is being typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Prompt {
    /// Nothing.
    #[default]
    None,
    /// The filter, which is in force while it is typed.
    Filter,
    /// A time to jump to.
    Time(String),
}

/// What is remembered of each tab.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The name of the column that rows are sorted by; none: the one that the tool's records are about, of events their
    /// time.
    pub sort: Option<String>,
    /// Whether the other way round.
    pub reverse: bool,
    /// The row that is selected.
    pub selected: Option<u64>,
    /// The first line on the screen.
    pub top: usize,
    /// The widest that each column has been, so that columns do not move while numbers grow and shrink.
    pub widths: HashMap<String, usize>,
}

/// The screen's state.
pub struct View {
    /// The tab that is shown.
    pub tab: usize,
    /// By tabs.
    looks: Vec<Look>,
    /// The time that is shown; `None`: the newest.
    pub at: Option<Nanos>,
    /// Only rows with this in one of their texts.
    pub filter: String,
    /// What is being typed.
    pub prompt: Prompt,
    /// What covers the rows.
    pub cover: Cover,
    /// Whether the heat map is shown.
    pub heat: bool,
    /// Which histogram, where a record has several.
    pub histogram: usize,
    /// Whether the heat map has a line for each bucket; else all of them are in view.
    pub zoom: bool,
    /// How far a zoomed heat map was moved up, in lines.
    pub lift: i32,
    /// What is known of the heat map.
    pub known_heat: Known,
    /// Whether numbers have all their digits.
    pub exact: bool,
    /// Whether all records of the newest interval have come.
    pub settled: bool,
    /// What is to be said in the last line.
    pub notice: Option<String>,
    /// How many lines the table had when it was drawn: a page.
    pub page: usize,
}

impl View {
    /// At the beginning.
    pub fn new() -> Self {
        Self {
            tab: 0,
            looks: Vec::new(),
            at: None,
            filter: String::new(),
            prompt: Prompt::None,
            cover: Cover::None,
            heat: false,
            histogram: 0,
            zoom: false,
            lift: 0,
            known_heat: Known::default(),
            exact: false,
            settled: true,
            notice: None,
            page: 10,
        }
    }

    /// The look of the tab that is shown.
    pub fn look(&mut self) -> &mut Look {
        if self.looks.len() <= self.tab {
            self.looks.resize_with(self.tab + 1, Look::default);
        }
        &mut self.looks[self.tab]
    }

    /// The tab that is shown, once there is one.
    pub fn shown<'a>(&self, store: &'a Store) -> Option<&'a Tab> {
        store.tabs.get(self.tab)
    }

    /// The interval of it that is shown.
    pub fn frame(&self, store: &Store) -> Option<Frame> {
        let times = &self.shown(store)?.times;
        let newest = times.at(self.at)?;
        let before = || times.before(newest.at).unwrap_or(newest);
        Some(if self.at.is_none() && !self.settled { before() } else { newest })
    }

    /// The order of its rows.
    pub fn order(&mut self, tab: &Tab) -> Order {
        let look = self.look();
        let named = look.sort.as_ref().and_then(|name| tab.column(name));
        let column = named.or_else(|| if tab.events { None } else { tab.main_column() });
        Order { column, reverse: look.reverse }
    }

    /// Its rows, filtered and in order.
    pub fn lines<'a>(&mut self, tab: &'a Tab, frame: Frame) -> Vec<Line<'a>> {
        let order = self.order(tab);
        tab.lines(frame, order, |row| self.keeps(row))
    }

    /// Whether the filter keeps a row.
    pub fn keeps(&self, row: &Row) -> bool {
        self.filter.is_empty() || row.texts.iter().any(|text| contains(text, &self.filter.to_lowercase()))
    }

    /// Moves the selection by so many lines.
    pub fn select(&mut self, store: &Store, by: isize) {
        let Some((tab, frame)) = self.shown(store).zip(self.frame(store)) else { return };
        let ids: Vec<u64> = self.lines(tab, frame).iter().map(|line| line.row.id).collect();
        let Some(last) = ids.len().checked_sub(1) else { return };
        let look = self.look();
        let now = look.selected.and_then(|id| ids.iter().position(|other| *other == id));
        let next = now.map_or(if by > 0 { by - 1 } else { 0 }, |now| (now as isize).saturating_add(by));
        look.selected = Some(ids[next.clamp(0, last as isize) as usize]);
    }
}

/// Whether a text contains this, which is in lower case.
fn contains(text: &str, wanted: &str) -> bool {
    match text.is_ascii() {
        true => text
            .as_bytes()
            .windows(wanted.len().max(1))
            .any(|part| part.eq_ignore_ascii_case(wanted.as_bytes())),
        false => text.to_lowercase().contains(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_do_not_mind_the_case() {
        for (text, wanted, found) in [
            ("nvme0n1", "nvm", true),
            ("NVMe", "nvm", true),
            ("vda", "vdb", false),
            ("Größe", "größ", true),
            ("", "x", false),
        ] {
            assert_eq!(contains(text, wanted), found, "{text}");
        }
    }
}
