//! Names of symbols in little memory: 120 000 of them have 3 MB, but their words (`vfs_`, `read`) only a tenth of that.

use std::collections::HashMap;

/// Where words end.
const ENDS: [char; 3] = ['_', '.', '\t'];

/// The names.
#[derive(Debug, Default)]
pub struct Names {
    /// The words, one after the other, and where each ends.
    words: String,
    ends: Vec<u32>,
    /// The names: of each word its number, from 1 on, seven bits in a byte, the lowest first; behind them a 0. A function's
    /// name is mostly the end of that of the padding before it (`__pfx_vfs_read`), and then not there twice.
    coded: Vec<u8>,
    /// The numbers of words by their hashes, while names are added.
    known: HashMap<u32, u32>,
    /// The place of the last name, and memory for the next one.
    last: u32,
    next: Vec<u8>,
}

impl Names {
    /// Forgets all, and keeps the memory.
    pub fn clear(&mut self) {
        self.words.clear();
        self.ends.clear();
        self.coded.clear();
        self.last = 0;
    }

    /// Adds a name; returns its place, which is never before that of one that was added earlier. `None` if there is no room
    /// in 4 GiB.
    pub fn add(&mut self, name: &str) -> Option<u32> {
        let mut next = std::mem::take(&mut self.next);
        next.clear();
        for word in name.split_inclusive(ENDS) {
            let mut number = self.number(word)?;
            while number >= 0x80 {
                next.push(number as u8 | 0x80);
                number >>= 7;
            }
            next.push(number as u8);
        }
        next.push(0);
        let end = self.coded.len().saturating_sub(next.len());
        let shared = u32::try_from(end).ok().filter(|end| self.coded.ends_with(&next) && *end >= self.last);
        let place = shared.or_else(|| u32::try_from(self.coded.len()).ok());
        if shared.is_none() {
            self.coded.extend_from_slice(&next);
        }
        self.next = next;
        self.last = place?;
        place
    }

    /// The number of a word, which is added if it is not known.
    fn number(&mut self, word: &str) -> Option<u32> {
        let hash = hash(word);
        // Another word with the same hash takes its place, and it may be there twice then.
        if let Some(known) = self.known.get(&hash).copied().filter(|known| self.word(*known) == Some(word)) {
            return Some(known);
        }
        self.words.push_str(word);
        self.ends.push(u32::try_from(self.words.len()).ok()?);
        let number = u32::try_from(self.ends.len()).ok()?;
        self.known.insert(hash, number);
        Some(number)
    }

    /// All have been added.
    pub fn close(&mut self) {
        self.known = HashMap::new();
    }

    /// The name at a place.
    pub fn get(&self, place: u32) -> Option<String> {
        let mut name = String::new();
        let (mut number, mut shift) = (0, 0);
        for byte in self.coded.get(place as usize..)? {
            number |= u32::from(byte & 0x7f).checked_shl(shift)?;
            match byte {
                0 => return Some(name),
                0x80.. => shift += 7,
                _ => {
                    name.push_str(self.word(number)?);
                    (number, shift) = (0, 0);
                }
            }
        }
        None
    }

    fn word(&self, number: u32) -> Option<&str> {
        let at = (number as usize).checked_sub(1)?;
        let begin = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.words.get(begin as usize..*self.ends.get(at)? as usize)
    }
}

/// FNV-1a.
fn hash(word: &str) -> u32 {
    word.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_they_were() {
        let mut names = Names::default();
        let all: Vec<String> = (0..20_000)
            .map(|number| format!("__a{}_b{}.cold_{number}\t[m_{}]", number % 300, number % 7, number % 11))
            .chain(["", "_", "x", "\t", "é_ü"].map(str::to_owned))
            .collect();
        let places: Vec<_> = all.iter().map(|name| names.add(name).unwrap()).collect();
        names.close();
        assert!(places.is_sorted());
        for (name, place) in all.iter().zip(places) {
            assert_eq!(names.get(place).as_ref(), Some(name));
        }
        assert_eq!(names.get(u32::MAX), None);
    }

    #[test]
    fn the_end_of_a_name_is_not_kept_twice() {
        let mut names = Names::default();
        // Of seven bytes: `_` twice. No place is before another.
        let places = ["__pfx_vfs_read\t[m]", "vfs_read\t[m]", "read\t[m]", "vfs_read\t[m]"]
            .map(|name| names.add(name).unwrap());
        assert_eq!(places, [0, 3, 4, 7]);
        assert_eq!(places.map(|place| names.get(place).unwrap().len()), [18, 12, 8, 12]);
        assert_eq!(names.words, "_pfx_vfs_read\t[m]");
    }
}
