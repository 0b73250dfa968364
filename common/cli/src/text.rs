//! Text that a stranger wrote (a process's name, a path, an argument, another program's output) as it may be shown to a
//! person.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with everything that a terminal obeys instead of showing written out as an escape: control characters (`\n`,
/// `\x1b`) and those that change the direction of text (`\u{202e}`).
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        // Writing to a String does not fail.
        let _ = match c {
            '\n' => shown.write_str("\\n"),
            '\r' => shown.write_str("\\r"),
            '\t' => shown.write_str("\\t"),
            c if c.is_ascii_control() => write!(shown, "\\x{:02x}", c as u32),
            c if obeyed(c) => write!(shown, "\\u{{{:x}}}", c as u32),
            c => shown.write_char(c),
        };
    }
    Cow::Owned(shown)
}

/// Whether a terminal, or what lays out its text, obeys this character.
fn obeyed(c: char) -> bool {
    // Unicode's bidirectional formatting characters, and its separators of lines and paragraphs.
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        for (text, shown) in [
            ("plain, naïve, 日本", "plain, naïve, 日本"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("a\nb\tc\r", "a\\nb\\tc\\r"),
            ("\u{7f}\u{9b}31m", "\\x7f\\u{9b}31m"),
            ("\u{202e}gpj.exe\u{2066}", "\\u{202e}gpj.exe\\u{2066}"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }
}
