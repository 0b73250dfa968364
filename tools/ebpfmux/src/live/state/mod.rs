//! What is known: a tab for each tool, with its rows and their last intervals, all within one bound.

pub mod column;
pub mod numbers;
mod order;
pub mod row;
pub mod tab;
pub mod template;
pub mod times;

pub use order::Order;

use crate::record::timestamp::{Clock, Nanos};
use crate::record::{Fields, Value, find};
use tab::Tab;

/// The most tools that have a tab.
const TABS: usize = 32;
/// The most numbers that are kept of all tabs together, 8 bytes each: what is older is forgotten.
pub const CELLS: usize = 4 << 20;

/// All tabs.
#[derive(Default)]
pub struct Store {
    /// In the order in which they came.
    pub tabs: Vec<Tab>,
    clock: Clock,
    /// Records that were left out: those without a time, and of tools beyond the bound.
    pub left_out: u64,
    /// The time of the newest record.
    pub newest: Option<Nanos>,
    /// The time of the oldest record that came.
    pub oldest: Option<Nanos>,
    /// Whether it does not begin with the stream.
    pub gap: bool,
    /// The tab of the last record: the next one is mostly of the same.
    last: usize,
}

impl Store {
    /// The time of a record; `None` if it has none.
    pub fn time(&mut self, fields: &Fields<'_>) -> Option<Nanos> {
        self.clock.any(find(fields, "ts")?.text().as_bytes()).ok()
    }

    /// Takes a line of this time if it is of a form, and of a row, that is known; else it is to be read in full.
    pub fn take_known(&mut self, time: Nanos, line: &[u8]) -> bool {
        let count = self.tabs.len();
        let Some(at) =
            (self.last..count).chain(0..self.last).find(|at| self.tabs[*at].take_known(time, line))
        else {
            return false;
        };
        self.taken(time, at);
        true
    }

    /// Takes a record of this time.
    pub fn take(&mut self, time: Nanos, fields: &Fields<'_>) {
        let Some(Value::Text(tool)) = find(fields, "tool") else {
            self.left_out += 1;
            return;
        };
        let events = find(fields, "interval_s").is_none();
        let at = match self.tabs.iter().position(|tab| tab.is_of(tool, events)) {
            Some(at) => at,
            None if self.tabs.len() < TABS => {
                self.tabs.push(Tab::new(tool, events));
                self.tabs.len() - 1
            }
            None => {
                self.left_out += 1;
                return;
            }
        };
        self.tabs[at].take(time, fields);
        self.taken(time, at);
    }

    fn taken(&mut self, time: Nanos, at: usize) {
        self.last = at;
        self.newest = self.newest.max(Some(time));
        self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
        // The largest gives: a small one keeps its past.
        while self.tabs.iter().map(|tab| tab.cells).sum::<usize>() > CELLS {
            let largest = self.tabs.iter_mut().filter(|tab| tab.can_forget()).max_by_key(|tab| tab.cells);
            let Some(largest) = largest else { break };
            largest.forget();
        }
    }

    /// Whether there were records before those that are kept.
    pub fn forgot(&self) -> bool {
        self.gap || self.tabs.iter().any(|tab| tab.forgotten > 0)
    }

    /// Forgets all records; tabs and their columns stay as they are.
    pub fn clear(&mut self) {
        self.tabs.iter_mut().for_each(Tab::clear);
        // From where it goes on is not the beginning.
        (self.newest, self.gap) = (None, true);
    }
}
