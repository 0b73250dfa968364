//! The kernel's symbols: names by addresses, and addresses by names.

use std::fs::File;
use std::io::{self, Read, Seek};

/// Where the kernel lists them.
const PATH: &str = "/proc/kallsyms";

/// The symbols. The file is opened while the process may see addresses, and shows them to it later, too: the kernel asks
/// who opened it.
#[derive(Debug, Default)]
pub struct Symbols {
    file: Option<File>,
    /// The names, one after the other.
    names: String,
    /// Addresses in ascending order, each with the place and length of its name.
    known: Vec<(u64, u32, u16)>,
    /// Whether the file was read since the interval began.
    read: bool,
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
        let mut symbols = Self::default();
        symbols.parse(list);
        symbols
    }

    /// An interval has ended: modules may have come since.
    pub fn next(&mut self) {
        self.read = false;
    }

    /// The symbol at this address.
    pub fn at(&mut self, address: u64) -> Option<&str> {
        if self.exactly(address).is_none() {
            self.refresh();
        }
        let at = self.exactly(address)?;
        Some(self.name(at))
    }

    /// The last symbol at or before this address.
    pub fn before(&mut self, address: u64) -> Option<&str> {
        if self.find(address).is_none() {
            self.refresh();
        }
        let at = self.find(address)?;
        Some(self.name(at))
    }

    /// The address of a symbol, the last one of those that have this name. `None` if there is none, 0 if the kernel hides
    /// addresses from this process.
    pub fn address(&mut self, name: &str) -> Option<u64> {
        self.refresh();
        let last = self.known.iter().enumerate().rev().find(|(at, _)| self.name(*at) == name);
        last.map(|(_, (address, ..))| *address)
    }

    /// Whether the kernel hides addresses from this process.
    pub fn are_hidden(&mut self) -> bool {
        self.refresh();
        self.known.iter().all(|(address, ..)| *address == 0)
    }

    fn name(&self, at: usize) -> &str {
        let (_, place, length) = self.known[at];
        &self.names[place as usize..place as usize + usize::from(length)]
    }

    fn exactly(&self, address: u64) -> Option<usize> {
        self.find(address).filter(|at| self.known[*at].0 == address)
    }

    /// The place of the last symbol at or before this address; of several at one address the first listed.
    fn find(&self, address: u64) -> Option<usize> {
        let after = self.known.partition_point(|(known, ..)| *known <= address);
        let last = self.known[..after].last()?.0;
        Some(self.known[..after].partition_point(|(known, ..)| *known < last))
    }

    /// Reads the list, unless it was read in this interval.
    fn refresh(&mut self) {
        let Some(file) = self.file.as_mut().filter(|_| !self.read) else { return };
        let mut list = String::new();
        if file.rewind().and_then(|()| file.read_to_string(&mut list)).is_ok() {
            self.parse(&list);
        }
        self.read = true;
    }

    fn parse(&mut self, list: &str) {
        (self.names, self.known) = (String::new(), Vec::new());
        for line in list.lines() {
            // ADDRESS TYPE NAME, and of a module a tab and [MODULE].
            let mut words = line.splitn(3, ' ');
            let (Some(address), Some(_), Some(name)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            let (Ok(address), Ok(place)) =
                (u64::from_str_radix(address, 16), u32::try_from(self.names.len()))
            else {
                continue;
            };
            let Ok(length) = u16::try_from(name.len()) else { continue };
            self.names.push_str(name);
            self.known.push((address, place, length));
        }
        self.known.sort_by_key(|(address, ..)| *address);
        self.names.shrink_to_fit();
        self.known.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_found_by_address_and_by_name() {
        let mut symbols = Symbols::of("20 T twice\n10 T first\n10 t alias\n30 T twice\nodd\nxx T y\n");
        assert_eq!(symbols.at(0x10), Some("first"));
        assert_eq!(symbols.at(0x11), None);
        assert_eq!(symbols.before(0x2f), Some("twice"));
        assert_eq!(symbols.before(0xf), None);
        assert_eq!((symbols.address("twice"), symbols.address("none")), (Some(0x30), None));
        assert!(
            !symbols.are_hidden() && Symbols::of("0 T a\n").are_hidden() && Symbols::default().are_hidden()
        );
    }
}
