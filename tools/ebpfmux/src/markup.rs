//! Text in HTML and XML.

/// A text of which nothing is markup, in an element or in quotes.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            // The name of this one is unknown to HTML 4.
            '\'' => safe += "&#39;",
            _ => safe.push(character),
        }
    }
    safe
}
