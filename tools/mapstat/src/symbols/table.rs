//! Names by addresses, in as little memory as a search needs: 8 bytes for each address, and the names.

use std::io::BufRead;
use std::ops::ControlFlow;

use super::names::Names;

/// Names by addresses.
#[derive(Debug, Default)]
pub struct Table {
    names: Names,
    /// The addresses, by their upper halves, of which there are few.
    parts: Vec<Part>,
}

/// The addresses with the same upper half.
#[derive(Debug)]
struct Part {
    upper: u32,
    /// The lower halves in ascending order, each with the place of its name.
    lower: Vec<(u32, u32)>,
}

impl Table {
    /// Forgets all, and keeps the memory.
    pub fn clear(&mut self) {
        self.names.clear();
        self.parts.iter_mut().for_each(|part| part.lower.clear());
    }

    /// Adds a symbol; they are found once all are sorted.
    pub fn add(&mut self, address: u64, name: &str) {
        let Some(place) = self.names.add(name) else { return };
        let (upper, lower) = halves(address);
        // Mostly that of the symbol before.
        match self.parts.iter_mut().rev().find(|part| part.upper == upper) {
            Some(part) => part.lower.push((lower, place)),
            None => self.parts.push(Part { upper, lower: vec![(lower, place)] }),
        }
    }

    /// Puts them in order. Of several at one address the one stays that was added first.
    pub fn sort(&mut self) {
        self.names.close();
        self.parts.retain(|part| !part.lower.is_empty());
        self.parts.sort_unstable_by_key(|part| part.upper);
        for part in &mut self.parts {
            // Names stand in the order in which they were added.
            part.lower.sort_unstable();
            part.lower.dedup_by_key(|(lower, _)| *lower);
        }
    }

    /// The symbol at this address.
    pub fn at(&self, address: u64) -> Option<String> {
        let (_, place) = self.find(address).filter(|(known, _)| *known == address)?;
        self.names.get(place)
    }

    /// The last symbol at or before this address.
    pub fn before(&self, address: u64) -> Option<String> {
        self.names.get(self.find(address)?.1)
    }

    /// The last address up to this one, and the place of its name.
    fn find(&self, address: u64) -> Option<(u64, u32)> {
        let (upper, lower) = halves(address);
        let until = self.parts.partition_point(|part| part.upper <= upper);
        self.parts[..until].iter().rev().find_map(|part| {
            let until = match part.upper == upper {
                true => part.lower.partition_point(|(known, _)| *known <= lower),
                false => part.lower.len(),
            };
            let (lower, place) = *part.lower[..until].last()?;
            Some((u64::from(part.upper) << 32 | u64::from(lower), place))
        })
    }
}

fn halves(address: u64) -> (u32, u32) {
    ((address >> 32) as u32, address as u32)
}

/// Passes on each symbol of a list, as far as it can be read: lines of address, type and name, of a module also a tab and
/// `[MODULE]`, which is a part of the name.
pub fn each(mut list: impl BufRead, take: &mut impl FnMut(u64, &str) -> ControlFlow<()>) {
    let mut line = Vec::new();
    while list.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        if let Some((address, name)) = symbol(&line)
            && take(address, name).is_break()
        {
            return;
        }
        line.clear();
    }
}

fn symbol(line: &[u8]) -> Option<(u64, &str)> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.trim_end_matches('\n').splitn(3, ' ');
    let (address, _, name) = (words.next()?, words.next()?, words.next()?);
    Some((u64::from_str_radix(address, 16).ok()?, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(list: &str) -> Table {
        let mut table = Table::default();
        each(list.as_bytes(), &mut |address, name| {
            table.add(address, name);
            ControlFlow::Continue(())
        });
        table.sort();
        table
    }

    #[test]
    fn addresses_of_all_halves_are_found() {
        let mut table = of("ffffffff81000000 T text\n0 A first\n18 A second\nffff888000000005 d far\n");
        for (address, name) in [
            (0, "first"),
            (0x17, "first"),
            (0x18, "second"),
            (0xffff_8880_0000_0004, "second"),
            (0xffff_8880_0000_0005, "far"),
            (0xffff_ffff_8000_0000, "far"),
            (u64::MAX, "text"),
        ] {
            assert_eq!(table.before(address).as_deref(), Some(name), "{address:#x}");
        }
        assert_eq!((table.at(0xffff_ffff_8100_0000).as_deref(), table.at(1)), (Some("text"), None));
        table.clear();
        table.sort();
        assert!(table.before(u64::MAX).is_none());
    }

    #[test]
    fn of_several_at_one_address_the_first_is_told() {
        let table = of("10 t __pfx_work\n20 t work\n20 t other\n30 t pfx_work\n30 t work\n40 t m\t[m]\n");
        let names = [0x10, 0x20, 0x30, 0x40].map(|address| table.at(address).unwrap());
        assert_eq!(names, ["__pfx_work", "work", "pfx_work", "m\t[m]"]);
    }
}
