//! Text in HTML: nothing in it is markup.

use cli::text::visible;

use crate::markup::escaped;

/// A stranger's text, in an element or in quotes.
pub fn text(text: &str) -> String {
    escaped(&visible(text))
}

/// A table: headings, which of them are of numbers, and rows of cells that are HTML.
pub fn table(headings: &[&str], numbers: &[bool], rows: &[Vec<String>]) -> String {
    let class = |at: usize| if numbers.get(at) == Some(&true) { " class=n" } else { "" };
    let cells = |of: &str, cells: &mut dyn Iterator<Item = &str>| -> String {
        cells.enumerate().map(|(at, cell)| format!("<{of}{}>{cell}</{of}>", class(at))).collect()
    };
    let mut html = String::from("<div class=wide><table><thead><tr>");
    let safe: Vec<String> = headings.iter().map(|heading| text(heading)).collect();
    html += &cells("th", &mut safe.iter().map(String::as_str));
    html += "</tr></thead><tbody>\n";
    for row in rows {
        html += &format!("<tr>{}</tr>\n", cells("td", &mut row.iter().map(String::as_str)));
    }
    html + "</tbody></table></div>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_stays_text() {
        assert_eq!(text("<script>\"a\"&'b'\u{1b}[2J"), "&lt;script&gt;&quot;a&quot;&amp;&#39;b&#39;\\x1b[2J");
        let table = table(&["<a>"], &[true], &[vec![text("<b>")]]);
        assert!(
            table.contains("<th class=n>&lt;a&gt;</th>") && table.contains("<td class=n>&lt;b&gt;</td>"),
            "{table}"
        );
    }
}
