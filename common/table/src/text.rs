//! Texts in cells of a terminal: their width, and what is cut of long ones.

use cli::text::visible;
use record::fields::Cut;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Stands for what was cut.
const ELLIPSIS: &str = "…";

/// How many cells a text takes: two for most characters of Chinese, Japanese and Korean.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A stranger's text on one line, without anything that a terminal obeys.
pub fn shown(text: &str) -> String {
    visible(text).into_owned()
}

/// The text in at most so many cells, with an ellipsis where something was cut.
pub fn cut(text: &str, room: usize, at: Cut) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let Some(left) = room.checked_sub(width(ELLIPSIS)) else { return String::new() };
    let head = |room| of_clusters(text.graphemes(true), room).collect::<String>();
    let tail = |room| {
        let mut end: Vec<&str> = of_clusters(text.graphemes(true).rev(), room).collect();
        end.reverse();
        end.concat()
    };
    match at {
        Cut::End => head(left) + ELLIPSIS,
        Cut::Start => ELLIPSIS.to_owned() + &tail(left),
        // The end of a path says more than its middle.
        Cut::Middle => head(left / 2) + ELLIPSIS + &tail(left - left / 2),
    }
}

/// As many clusters of characters as have room; none is torn.
fn of_clusters<'a>(clusters: impl Iterator<Item = &'a str>, room: usize) -> impl Iterator<Item = &'a str> {
    let mut left = room;
    clusters.map_while(move |cluster| {
        left = left.checked_sub(width(cluster))?;
        Some(cluster)
    })
}

/// The text with spaces, to fill so many cells: before it if it is a number, else behind it.
pub fn pad(text: &str, room: usize, number: bool) -> String {
    let spaces = " ".repeat(room.saturating_sub(width(text)));
    if number { spaces + text } else { text.to_owned() + &spaces }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_where_they_say_least() {
        for (text, room, at, expected) in [
            ("kubepods/pod1/app", 10, Cut::Start, "…/pod1/app"),
            ("/usr/lib/x/program", 11, Cut::Middle, "/usr/…ogram"),
            ("abcdef", 4, Cut::End, "abc…"),
            ("abc", 3, Cut::End, "abc"),
            ("abc", 0, Cut::End, ""),
            ("abc", 1, Cut::Middle, "…"),
        ] {
            assert_eq!(cut(text, room, at), expected);
        }
    }

    #[test]
    fn wide_characters_take_two_cells_and_are_not_torn() {
        assert_eq!(width("日本語"), 6);
        // Three cells are left beside the ellipsis: one character, not one and a half.
        assert_eq!(cut("日本語", 4, Cut::End), "日…");
        assert_eq!(cut("日本語", 4, Cut::Start), "…語");
        assert_eq!(pad("日本", 6, false), "日本  ");
        // A letter and its accent stay together.
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2, Cut::End), "e\u{301}…");
        assert_eq!(width(&cut("👩\u{200d}🔬👩\u{200d}🔬", 3, Cut::End)), 3);
    }
}
