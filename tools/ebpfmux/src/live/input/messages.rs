//! What the commands and the merge say on stderr, which has no place on the screen: the last lines are kept, shown there
//! when asked for, and printed at the end.

use std::collections::VecDeque;

use cli::text::visible;

/// How many lines are kept, and how long each is at most.
const LINES: usize = 200;
const BYTES: usize = 2000;

/// The last lines.
#[derive(Default)]
pub struct Messages {
    lines: VecDeque<String>,
    /// The begin of a line.
    open: Vec<u8>,
    /// How many have come in all.
    pub count: u64,
}

impl Messages {
    /// Takes what was read.
    pub fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => self.close(),
                _ if self.open.len() < BYTES => self.open.push(*byte),
                _ => {}
            }
        }
    }

    /// Takes what is left without a line end.
    pub fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(visible(&String::from_utf8_lossy(&self.open)).into_owned());
        self.open.clear();
        self.count += 1;
    }

    /// Those that are kept, the last one first.
    pub fn latest(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().rev().map(String::as_str)
    }

    /// Prints them on stderr.
    pub fn print(&self) {
        let mut text = String::new();
        let left_out = self.count - self.lines.len() as u64;
        if left_out > 0 {
            text = format!("ebpfmux: {left_out} lines before these were left out\n");
        }
        self.lines.iter().for_each(|line| text += &format!("{line}\n"));
        cli::stderr::lines(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_harmless() {
        let mut messages = Messages::default();
        messages.take(b"a\nb\x1b[31m");
        messages.take(b"c\nd");
        assert_eq!(messages.latest().collect::<Vec<_>>(), ["b\\x1b[31mc", "a"]);
        messages.close();
        assert_eq!((messages.latest().next(), messages.count), (Some("d"), 3));
        messages.take(&vec![b'x'; 3 * BYTES]);
        (0..2 * LINES).for_each(|_| messages.take(b"\ny"));
        messages.close();
        assert_eq!((messages.lines.len(), messages.count), (LINES, 2 * LINES as u64 + 4));
    }
}
