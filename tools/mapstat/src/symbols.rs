//! The kernel's symbols: names by addresses, and addresses by names.

mod names;
mod table;

use std::collections::HashMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufReader, Seek};
use std::ops::ControlFlow;

use table::{Table, each};

/// Where the kernel lists them.
const PATH: &str = "/proc/kallsyms";
/// The modules that are loaded: their symbols come and go with them.
const MODULES: &str = "/proc/modules";
/// How many intervals go by at most before the list, which takes some 50 ms, is read again in vain.
const PATIENCE: u32 = 64;
/// How much of the list is in memory while it is read.
const AT_ONCE: usize = 1 << 16;

/// The symbols. The file is opened while the process may see addresses, and shows them to it later, too: the kernel asks
/// who opened it.
#[derive(Debug, Default)]
pub struct Symbols {
    file: Option<File>,
    /// Names by addresses, once they are asked for.
    known: Table,
    /// Whether it was asked since the interval began whether the file is to be read again.
    asked: bool,
    /// How many intervals go by until it is read again, unless the modules are others; twice as many each time that it was
    /// read in vain.
    wait: u32,
    vain: u32,
    /// The modules when it was read.
    modules: Option<u64>,
}

impl Symbols {
    /// Of the running kernel; read when first asked.
    ///
    /// # Errors
    /// When the list cannot be opened.
    pub fn open() -> io::Result<Self> {
        Ok(Self { file: Some(File::open(PATH)?), ..Self::default() })
    }

    /// Those of a list.
    #[cfg(test)]
    pub fn of(list: &str) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, list.as_bytes()).unwrap();
        Self { file: Some(file), ..Self::default() }
    }

    /// An interval has ended: modules may have come since.
    pub fn next(&mut self) {
        self.asked = false;
        self.wait = self.wait.saturating_sub(1);
    }

    /// The symbol at this address.
    pub fn at(&mut self, address: u64) -> Option<String> {
        self.known.at(address).or_else(|| self.look_again(|known| known.at(address)))
    }

    /// The last symbol at or before this address.
    pub fn before(&mut self, address: u64) -> Option<String> {
        self.known.before(address).or_else(|| self.look_again(|known| known.before(address)))
    }

    /// The addresses of these symbols, of several of one name the greatest; 0 if the kernel hides addresses from this
    /// process, none if there is no such symbol.
    pub fn addresses<'n>(&mut self, names: &'n [String]) -> HashMap<&'n str, Option<u64>> {
        let mut found: HashMap<&str, _> = names.iter().map(|name| (name.as_str(), None)).collect();
        self.list(|address, name| {
            if let Some(known) = found.get_mut(name) {
                *known = (*known).max(Some(address));
            }
            ControlFlow::Continue(())
        });
        found
    }

    /// Whether the kernel hides addresses from this process.
    pub fn are_hidden(&mut self) -> bool {
        let mut hidden = true;
        self.list(|address, _| {
            hidden = address == 0;
            if hidden { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        hidden
    }

    /// Reads the list and looks for a symbol there, unless it was read in this interval, or too often in vain.
    fn look_again(&mut self, symbol: impl Fn(&Table) -> Option<String>) -> Option<String> {
        // Once an interval: there may be many addresses without a symbol.
        if std::mem::replace(&mut self.asked, true) {
            return None;
        }
        let modules = modules();
        if self.wait > 0 && modules == self.modules {
            return None;
        }
        self.modules = modules;
        // What was known goes before the list is read again: both together would be twice as much.
        let mut known = std::mem::take(&mut self.known);
        known.clear();
        self.list(|address, name| {
            known.add(address, name);
            ControlFlow::Continue(())
        });
        known.sort();
        self.known = known;
        let found = symbol(&self.known);
        self.vain = if found.is_some() { 0 } else { (self.vain * 2).clamp(1, PATIENCE) };
        self.wait = self.vain;
        found
    }

    /// Passes on each symbol of the list, as far as it can be read.
    fn list(&mut self, mut take: impl FnMut(u64, &str) -> ControlFlow<()>) {
        let Some(file) = &mut self.file else { return };
        if file.rewind().is_ok() {
            each(BufReader::with_capacity(AT_ONCE, file), &mut take);
        }
    }
}

/// A hash of the modules' names and addresses; how often each is used changes all the time. `None` if they are not told.
fn modules() -> Option<u64> {
    let mut hash = DefaultHasher::new();
    for line in fs::read_to_string(MODULES).ok()?.lines() {
        let mut words = line.split(' ');
        (words.next(), words.nth(4)).hash(&mut hash);
    }
    Some(hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_found_by_address_and_by_name() {
        let mut symbols = Symbols::of("20 T twice\n10 T first\n10 t alias\n30 T twice\nodd\nxx T y\n");
        let found = [symbols.at(0x10), symbols.at(0x11), symbols.before(0x2f), symbols.before(0xf)];
        assert_eq!(found.each_ref().map(Option::as_deref), [Some("first"), None, Some("twice"), None]);
        let names = ["twice", "none", "alias"].map(str::to_owned);
        assert_eq!(
            symbols.addresses(&names),
            HashMap::from([("twice", Some(0x30)), ("none", None), ("alias", Some(0x10))])
        );
        assert!(
            !symbols.are_hidden() && Symbols::of("0 T a\n").are_hidden() && Symbols::default().are_hidden()
        );
    }

    #[test]
    fn what_comes_is_seen_in_the_next_interval() {
        let mut symbols = Symbols::of("10 T first\n");
        assert_eq!((symbols.at(0x10).as_deref(), symbols.at(0x20)), (Some("first"), None));
        io::Write::write_all(symbols.file.as_mut().unwrap(), b"20 t second\t[module]\n").unwrap();
        assert_eq!(symbols.at(0x20), None);
        symbols.next();
        assert_eq!(symbols.at(0x20).as_deref(), Some("second\t[module]"));
        assert_eq!(symbols.at(0x10).as_deref(), Some("first"));
    }

    #[test]
    fn an_address_without_a_symbol_costs_less_and_less() {
        let mut symbols = Symbols::of("10 T first\n");
        let mut read = Vec::new();
        for interval in 0..=200 {
            assert_eq!(symbols.at(0x20), None);
            // It waits as long as was just chosen.
            if symbols.wait == symbols.vain {
                read.push(interval);
            }
            symbols.next();
        }
        assert_eq!(read, [0, 1, 3, 7, 15, 31, 63, 127, 191]);
        // Other modules have come.
        io::Write::write_all(symbols.file.as_mut().unwrap(), b"20 t second\t[module]\n").unwrap();
        symbols.modules = Some(symbols.modules.map_or(1, |hash| !hash));
        assert_eq!(symbols.at(0x20).as_deref(), Some("second\t[module]"));
    }
}
